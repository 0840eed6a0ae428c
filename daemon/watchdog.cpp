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

}  // namespace mongocached::daemon
