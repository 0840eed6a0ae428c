// Least recently used: the baseline of the comparison.
#pragma once

#include "cache/eviction/hook.hpp"

namespace mongocached::bench {

class lru {
 public:
  explicit lru(std::uint64_t /*limit_bytes*/) {}
  void add(cache::eviction_hook& hook) noexcept {
    hook.queue = 1;
    queue_.push_front(hook);
  }
  void hit(cache::eviction_hook& hook) noexcept {
    queue_.remove(hook);
    queue_.push_front(hook);
  }
  void remove(cache::eviction_hook& hook) noexcept {
    queue_.remove(hook);
    hook.queue = 0;
  }
  cache::eviction_hook* victim() noexcept {
    cache::eviction_hook* oldest = queue_.back();
    if (oldest != nullptr) remove(*oldest);
    return oldest;
  }
  [[nodiscard]] std::size_t overhead() const noexcept { return 0; }

 private:
  cache::eviction_queue queue_;
};

}  // namespace mongocached::bench
