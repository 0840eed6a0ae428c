// The in-process cache (L1): entries by key under one byte budget, shared by all data threads.
//
// Sharded by key hash, one short lock a shard; nothing is allocated or freed under a lock on the hit path, and no call
// holds a lock for longer than a bounded number of steps. Eviction resists scans (fifo_tinylfu; compared in
// bench/README-eviction.md). The budget counts keys, headers, allocator rounding, the index and the policy's counters;
// that the process stays near it also takes heap.hpp. Expiry: an entry past its `expires` is never returned. All
// functions may be called from any thread. An entry is held by at most one local_cache.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "cache/entry.hpp"

namespace mongocached::cache {

struct local_cache_options {
  std::uint64_t budget_bytes = 256ULL << 20;  // 0: holds nothing
  std::uint32_t shards = 0;   // rounded up to a power of two; 0: chosen by budget, one for every 4 MiB, at most 256,
  std::uint64_t largest = 0;  // and fewer where an entry with a value of this size would not fit into half of one
};

struct local_cache_stats {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::uint64_t limit_bytes = 0;
  std::uint64_t insertions = 0;
  std::uint64_t evictions = 0;  // for want of room
  std::uint64_t expired = 0;    // found past their time
  std::uint64_t refused = 0;    // larger than half a shard's share, or no memory for the index
};

class local_cache {
 public:
  explicit local_cache(const local_cache_options& options);
  ~local_cache();
  local_cache(const local_cache&) = delete;
  local_cache& operator=(const local_cache&) = delete;

  // The live entry of that key, or none. `hash` is hash_key(key).
  [[nodiscard]] entry_ref find(byte_view key, std::uint64_t hash, instant now) noexcept;
  // The same without counting as use, and whatever its time.
  [[nodiscard]] entry_ref peek(byte_view key, std::uint64_t hash) noexcept;
  // Puts the entry in, replacing one of the same key. False if it is too large to be held; one of the same key is
  // dropped all the same, for it is outdated. May evict others. Under pressure an entry asked for less often than those
  // held may leave at once.
  bool insert(entry_ref fresh) noexcept;
  // Drops the entry of that key; true if there was one.
  bool erase(byte_view key, std::uint64_t hash) noexcept;
  // Drops exactly this entry, if it is still the one held under its key.
  bool erase_exact(const entry& old) noexcept;
  // Drops every entry that satisfies the predicate and was there when the call began; returns how many. Walks
  // everything, a few hundred entries under a lock at a time. The predicate runs under that lock: it must be short and
  // not call the cache.
  std::uint64_t erase_if(const std::function<bool(const entry&)>& predicate);
  std::uint64_t clear();

  [[nodiscard]] local_cache_stats stats() const noexcept;

 private:
  class shard;
  [[nodiscard]] shard* shard_of(std::uint64_t hash) const noexcept;  // null: holds nothing

  std::unique_ptr<shard[]> shards_;
  std::uint32_t shard_count_ = 0;
  unsigned shard_bits_ = 0;
  std::uint64_t limit_bytes_ = 0;
};

}  // namespace mongocached::cache
