#include "cache/store/circuit_breaker.hpp"

#include <algorithm>

namespace mongocached::cache {

bool circuit_breaker::allow(instant now) {
  if (state_ == state::closed) return true;
  if (now < until_) return false;
  state_ = state::half_open;
  until_ = now + pause_;
  return true;
}

void circuit_breaker::success(instant now) {
  if (state_ != state::closed) {
    reset();
    return;
  }
  roll(now);
  ++window_total_;
  in_a_row_ = 0;
}

void circuit_breaker::failure(instant now) {
  if (state_ == state::half_open) {
    open(now);
    return;
  }
  if (state_ == state::open) return;  // asked before it opened
  roll(now);
  ++window_total_;
  ++window_failures_;
  ++in_a_row_;
  const bool rate = window_total_ >= settings_.rate_minimum &&
                    std::uint64_t{window_failures_} * 100 >= std::uint64_t{window_total_} * settings_.rate_percent;
  if (in_a_row_ >= settings_.consecutive || rate) open(now);
}

void circuit_breaker::reset() {
  state_ = state::closed;
  in_a_row_ = window_failures_ = window_total_ = 0;
  pause_ = duration::zero();
}

void circuit_breaker::open(instant now) {
  state_ = state::open;
  pause_ = pause_ == duration::zero() ? settings_.pause : std::min(pause_ * 2, settings_.longest_pause);
  until_ = now + pause_;
  in_a_row_ = window_failures_ = window_total_ = 0;
}

void circuit_breaker::roll(instant now) {
  if (now - window_began_ < settings_.window) return;
  window_began_ = now;
  window_failures_ = window_total_ = 0;
}

}  // namespace mongocached::cache
