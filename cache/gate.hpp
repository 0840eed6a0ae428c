// The gate (coherence G1) and H: how far this process has applied the change stream, and since when it is known to be
// complete.
//
// A sample is the primary's operationTime O, asked for at the moment m. Once H >= O, everything that was committed
// before m has been applied; the newest such m is `covered()`. The gate is open for a bound b iff now - covered() <= b:
// checked at every hit, so that a process which was paused serves nothing old when it wakes, and a stalled stream, a
// stalled majority or an idle shard shut it by themselves. Pure: time is passed in. Any thread; a check is one load.
#pragma once

#include <array>
#include <atomic>
#include <mutex>

#include "cache/time.hpp"

namespace mongocached::cache {

class gate {
 public:
  // `sent`: before the question was sent. Samples come in the order of `sent`.
  void sampled(instant sent, cluster_time operation_time);
  // Every event with clusterTime <= `to` has been applied. Never falls but by reset().
  void applied(cluster_time to);
  // What was applied before is void (history lost, another upstream): shut until a sample from now on is covered.
  void reset();

  [[nodiscard]] cluster_time applied_to() const noexcept { return applied_.load(std::memory_order_acquire); }
  [[nodiscard]] instant covered() const noexcept { return instant(covered_.load(std::memory_order_acquire)); }
  [[nodiscard]] bool is_open(instant now, duration bound) const noexcept;

 private:
  struct sample {
    instant sent{};
    cluster_time operation_time = 0;
  };
  // More samples than this are not waited for: the oldest makes room.
  static constexpr std::size_t max_waiting = 64;

  void settle(cluster_time to);

  std::atomic<cluster_time> applied_{0};
  std::atomic<instant::rep> covered_{0};  // 0: never
  std::mutex mutex_;
  std::array<sample, max_waiting> waiting_{};  // a ring, oldest first
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace mongocached::cache
