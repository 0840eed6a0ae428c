// The coroutines of the data threads.
//
// `task<T>` is lazy: it begins when it is awaited, runs on the awaiting thread, and gives its value, or its exception,
// to whoever awaits it; passing from one to the other costs no more than a jump. `spawn()` begins one that nobody
// awaits. A coroutine waits for the outside through a `suspended`: whoever holds it calls it once, on the coroutine's
// thread, to go on; one that is destroyed uncalled ends the coroutine where it stands, with all that await it,
// destructors and all.
//
// Asio's operations are awaited with the token `as_result(ec)`: the error goes to `ec`, the value is the result.
//
// Why not asio::awaitable: its frames, handlers and posts took half of the time that a relayed request takes beside its
// system calls.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <concepts>
#include <coroutine>
#include <exception>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>

#include "daemon/asio_types.hpp"
#include "daemon/outside_wait.hpp"
#include "protocol/block_pool.hpp"

namespace mongocached::daemon {

namespace detail {

struct promise_base {
  std::coroutine_handle<> awaiting{};  // goes on when this one ends
  std::coroutine_handle<> root{};      // the outermost frame, which owns this one

  static void* operator new(std::size_t size) { return protocol::block_pool::allocate(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { protocol::block_pool::release(frame, size); }
};

struct task_promise_base : promise_base {
  struct final_awaiter {
    static constexpr bool await_ready() noexcept { return false; }
    template <class Promise>
    static std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) noexcept {
      return ended.promise().awaiting;
    }
    static void await_resume() noexcept {}
  };

  static std::suspend_always initial_suspend() noexcept { return {}; }
  static final_awaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { failure = std::current_exception(); }

  std::exception_ptr failure;
};

template <class T>
struct task_promise : task_promise_base {
  template <std::convertible_to<T> U = T>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() {
    if (failure) std::rethrow_exception(failure);
    return std::move(*value);
  }
  std::optional<T> value;
};

template <>
struct task_promise<void> : task_promise_base {
  void return_void() noexcept {}
  void take() const {
    if (failure) std::rethrow_exception(failure);
  }
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] task {
 public:
  struct promise_type : detail::task_promise<T> {
    task get_return_object() noexcept { return task(handle::from_promise(*this)); }
  };

  task(task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, {})) {}
  task& operator=(task&&) = delete;
  ~task() {
    if (coroutine_) coroutine_.destroy();
  }

  static constexpr bool await_ready() noexcept { return false; }
  template <std::derived_from<detail::promise_base> Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
    auto& promise = coroutine_.promise();
    promise.awaiting = awaiting;
    promise.root = awaiting.promise().root;
    return coroutine_;
  }
  T await_resume() { return coroutine_.promise().take(); }

 private:
  using handle = std::coroutine_handle<promise_type>;
  explicit task(handle coroutine) noexcept : coroutine_(coroutine) {}

  handle coroutine_;
};

// A value that is there at once as a rule; where it is not, a task brings it. Spares the frame of a coroutine that
// would not wait. Unlike a task's, its work has begun before it is awaited.
template <class T>
class [[nodiscard]] prompt {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor)
  prompt(T value) : found_(std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  prompt(task<T> later) : found_(std::move(later)) {}

  [[nodiscard]] bool await_ready() const noexcept { return found_.index() == 0; }
  template <std::derived_from<detail::promise_base> Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
    return std::get<task<T>>(found_).await_suspend(awaiting);
  }
  T await_resume() {
    if (auto* const later = std::get_if<task<T>>(&found_)) return later->await_resume();
    return std::move(std::get<T>(found_));
  }

 private:
  std::variant<T, task<T>> found_;
};

// The same of what gives no value.
template <>
class [[nodiscard]] prompt<void> {
 public:
  prompt() noexcept = default;  // done
  // NOLINTNEXTLINE(google-explicit-constructor)
  prompt(task<void> rest) : rest_(std::move(rest)) {}

  [[nodiscard]] bool await_ready() const noexcept { return !rest_; }
  template <std::derived_from<detail::promise_base> Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
    return rest_->await_suspend(awaiting);
  }
  void await_resume() {
    if (rest_) rest_->await_resume();
  }

 private:
  std::optional<task<void>> rest_;
};

