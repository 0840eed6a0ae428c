// Whether a client that sends a large request is slow at it: such a request holds a connection of the pool while it
// comes. Only the time in which the client is waited for counts, not what the upstream takes. Pure; one thread.
#pragma once

#include "cache/time.hpp"

namespace mongocached::daemon {

class upload_pace {
 public:
  // Slow is who brought less than `least` in the `window` that ended last, or has kept others waiting for `longest` in
  // all.
  static constexpr cache::duration window = std::chrono::seconds(5);
  static constexpr std::size_t least = 5 * 64UL * 1024;
  static constexpr cache::duration longest = std::chrono::minutes(1);

  // The client is waited for.
  void await(cache::instant now) noexcept {
    waiting_ = true;
    since_ = now;
  }
  void arrived(std::size_t bytes, cache::instant now) noexcept {
    spend(now);
    waiting_ = false;
    in_window_ += bytes;
  }
  [[nodiscard]] bool is_slow(cache::instant now) noexcept {
    if (waiting_) spend(now);
    return waiting_ && (slow_ || total_ >= longest);
  }

 private:
  void spend(cache::instant now) noexcept {
    const auto waited = now - since_;
    since_ = now;
    total_ += waited;
    of_window_ += waited;
    if (of_window_ < window) return;
    slow_ = in_window_ < least;
    of_window_ = {};
    in_window_ = 0;
  }

  bool waiting_ = false;
  bool slow_ = false;
  std::size_t in_window_ = 0;
  cache::instant since_{};
  cache::duration of_window_{};
  cache::duration total_{};
};

}  // namespace mongocached::daemon
