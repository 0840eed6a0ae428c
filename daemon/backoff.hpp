// The pause before what has just failed is tried again: twice as long each time, up to a longest one, and drawn between
// half of it and the whole, so that those who failed together do not come back together.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace mongocached::daemon {

class backoff {
 public:
  using milliseconds = std::chrono::milliseconds;

  constexpr backoff(milliseconds shortest, milliseconds longest) noexcept : shortest_(shortest), longest_(longest) {}

  template <class Random>
  [[nodiscard]] milliseconds next(Random& random) {
    pause_ = std::clamp(pause_ * 2, shortest_, longest_);
    return milliseconds(std::uniform_int_distribution<std::int64_t>(pause_.count() / 2, pause_.count())(random));
  }
  // It went well: the next pause is the shortest again.
  constexpr void reset() noexcept { pause_ = milliseconds(0); }

 private:
  milliseconds shortest_;
  milliseconds longest_;
  milliseconds pause_{0};
};

}  // namespace mongocached::daemon
