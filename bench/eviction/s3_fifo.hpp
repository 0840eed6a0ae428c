// S3-FIFO (Yang et al., SOSP 2023), counted in bytes.
//
// New objects enter a small queue of a tenth of the budget. What is asked for again before it reaches the end moves to
// the main queue; the rest leaves, and only its fingerprint is remembered. Whoever comes back while remembered enters
// the main queue at once. So a scan passes through a tenth of the cache. A hit only counts up one byte in the object:
// no queue moves.
#pragma once

#include <memory>

#include "cache/eviction/hook.hpp"

namespace mongocached::bench {

class s3_fifo {
 public:
  explicit s3_fifo(std::uint64_t limit_bytes) noexcept : small_limit_(limit_bytes / 10) {}

  void hit(cache::eviction_hook& hook) noexcept {
    if (hook.hits < max_hits) ++hook.hits;
  }
  void add(cache::eviction_hook& hook) noexcept;
  void remove(cache::eviction_hook& hook) noexcept;
  // Takes out the object that should leave next; null if there is none.
  cache::eviction_hook* victim() noexcept;
  // Heap bytes that the policy itself holds.
  [[nodiscard]] std::size_t overhead() const noexcept {
    return ghost_mask_ == 0 ? 0 : (ghost_mask_ + 1) * sizeof(ghost);
  }

 private:
  static constexpr std::uint8_t max_hits = 3;
  static constexpr std::uint8_t hits_to_stay = 2;
  static constexpr std::size_t ways = 4;
  struct ghost {
    std::uint32_t fingerprint = 0;
    std::uint32_t born = 0;  // value of departures_ when it left; 0: empty
  };

  void remember(std::uint64_t hash) noexcept;
  bool recall(std::uint64_t hash) noexcept;
  cache::eviction_hook* from_main() noexcept;

  std::uint64_t small_limit_;
  cache::eviction_queue small_;
  cache::eviction_queue main_;
  std::unique_ptr<ghost[]> ghosts_;
  std::size_t ghost_mask_ = 0;
  std::uint32_t departures_ = 0;
};

}  // namespace mongocached::bench
