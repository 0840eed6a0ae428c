// The lists of one namespace that memory may hold, and N(ns), the newest time at which the namespace was written
// (coherence M, R3, R6).
//
// An event or write raises N and judges the lists under one lock; a list is stored under the same lock, and only if its
// L is not below N: so no write falls between a list's read and its being judged. A list whose key there is no memory
// for is not stored: every list in memory is found here. What eviction took is noticed and forgotten at the next event,
// or by a sweep. Judging is work that clients choose the size of, done in one go: where the budget of steps is spent,
// the lists that were not looked at yet count as changed, and fall. Any thread. Lock order: a flight's shard, this,
// local_cache.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_set>

#include "cache/local_cache.hpp"
#include "cache/matcher/affected_list.hpp"

namespace mongocached::cache {

// Memory for the keys of all namespaces' lists: names of namespaces come from clients, and so do keys. Any thread.
class list_key_budget {
 public:
  explicit list_key_budget(std::uint64_t limit) noexcept : limit_(limit) {}
  // Threads that ask at once may pass the limit by a key each.
  [[nodiscard]] bool has_room(std::size_t size) const noexcept { return used() + size <= limit_; }
  void take(std::size_t size) noexcept { used_.fetch_add(size, std::memory_order_relaxed); }
  void give(std::size_t size) noexcept { used_.fetch_sub(size, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t limit() const noexcept { return limit_; }

 private:
  const std::uint64_t limit_;
  std::atomic<std::uint64_t> used_{0};
};

class list_registry {
 public:
  // Of one namespace; once they are reached, further lists are not kept in memory.
  static constexpr std::size_t max_lists = 2000;
  static constexpr std::size_t max_key_bytes = 4UL << 20;
  // What a key takes beside its bytes: a node, its place among the buckets, rounding.
  static constexpr std::size_t key_overhead = 96;
  // For one write or event; about 20 ms.
  static constexpr std::size_t steps_a_write = 200'000;

  explicit list_registry(list_key_budget& budget) noexcept : budget_(budget) {}

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
  // Forgets the keys of lists that are not in memory any more; returns how many keys were looked at.
  std::size_t forget_evicted(local_cache& local);

 private:
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  using keys = std::unordered_set<std::string, text_hash, std::equal_to<>>;

  [[nodiscard]] static std::size_t cost_of(std::string_view key) noexcept { return key.size() + key_overhead; }
  [[nodiscard]] bool has_room(local_cache& local, std::size_t cost);
  void walk(local_cache& local);
  // What a walk costs is borne by so many insertions, stored or refused: one for every few keys.
  static constexpr std::size_t keys_an_insertion = 16;
  keys::iterator forget(keys::iterator key);

  list_key_budget& budget_;
  mutable std::mutex mutex_;
  cluster_time newest_ = 0;
  keys keys_;
  std::size_t key_bytes_ = 0;
  std::size_t refusals_left_ = 0;  // before the next walk for want of room
};

// What the list was asked for, read back from its key (list_key.hpp). Empty where anything in it is not modelled: then
// any write may change it. Views into the key.
[[nodiscard]] std::optional<list_query> query_of(byte_view list_key) noexcept;

// May the writes change this list?
[[nodiscard]] bool may_change(const entry& list, const write_set& writes, step_budget& budget);

}  // namespace mongocached::cache
