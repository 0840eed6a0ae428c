// The eviction policy of the local cache: S3-FIFO's two queues with TinyLFU's contest at the gate, counted in bytes.
//
//   add -> small (a tenth of the budget) --hit meanwhile, or won the contest--> main --oldest, not hit lately--> victim
//                                       \--lost the contest--> victim           ^____hit since the last pass
//
// What leaves the small queue without a hit displaces main's oldest only if it was asked for more often lately (a
// sketch of counters remembers, also for keys that are not held). So a scan, or a loop larger than the cache, passes
// through a tenth of it. A hit moves nothing between queues: it counts in the object and in one cache line of the
// sketch. One victim costs a bounded number of steps. Measured against the alternatives in bench/README-eviction.md.
#pragma once

#include "cache/eviction/frequency_sketch.hpp"
#include "cache/eviction/hook.hpp"

namespace mongocached::cache {

class fifo_tinylfu {
 public:
  explicit fifo_tinylfu(std::uint64_t limit_bytes) noexcept : small_limit_(limit_bytes / 10) {}

  void add(eviction_hook& hook) noexcept;
  void hit(eviction_hook& hook) noexcept {
    sketch_.count(hook.hash);
    if (hook.hits < most_hits) ++hook.hits;
  }
  void remove(eviction_hook& hook) noexcept;
  // Takes out the object that should leave next, maybe the one just added; null if there is none. To be called when
  // there is no room, right after `add`.
  eviction_hook* victim() noexcept;
  // Heap bytes that the policy itself holds.
  [[nodiscard]] std::size_t overhead() const noexcept { return sketch_.bytes(); }

 private:
  static constexpr std::uint8_t most_hits = 3;

  void promote(eviction_hook& hook) noexcept;
  void spare_the_hit() noexcept;

  std::uint64_t small_limit_;
  eviction_queue small_;
  eviction_queue main_;
  frequency_sketch sketch_;
  bool full_ = false;  // there was a victim: from now on a place in main has to be won
};

}  // namespace mongocached::cache
