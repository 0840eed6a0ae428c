// A thread that may hang in a call which nobody can interrupt, as libmongoc's are. Whoever ends it asks it to by means
// of their own, waits a little, and lets go of it then. So `work` owns all that it uses, and what it does not own it
// touches under a call_gate alone.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <thread>

namespace mongocached::daemon {

class releasable_thread {
 public:
  static constexpr std::chrono::milliseconds patience{900};

  // `name`: at most 15 bytes. `work` is destroyed on the thread.
  releasable_thread(const char* name, std::function<void()> work);
  ~releasable_thread();  // as finish()
  releasable_thread(const releasable_thread&) = delete;
  releasable_thread& operator=(const releasable_thread&) = delete;

  // It has just been asked to end: from now on it is given its time. What counts is the first call.
  void was_asked() noexcept;
  // Waits for what is left of its time. False: it was let go of. The owner's thread.
  bool finish();

  // Whether this process has let go of any: it must end without destroying what is static.
  [[nodiscard]] static bool any_let_go() noexcept;

 private:
  struct ending {
    std::mutex guard;
    std::condition_variable changed;
    bool ended = false;
  };

  std::shared_ptr<ending> ending_ = std::make_shared<ending>();
  std::optional<std::chrono::steady_clock::time_point> asked_;
  std::thread thread_;
};

// Between a thread that may be let go of and what it does not own.
class call_gate {
 public:
  // Calls `what`, unless the gate is shut. Several threads may be inside; it does not nest.
  template <class What>
  void pass(What&& what) {
    const std::shared_lock lock(guard_);
    if (!shut_) what();
  }
  // Waits for those who are inside; nobody gets in any more.
  void shut() {
    const std::unique_lock lock(guard_);
    shut_ = true;
  }

 private:
  std::shared_mutex guard_;
  bool shut_ = false;
};

}  // namespace mongocached::daemon
