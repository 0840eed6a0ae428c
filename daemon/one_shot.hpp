// A value that one coroutine waits for and that somebody else delivers once, from any thread. The second delivery does
// nothing, so that a deadline and the real thing may race.
#pragma once

#include <atomic>
#include <boost/asio/post.hpp>
#include <memory>

#include "daemon/task.hpp"

namespace mongocached::daemon {

template <class T>
class one_shot : public std::enable_shared_from_this<one_shot<T>> {
 public:
  explicit one_shot(executor where) : where_(std::move(where)) {}

  // The waiter resumes on its own executor, never inside.
  void deliver(T value) {
    if (delivered_.exchange(true)) return;
    asio::post(where_, [self = this->shared_from_this(), value = std::move(value)]() mutable {
      self->arrived(std::move(value));
    });
  }
  // On the waiter's thread; it resumes inside.
  void deliver_here(T value) {
    if (delivered_.exchange(true)) return;
    const auto self = this->shared_from_this();
    arrived(std::move(value));
  }

  // To be awaited, by at most one waiter, on the executor's thread.
  [[nodiscard]] auto wait() noexcept { return arrival(*this); }

 private:
  class arrival {
   public:
    explicit arrival(one_shot& from) noexcept : from_(from) {}
    [[nodiscard]] bool await_ready() const noexcept { return from_.value_.has_value(); }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> at) noexcept {
      waits_.begin();
      from_.waiting_ = suspended(at);
    }
    T await_resume() {
      waits_.end();
      return std::move(*from_.value_);
    }

   private:
    one_shot& from_;
    outside_wait waits_;
  };

  void arrived(T value) {
    value_ = std::move(value);
    if (auto waiting = std::move(waiting_)) waiting();
  }

  executor where_;
  std::atomic<bool> delivered_{false};
  std::optional<T> value_;
  suspended waiting_;
};

}  // namespace mongocached::daemon
