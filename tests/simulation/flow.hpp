// One thing that a process does, as a coroutine which stops before every step that something else may overtake. The
// world resumes it: at random times, or where a scenario says.
#pragma once

#include <coroutine>
#include <cstdint>
#include <exception>
#include <utility>

namespace mongocached::simulation {

enum class step : std::uint8_t {
  begin,
  // What another machine does, though the process may be paused or dead by then.
  get,
  lease,
  read,
  fill,
  write,
  invalidate,
  sample,
  stream,
  open_stream,
  load_mark,
  save_mark,
  // What the process does.
  get_reply,
  lease_reply,
  read_reply,
  write_reply,
  acknowledge,
  unmark,
  sample_reply,
  stream_reply,
  apply,
  applied,
  started,
  joined,  // waits for another flow
  done,
};
[[nodiscard]] constexpr bool is_elsewhere(step s) noexcept {
  return s >= step::get && s <= step::save_mark;
}
[[nodiscard]] const char* name_of(step s) noexcept;

class flow {
 public:
  struct promise_type {
    step at = step::begin;
    flow get_return_object() { return flow(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept {
      at = step::done;
      return {};
    }
    void return_void() noexcept {}
    void unhandled_exception() { std::terminate(); }
  };

  flow() noexcept = default;
  explicit flow(std::coroutine_handle<promise_type> h) noexcept : handle_(h) {}
  flow(flow&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  flow& operator=(flow&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  flow(const flow&) = delete;
  flow& operator=(const flow&) = delete;
  ~flow() {
    if (handle_) handle_.destroy();
  }

  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
  [[nodiscard]] step at() const noexcept { return handle_ ? handle_.promise().at : step::done; }
  void resume() { handle_.resume(); }

 private:
  std::coroutine_handle<promise_type> handle_;
};

// co_await before(step::read);
struct before {
  explicit before(step s) noexcept : where(s) {}
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<flow::promise_type> h) const noexcept { h.promise().at = where; }
  void await_resume() const noexcept {}
  step where;
};

}  // namespace mongocached::simulation
