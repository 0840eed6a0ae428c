// W-TinyLFU with an adaptive window (Einziger, Eytan, Friedman, Manes 2018; as in Caffeine), counted in bytes.
//
//   add -> window (LRU) -> probation -> protected        hit: to the front; from probation to protected
//                            |   ^___________/           protected over its limit: its oldest go back on probation
//                            v
//                          victim
//
// What leaves the window has to win a contest against the oldest on probation: whoever was asked for more often lately
// stays. So a scan, and a loop larger than the cache, displace little. The window's size follows the hit ratio by hill
// climbing: large where what is new is popular, small where frequency tells.
#pragma once

#include "cache/eviction/frequency_sketch.hpp"
#include "cache/eviction/hook.hpp"

namespace mongocached::bench {

class w_tinylfu {
 public:
  explicit w_tinylfu(std::uint64_t limit_bytes) noexcept;

  void add(cache::eviction_hook& hook) noexcept;
  void hit(cache::eviction_hook& hook) noexcept;
  void remove(cache::eviction_hook& hook) noexcept;
  // Takes out the object that should leave next, maybe the one just added; null if there is none.
  cache::eviction_hook* victim() noexcept;
  // Heap bytes that the policy itself holds.
  [[nodiscard]] std::size_t overhead() const noexcept { return sketch_.bytes(); }

 private:
  cache::eviction_queue& queue_of(const cache::eviction_hook& hook) noexcept;
  void move(cache::eviction_hook& hook, std::uint8_t queue) noexcept;
  void rebalance() noexcept;
  void count_request(bool was_hit) noexcept;
  void climb() noexcept;

  std::uint64_t limit_;
  std::uint64_t window_limit_;
  cache::eviction_queue window_;
  cache::eviction_queue probation_;
  cache::eviction_queue protected_;
  cache::frequency_sketch sketch_;
  std::uint64_t requests_ = 0;  // since the last step of the climb
  std::uint64_t hits_ = 0;
  double last_ratio_ = 0;
  double step_;  // bytes; its sign is the direction
};

}  // namespace mongocached::bench
