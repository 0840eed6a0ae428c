// A value that one coroutine waits for and that somebody else delivers once, from any thread. The second delivery does
// nothing, so that a deadline and the real thing may race. The waiter resumes on its own executor, never inside
// deliver().
#pragma once

#include <atomic>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "daemon/asio_types.hpp"

namespace mongocached::daemon {

template <class T>
class one_shot : public std::enable_shared_from_this<one_shot<T>> {
 public:
  explicit one_shot(executor where) : where_(std::move(where)) {}

  void deliver(T value) {
    if (delivered_.exchange(true)) return;
    asio::post(where_, [self = this->shared_from_this(), value = std::move(value)]() mutable {
      self->value_ = std::move(value);
      if (self->resume_) std::exchange(self->resume_, nullptr)();
    });
  }

  // At most one waiter, on the executor's thread.
  [[nodiscard]] task<T> wait() {
    if (!value_) {
      co_await asio::async_initiate<const asio::use_awaitable_t<executor>&, void()>(
          [this](auto handler) {
            auto held = std::make_shared<decltype(handler)>(std::move(handler));
            resume_ = [held] { (*held)(); };
          },
          use_task);
    }
    co_return std::move(*value_);
  }

 private:
  executor where_;
  std::atomic<bool> delivered_{false};
  std::optional<T> value_;
  std::function<void()> resume_;
};

}  // namespace mongocached::daemon
