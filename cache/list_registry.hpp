// The lists of one namespace that memory may hold, and N(ns), the newest time at which the namespace was written
// (coherence M, R3, R6).
//
// An event or write raises N and judges the lists under one lock; a list is stored under the same lock, and only if its
// L is not below N: so no write falls between a list's read and its being judged. What eviction took is noticed and
// forgotten at the next event. Judging is work that clients choose the size of, done in one go: where the budget of
// steps is spent, the lists that were not looked at yet count as changed, and fall. Any thread. Lock order: a flight's
// shard, this, local_cache.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <unordered_set>

#include "cache/local_cache.hpp"
#include "cache/matcher/affected_list.hpp"

namespace mongocached::cache {

class list_registry {
 public:
  // Of one namespace; once they are reached, further lists are not kept in memory.
  static constexpr std::size_t max_lists = 2000;
  static constexpr std::size_t max_key_bytes = 4UL << 20;
  // For one write or event; about 20 ms.
  static constexpr std::size_t steps_a_write = 200'000;

  // Stores the list, if there is room, unless the namespace was written since its L: false then. `may_store` is asked
  // first, under the lock.
  bool insert(local_cache& local, const entry_ref& list, const std::function<bool()>& may_store);
  // Judges every list whose L is below `at`, and drops those that the writes may change; `at` 0: all lists, by a
  // command that the stream tells of later.
  void judge(local_cache& local, std::span<const list_write> writes, cluster_time at, step_budget& budget);
  // N rises; a write that judge() is not asked about (the stream will tell of it, or it was judged before).
  void raise_newest(cluster_time to);
  [[nodiscard]] cluster_time newest() const;
  void forget_times();

 private:
  using keys = std::unordered_set<std::string>;

  [[nodiscard]] bool has_room(local_cache& local, std::size_t key_size);
  keys::iterator forget(keys::iterator key);

  mutable std::mutex mutex_;
  cluster_time newest_ = 0;
  keys keys_;
  std::size_t key_bytes_ = 0;
};

// What the list was asked for, read back from its key (list_key.hpp). Empty where anything in it is not modelled: then
// any write may change it. Views into the key.
[[nodiscard]] std::optional<list_query> query_of(byte_view list_key) noexcept;

// May the writes change this list?
[[nodiscard]] bool may_change(const entry& list, const write_set& writes, step_budget& budget);

}  // namespace mongocached::cache
