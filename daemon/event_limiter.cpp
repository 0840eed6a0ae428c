#include "daemon/event_limiter.hpp"

#include <algorithm>
#include <utility>

namespace mongocached::daemon {

event_limiter::bucket& event_limiter::bucket_of(std::string_view event, cache::instant now) {
  auto found = buckets_.find(event);
  if (found == buckets_.end()) {
    const std::string name(buckets_.size() < limits_.max_events ? event : "");
    found = buckets_.try_emplace(name, bucket{limits_.burst, now, 0}).first;
  }
  return found->second;
}

event_limiter::verdict event_limiter::admit(std::string_view event, cache::instant now) {
  const std::lock_guard lock(guard_);
  bucket& b = bucket_of(event, now);
  const auto earned = now > b.refilled ? (now - b.refilled) / limits_.every : 0;
  if (earned >= static_cast<std::int64_t>(limits_.burst) - static_cast<std::int64_t>(b.tokens)) {
    b.tokens = limits_.burst;
    b.refilled = std::max(now, b.refilled);
  } else {
    b.tokens += static_cast<std::uint32_t>(earned);
    b.refilled += earned * limits_.every;
  }
  if (b.tokens == 0) {
    ++b.suppressed;
    return {};
  }
  --b.tokens;
  return {true, std::exchange(b.suppressed, 0)};
}

}  // namespace mongocached::daemon
