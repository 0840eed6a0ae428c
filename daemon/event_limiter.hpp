// Keeps a misbehaving peer from filling the log: a token bucket for each kind of event, and the number of those that
// were left out.
//
//   if (const auto v = limiter.admit("bad frame", now); v.allowed) log.warn("session", "bad frame", {{"suppressed",
//   v.suppressed}});
//
// `event` must be one of a fixed set of names, never text from a peer. Thread-safe; time is passed in.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "cache/time.hpp"

namespace mongocached::daemon {

struct event_limits {
  std::uint32_t burst = 10;                         // at once
  cache::duration every = std::chrono::seconds(1);  // one more after each of these
  std::size_t max_events = 128;                     // further names share one bucket
};

class event_limiter {
 public:
  struct verdict {
    bool allowed = false;
    std::uint64_t suppressed = 0;  // since the last one that was allowed; 0 where not allowed
  };

  explicit event_limiter(const event_limits& limits = {}) : limits_(limits) {}

  [[nodiscard]] verdict admit(std::string_view event, cache::instant now);

 private:
  struct bucket {
    std::uint32_t tokens = 0;
    cache::instant refilled{};
    std::uint64_t suppressed = 0;
  };
  [[nodiscard]] bucket& bucket_of(std::string_view event, cache::instant now);

  const event_limits limits_;
  std::mutex guard_;
  std::map<std::string, bucket, std::less<>> buckets_;
};

}  // namespace mongocached::daemon
