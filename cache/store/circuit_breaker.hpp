// Whether it is worth asking a service that has been failing. Pure: the time is passed in. Not thread-safe.
//
//   closed     everything passes; opens after `consecutive` failures in a row, or when at least `rate_minimum` answers
//   within
//              `window` are at least `rate_percent` failures
//   open       nothing passes for `pause`, doubled at each relapse up to `longest_pause`
//   half_open  one probe passes at a time; its success closes, its failure opens again
#pragma once

#include <cstdint>

#include "cache/time.hpp"

namespace mongocached::cache {

struct circuit_breaker_settings {
  unsigned consecutive = 5;
  unsigned rate_percent = 50;
  unsigned rate_minimum = 20;
  duration window = std::chrono::seconds(1);
  duration pause = std::chrono::milliseconds(100);
  duration longest_pause = std::chrono::seconds(2);
};

class circuit_breaker {
 public:
  enum class state : std::uint8_t { closed, open, half_open };

  explicit circuit_breaker(const circuit_breaker_settings& settings = {}) : settings_(settings) {}

  // Asked before each call. True in half_open makes that call the probe; a probe that is never answered is given up
  // after `pause`.
  [[nodiscard]] bool allow(instant now);
  void success(instant now);
  void failure(instant now);
  void reset();
  // As of the last call; an open breaker turns half_open only when asked.
  [[nodiscard]] state current() const noexcept { return state_; }

 private:
  void open(instant now);
  void roll(instant now);

  circuit_breaker_settings settings_;
  state state_ = state::closed;
  unsigned in_a_row_ = 0;
  unsigned window_failures_ = 0;
  unsigned window_total_ = 0;
  instant window_began_{};
  duration pause_{};
  instant until_{};  // open: no call before; half_open: the probe is given up
};

}  // namespace mongocached::cache
