#include "daemon/control/releasable_thread.hpp"

#include <pthread.h>

#include <atomic>
#include <utility>

namespace mongocached::daemon {
namespace {

std::atomic<bool> let_go{false};

}  // namespace

releasable_thread::releasable_thread(const char* name, std::function<void()> work)
    : thread_([ending = ending_, work = std::move(work)]() mutable {
        work();
        work = nullptr;
        const std::lock_guard lock(ending->guard);
        ending->ended = true;
        ending->changed.notify_all();
      }) {
  ::pthread_setname_np(thread_.native_handle(), name);
}

releasable_thread::~releasable_thread() {
  finish();
}

void releasable_thread::was_asked() noexcept {
  if (!asked_) asked_ = std::chrono::steady_clock::now();
}

bool releasable_thread::finish() {
  if (!thread_.joinable()) return true;
  was_asked();
  bool ended = false;
  {
    std::unique_lock lock(ending_->guard);
    ended = ending_->changed.wait_until(lock, *asked_ + patience, [this] { return ending_->ended; });
  }
  if (ended) {
    thread_.join();
  } else {
    let_go.store(true);
    thread_.detach();
  }
  return ended;
}

bool releasable_thread::any_let_go() noexcept {
  return let_go.load();
}

}  // namespace mongocached::daemon
