// What writes of a data thread's clients owe to Redis from before the thread has a store (coherence W7): Redis may hold
// what they changed, put there by other processes. Bounded: past `most` of them a new epoch stands for all.
#pragma once

#include <utility>
#include <vector>

#include "cache/store/shared_store.hpp"

namespace mongocached::daemon {

class early_invalidations {
 public:
  static constexpr std::size_t most = 1000;

  void add(cache::invalidation what) {
    if (overflowed_) return;
    overflowed_ = owed_.size() == most;
    if (overflowed_) {
      owed_.clear();
      what = {};
      what.everything = true;
    }
    owed_.push_back(std::move(what));
  }

  // The store owes them from now on, and does not trust Redis before it has acknowledged them.
  void hand_to(cache::shared_store& store) {
    for (auto& what : std::exchange(owed_, {})) store.invalidate(std::move(what), [](cache::store_status) {});
    overflowed_ = false;
  }

 private:
  std::vector<cache::invalidation> owed_;
  bool overflowed_ = false;
};

}  // namespace mongocached::daemon
