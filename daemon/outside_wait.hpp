// Counts the coroutines of a thread that wait for something else than a polled socket: Redis, a timer, the resolver,
// another thread, their next turn. As long as there are none, the poller may wait for its sockets by itself, because
// nobody waits for what Asio would bring. Part of an awaiter: counted from begin() until it resumes or is destroyed,
// which another thread may do only when this one serves no more.
#pragma once

#include <utility>

namespace mongocached::daemon {

class outside_wait {
 public:
  outside_wait() noexcept = default;
  ~outside_wait() { end(); }
  outside_wait(const outside_wait&) = delete;
  outside_wait& operator=(const outside_wait&) = delete;

  void begin() noexcept {
    if (!std::exchange(counted_, true)) ++count;
  }
  // On the thread of begin(). Ending twice is harmless.
  void end() noexcept {
    if (std::exchange(counted_, false)) --count;
  }
  // Whether anybody on this thread waits so.
  [[nodiscard]] static bool any() noexcept { return count > 0; }

 private:
  static inline constinit thread_local unsigned count = 0;
  bool counted_ = false;
};

}  // namespace mongocached::daemon
