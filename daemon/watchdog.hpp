// Decides when the service manager may be told that the daemon is alive: only while every data thread moves. One that
// hangs in a loop or a lock stops the pings, and the manager restarts the daemon. Pure: time and ticks are passed in.
// One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "cache/time.hpp"

namespace mongocached::daemon {

class watchdog {
 public:
  // `period`: the manager's patience. Pings are a third of it apart, so that one may come late.
  explicit watchdog(cache::duration period) : interval_(period / 3) {}

  // How often should_notify() should be asked.
  [[nodiscard]] cache::duration interval() const noexcept { return interval_; }

  // `ticks`: a counter a data thread that moves while it runs, idle or not. True: ping now; every counter has moved
  // since the last ping (or since the first call, which only takes note of them).
  [[nodiscard]] bool should_notify(cache::instant now, std::span<const std::uint64_t> ticks);

 private:
  void take_note(cache::instant now, std::span<const std::uint64_t> ticks);

  const cache::duration interval_;
  bool begun_ = false;
  cache::instant last_{};
  std::vector<std::uint64_t> seen_;
};

// Whether a data thread hangs, for who asks about health. Pure as the watchdog is; any thread.
class stall_watch {
 public:
  explicit stall_watch(cache::duration patience) : patience_(patience) {}

  // True: a counter has stood still for `patience`, as far as calls have seen it.
  [[nodiscard]] bool is_stalled(cache::instant now, std::span<const std::uint64_t> ticks);

 private:
  struct last_move {
    std::uint64_t ticks = 0;
    cache::instant seen{};
  };

  const cache::duration patience_;
  std::mutex guard_;
  std::vector<last_move> threads_;
};

}  // namespace mongocached::daemon
