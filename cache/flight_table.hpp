// Flights, pending writes and fences: the objects that close the race between a slow read and a fast write (coherence
// R4-R6, W1).
//
// A *flight* is a read in progress that will fill an entry; others of the same key join it. A write marks its keys
// *pending*, which dirties their flights, drops their entries and refuses new flights, until it is unmarked behind its
// invalidation. Storing checks all of this and inserts under one lock of the key's shard, the same lock that marking
// takes: an entry is never stored from a read that a write has overtaken. Any thread; locks are short and never held
// while a waiter is called.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "cache/local_cache.hpp"
#include "cache/namespace_state.hpp"

namespace mongocached::cache {

class flight {
 public:
  // Told on the leader's thread, exactly once: the entry that the flight brought (stored or not), or none if it brought
  // nothing.
  using waiter = std::function<void(entry_ref)>;

  // It is not waited for longer: it may never end.
  static constexpr duration longest = std::chrono::seconds(15);

  flight(namespace_state& ns, key_kind kind, key_view key, entry_level level, std::uint64_t generation, instant begun)
      : ns_(ns), kind_(kind), key_(key), level_(level), generation_(generation), outlived_(begun + longest) {}

  [[nodiscard]] namespace_state& ns() const noexcept { return ns_; }
  [[nodiscard]] key_kind kind() const noexcept { return kind_; }
  [[nodiscard]] key_view key() const noexcept { return key_.view(); }
  [[nodiscard]] entry_level level() const noexcept { return level_; }
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }
  // From then on somebody else reads in its place, and what it brings is not stored.
  [[nodiscard]] instant outlived() const noexcept { return outlived_; }
  // Its reader went away before there was an answer: somebody else may read in its place.
  [[nodiscard]] bool lost() const noexcept { return lost_.load(std::memory_order_acquire); }

 private:
  friend class flight_table;
  namespace_state& ns_;
  const key_kind kind_;
  const kept_key key_;
  const entry_level level_;
  const std::uint64_t generation_;
  const instant outlived_;
  std::atomic<bool> lost_{false};
  // Guarded by the shard's lock.
  cluster_time lower_ = 0;
  bool dirty_ = false;
  bool done_ = false;
  std::vector<waiter> waiters_;
};

using flight_ref = std::shared_ptr<flight>;

// Fences F(key), by key hash: a collision only raises a fence, which costs a refused entry and never a wrong one.
class fence_table {
 public:
  static constexpr std::size_t slots = is_simulation ? 64 : 1U << 14;
  [[nodiscard]] cluster_time of(std::uint64_t hash) const noexcept { return fences_[hash % slots].load(); }
  void raise(std::uint64_t hash, cluster_time to) noexcept { cache::raise(fences_[hash % slots], to); }
  void clear() noexcept {
    for (std::size_t i = 0; i < slots; ++i) fences_[i].store(0);
  }

 private:
  std::unique_ptr<std::atomic<cluster_time>[]> fences_ = std::make_unique<std::atomic<cluster_time>[]>(slots);
};

class flight_table {
 public:
  // `everywhere`: writes that may reach any namespace. `hold`: the length of every hold.
  flight_table(local_cache& local, const gate& stream, const write_scope& everywhere, duration hold)
      : local_(local), stream_(stream), everywhere_(everywhere), hold_(hold) {}

  // Who waits for one flight, those who gave up included. A flight that lasts gathers no more.
  static constexpr std::size_t max_waiters = 20'000;

  enum class begun : std::uint8_t {
    lead,     // a new flight is registered: finish() or abandon() it
    join,     // another one is under way: what `join` gave will be told
    blocked,  // R1: a write is pending, or its outcome unknown
  };
  struct begin_result {
    begun how = begun::blocked;
    flight_ref led;
    flight_ref joined;
  };
  // What a read needs (its client's afterClusterTime, the key's fence), and the L that it would be sent with.
  // `anew`: nothing that was read before will do; no flight is joined, and one that is under way is overtaken: it will
  // not be stored.
  struct bounds {
    cluster_time needed = 0;
    cluster_time lower = 0;
    bool anew = false;
  };
  // R4, R5. `join` is called, at once and under the lock, only if the result is `join`: for who is to be told. A flight
  // is joined only by who needs no more than its L. `may_join` false (no proof of access, I2): lead or blocked, never
  // joined; where another flight leads, the caller gets an unregistered one (lead with `led` null) and stores nothing.
  // So does who comes when `max_waiters` wait already.
  [[nodiscard]] begin_result begin(namespace_state& ns, key_kind kind, key_view key, entry_level level, bounds times,
                                   bool may_join, instant now, const std::function<flight::waiter()>& join);
  // The L that the entry will have: that of the read finally sent, or of what another process had read.
  void set_lower(flight& f, cluster_time lower);