class suspended {
 public:
  suspended() noexcept = default;
  template <std::derived_from<detail::promise_base> Promise>
  explicit suspended(std::coroutine_handle<Promise> at) noexcept : at_(at), root_(at.promise().root) {}
  suspended(suspended&& other) noexcept : at_(std::exchange(other.at_, {})), root_(std::exchange(other.root_, {})) {}
  suspended& operator=(suspended&& other) noexcept {
    std::swap(at_, other.at_);
    std::swap(root_, other.root_);
    return *this;
  }
  ~suspended() {
    if (root_) root_.destroy();
  }

  explicit operator bool() const noexcept { return static_cast<bool>(at_); }
  void operator()() {
    root_ = {};
    std::exchange(at_, {}).resume();
  }

 private:
  std::coroutine_handle<> at_;
  std::coroutine_handle<> root_;
};

namespace detail {

struct spawned {
  struct promise_type : promise_base {
    spawned get_return_object() noexcept {
      root = std::coroutine_handle<promise_type>::from_promise(*this);
      return {};
    }
    static std::suspend_never initial_suspend() noexcept { return {}; }
    static std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }
  };
};

template <class Failed>
spawned run(task<void> work, Failed failed) {
  try {
    co_await std::move(work);
  } catch (...) {
    failed(std::current_exception());
  }
}

// One asynchronous operation of Asio, begun when it is awaited.
template <class Initiation, class Arguments, class... Values>
class asio_operation {
 public:
  asio_operation(error_code& ec, Initiation initiation, Arguments arguments)
      : ec_(ec), initiation_(std::move(initiation)), arguments_(std::move(arguments)) {}

  static constexpr bool await_ready() noexcept { return false; }
  // An initiation that throws (no memory, no thread for the resolver) must not unwind into the frame that it destroys.
  template <class Promise>
  // NOLINTNEXTLINE(bugprone-exception-escape)
  void await_suspend(std::coroutine_handle<Promise> at) noexcept {
    waits_.begin();
    std::apply(
        [&](auto&... arguments) {
          std::move(initiation_)(handler{this, suspended(at)}, std::move(arguments)...);
        },
        arguments_);
  }
  auto await_resume() {
    waits_.end();
    if constexpr (sizeof...(Values) == 1) return std::get<0>(std::move(values_));
  }

 private:
  struct handler {
    asio_operation* self;
    suspended at;
    void operator()(error_code ec, Values... values) {
      self->ec_ = ec;
      self->values_ = {std::move(values)...};
      at();
    }
  };

  error_code& ec_;
  Initiation initiation_;
  Arguments arguments_;
  std::tuple<Values...> values_;
  outside_wait waits_;
};

}  // namespace detail

// Begins `work`, here and now, up to where it first waits. `failed` gets the exception that it ends with, if any, and
// must not throw.
template <std::invocable<std::exception_ptr> Failed>
void spawn(task<void> work, Failed failed) {
  detail::run(std::move(work), std::move(failed));
}

// To be awaited: the rest of the thread's work gets its turn first.
class next_turn {
 public:
  explicit next_turn(executor where) : where_(std::move(where)) {}
  static constexpr bool await_ready() noexcept { return false; }
  template <class Promise>
  // NOLINTNEXTLINE(bugprone-exception-escape): without memory the process ends here.
  void await_suspend(std::coroutine_handle<Promise> at) noexcept {
    waits_.begin();
    asio::post(where_, suspended(at));
  }
  void await_resume() noexcept { waits_.end(); }

 private:
  executor where_;
  outside_wait waits_;
};

struct result_token {
  error_code* ec;
};
[[nodiscard]] inline result_token as_result(error_code& ec) noexcept {
  return {&ec};
}

}  // namespace mongocached::daemon

template <class... Values>
class boost::asio::async_result<mongocached::daemon::result_token, void(boost::system::error_code, Values...)> {
 public:
  template <class Initiation, class... Arguments>
  static auto initiate(Initiation&& initiation, mongocached::daemon::result_token token, Arguments&&... arguments) {
    using arguments_type = std::tuple<std::decay_t<Arguments>...>;
    return mongocached::daemon::detail::asio_operation<std::decay_t<Initiation>, arguments_type, Values...>(
        *token.ec, std::forward<Initiation>(initiation), arguments_type(std::forward<Arguments>(arguments)...));
  }
};
