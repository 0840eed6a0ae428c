#include "daemon/watchdog.hpp"

namespace mongocached::daemon {

bool watchdog::should_notify(cache::instant now, std::span<const std::uint64_t> ticks) {
  if (!begun_ || ticks.size() != seen_.size()) {
    begun_ = true;
    take_note(now, ticks);
    return false;
  }
  if (now - last_ < interval_) return false;
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    if (ticks[i] == seen_[i]) return false;
  }
  take_note(now, ticks);
  return true;
}

void watchdog::take_note(cache::instant now, std::span<const std::uint64_t> ticks) {
  last_ = now;
  seen_.assign(ticks.begin(), ticks.end());
}

bool stall_watch::is_stalled(cache::instant now, std::span<const std::uint64_t> ticks) {
  const std::lock_guard lock(guard_);
  bool any = false;
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    if (i == threads_.size()) threads_.push_back({ticks[i], now});
    auto& thread = threads_[i];
    if (thread.ticks != ticks[i]) thread = {ticks[i], now};
    any = any || now - thread.seen >= patience_;
  }
  return any;
}

}  // namespace mongocached::daemon