  // R6. Stores `fresh` unless the flight is dirty, a write is pending, the generation changed or, of a list, its
  // namespace was written since its L. True if the flight was
  // clean (then Redis may be filled too, under its own checks). Waiters get `fresh` either way: they asked before the
  // write was acknowledged. `keep` false leaves it out of this process' memory.
  bool finish(flight& f, entry_ref fresh, bool keep = true);
  // The read brought nothing that may be stored or shared; `lost`: see flight::lost().
  void abandon(flight& f, bool lost = false) {
    if (lost) f.lost_.store(true, std::memory_order_release);
    settle(f, entry_ref{}, false);
  }
  // Still clean now? (A check before something costly; finish() asks again.)
  [[nodiscard]] bool clean(flight& f) const;

  // R1: would a read of this key be refused now? Asked without registering one.
  [[nodiscard]] bool is_barred(const namespace_state& ns, key_kind kind, key_view key, instant now) const;

  // W1 for one document key.
  void mark(key_view key);
  void invalidate(key_view key, cluster_time fence);
  void unmark(key_view key, instant held_until = {});
  // C1: the stream tells of a write at `at`. An entry or flight whose L reaches it contains it, and stays.
  void changed(key_view key, cluster_time at);

  [[nodiscard]] cluster_time fence(std::uint64_t hash) const noexcept { return fences_.of(hash); }
  // S1: no flight under way is stored.
  void dirty_all();
  // Times are void (another upstream).
  void forget_times() noexcept { fences_.clear(); }
  // Drops holds that ran out; call about once a second.
  void sweep(instant now);
  [[nodiscard]] std::size_t size() const;

 private:
  struct slot {
    std::uint32_t pending = 0;
    instant held_until{};
    flight_ref active;
    [[nodiscard]] bool idle() const noexcept { return pending == 0 && held_until == instant{} && !active; }
  };
  // By what a key_view holds, so that looking one up neither copies nor hashes it.
  struct key_hash {
    using is_transparent = void;
    std::size_t operator()(key_view key) const noexcept { return key.hash; }
    std::size_t operator()(const kept_key& key) const noexcept { return key.view().hash; }
  };
  struct key_equal {
    using is_transparent = void;
    bool operator()(key_view a, key_view b) const noexcept { return protocol::equal(a.bytes, b.bytes); }
    bool operator()(const kept_key& a, const kept_key& b) const noexcept { return (*this)(a.view(), b.view()); }
    bool operator()(key_view a, const kept_key& b) const noexcept { return (*this)(a, b.view()); }
    bool operator()(const kept_key& a, key_view b) const noexcept { return (*this)(a.view(), b); }
  };
  struct alignas(64) shard {
    mutable std::mutex mutex;
    std::unordered_map<kept_key, slot, key_hash, key_equal, protocol::pooled_allocator<std::pair<const kept_key, slot>>>
        slots;
    [[nodiscard]] slot& at(key_view key);
  };
  static constexpr std::size_t shard_count = is_simulation ? 2 : 64;
  [[nodiscard]] shard& shard_of(std::uint64_t hash) const noexcept { return shards_[(hash >> 20) % shard_count]; }
  bool settle(flight& f, entry_ref fresh, bool store);
  [[nodiscard]] bool is_clean(const flight& f, const slot* at) const;
  [[nodiscard]] bool is_blocked(const namespace_state& ns, key_kind kind, instant now) const noexcept;
  [[nodiscard]] bool keep(const flight& f, const entry_ref& fresh, bool store);
  static void dirty(slot& at);
  void drop(slot& at, key_view key);

  local_cache& local_;
  const gate& stream_;
  const write_scope& everywhere_;
  const duration hold_;
  fence_table fences_;
  std::unique_ptr<shard[]> shards_ = std::make_unique<shard[]>(shard_count);
};

}  // namespace mongocached::cache
