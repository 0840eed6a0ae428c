#include "cache/local_cache.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <mutex>
#include <optional>

#include "cache/entry_index.hpp"
#include "cache/eviction/fifo_tinylfu.hpp"

namespace mongocached::cache {

namespace {

constexpr std::uint64_t bytes_a_shard = 4ULL << 20U;
constexpr std::uint64_t most_shards = 256;  // by default: beyond, more cores would not notice
constexpr std::uint64_t most_shards_asked = 1U << 16U;

// So many entries leave while one lock is held; they are freed after it.
constexpr std::size_t victims_a_lock = 32;

// Written under the shard's lock only, read by stats() without it.
class counter {
 public:
  void add(std::uint64_t amount) noexcept { set(get() + amount); }
  void subtract(std::uint64_t amount) noexcept { set(get() - amount); }
  void set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace

// Two lines, so that the neighbour's lock is not on the line that the hardware fetches along.
class alignas(128) local_cache::shard {
 public:
  // Unusable until then; shards live in an array.
  void open(std::uint64_t share, unsigned shard_bits) {
    share_ = share;
    inside_.emplace(share, shard_bits);
  }

  entry_ref find(byte_view key, std::uint64_t hash, instant now) noexcept {
    entry_ref dead;  // freed behind the lock
    const std::lock_guard hold(lock_);
    const entry* held = in().index.find(key, hash);
    if (held == nullptr) return {};
    if (now >= held->meta().expires) {
      dead = take(*held);
      expired_.add(1);
      return {};
    }
    in().policy.hit(held->hook());
    return entry_ref::share(*held);
  }

  entry_ref peek(byte_view key, std::uint64_t hash) noexcept {
    const std::lock_guard hold(lock_);
    const entry* held = in().index.find(key, hash);
    return held == nullptr ? entry_ref{} : entry_ref::share(*held);
  }

  bool insert(entry_ref fresh) noexcept {
    entry_ref outdated;
    {
      const std::lock_guard hold(lock_);
      const entry* held = in().index.find(fresh->key(), fresh->hash());
      if (held == fresh.get()) return true;
      if (held != nullptr) outdated = take(*held);
      if (fresh->footprint() > share_ / 2 || !in().index.insert(*fresh)) {
        refused_.add(1);
        return false;
      }
      const entry& added = *fresh.detach();
      in().policy.add(added.hook());
      entry_bytes_ += added.footprint();
      entries_.add(1);
      insertions_.add(1);
      publish();
      if (used_.get() <= share_) return true;
    }
    make_room();
    return true;
  }

  bool erase(byte_view key, std::uint64_t hash) noexcept {
    entry_ref dead;
    const std::lock_guard hold(lock_);
    const entry* held = in().index.find(key, hash);
    if (held == nullptr) return false;
    dead = take(*held);
    return true;
  }

  bool erase_exact(const entry& old) noexcept {
    entry_ref dead;
    const std::lock_guard hold(lock_);
    if (in().index.find(old.key(), old.hash()) != &old) return false;
    dead = take(old);
    return true;
  }

  std::uint64_t erase_if(const std::function<bool(const entry&)>& predicate) {
    std::uint64_t erased = 0;
    entry_index::part part;
    part.next = 0;
    do {
      std::array<entry_ref, entry_index::segment_room> dead;
      const std::lock_guard hold(lock_);
      in().index.read_part(part.next, part);
      std::size_t dying = 0;
      for (std::size_t at = 0; at < part.count; ++at) {
        if (predicate(*part.entries[at])) dead[dying++] = take(*part.entries[at]);
      }
      erased += dying;
      if (part.next == 0) {
        in().index.shrink_if_empty();
        publish();
      }
    } while (part.next != 0);
    return erased;
  }

  void add_to(local_cache_stats& sum) const noexcept {
    sum.entries += entries_.get();
    sum.bytes += used_.get();
    sum.insertions += insertions_.get();
    sum.evictions += evictions_.get();
    sum.expired += expired_.get();
    sum.refused += refused_.get();
  }

 private:
  struct inside {
    inside(std::uint64_t share, unsigned shard_bits) : index(shard_bits), policy(share) {}
    entry_index index;
    fifo_tinylfu policy;
  };

  // Open from the cache's constructor on. NOLINTNEXTLINE(bugprone-unchecked-optional-access)
  inside& in() noexcept { return *inside_; }

  // Takes the entry out of the index and the policy; the caller now holds what may be the last reference.
  [[nodiscard]] entry_ref take(const entry& held) noexcept {
    in().policy.remove(held.hook());
    return take_from_index(held);
  }

  [[nodiscard]] entry_ref take_from_index(const entry& held) noexcept {
    in().index.remove(held);
    entry_bytes_ -= held.footprint();
    entries_.subtract(1);
    publish();
    return entry_ref::adopt(&held);
  }

  void make_room() noexcept {
    for (bool more = true; more;) {
      std::array<entry_ref, victims_a_lock> dead;
      const std::lock_guard hold(lock_);
      for (std::size_t at = 0; at < dead.size() && more; ++at) {
        more = used_.get() > share_;
        if (!more) break;
        const eviction_hook* victim = in().policy.victim();
        more = victim != nullptr;
        if (!more) break;
        dead[at] = take_from_index(entry::of(*victim));
        evictions_.add(1);
      }
    }
  }

  void publish() noexcept { used_.set(entry_bytes_ + in().index.bytes() + in().policy.overhead() + sizeof(shard)); }

  std::mutex lock_;
  std::uint64_t share_ = 0;
  std::uint64_t entry_bytes_ = 0;
  std::optional<inside> inside_;
  counter used_;
  counter entries_;
  counter insertions_;
  counter evictions_;
  counter expired_;
  counter refused_;
};

local_cache::local_cache(const local_cache_options& options) : limit_bytes_(options.budget_bytes) {
  if (limit_bytes_ == 0) return;
  // An entry is refused above half a shard; with its key and the shard's index it is not much larger than its value.
  const auto share = std::max(bytes_a_shard, options.largest / 2 * 5);
  const std::uint64_t asked = options.shards != 0
                                  ? std::bit_ceil(std::min<std::uint64_t>(options.shards, most_shards_asked))
                                  : std::bit_floor(std::clamp<std::uint64_t>(limit_bytes_ / share, 1, most_shards));
  shard_count_ = static_cast<std::uint32_t>(asked);
  shard_bits_ = static_cast<unsigned>(std::countr_zero(shard_count_));
  shards_ = std::make_unique<shard[]>(shard_count_);
  for (std::uint32_t at = 0; at < shard_count_; ++at) shards_[at].open(limit_bytes_ / shard_count_, shard_bits_);
}

local_cache::~local_cache() {
  clear();
}

local_cache::shard* local_cache::shard_of(std::uint64_t hash) const noexcept {
  if (shard_count_ == 0) return nullptr;
  return &shards_[hash >> 1U >> (63 - shard_bits_)];  // in two steps: a shift by 64 is undefined
}

entry_ref local_cache::peek(byte_view key, std::uint64_t hash) noexcept {
  shard* const home = shard_of(hash);
  return home == nullptr ? entry_ref{} : home->peek(key, hash);
}

entry_ref local_cache::find(byte_view key, std::uint64_t hash, instant now) noexcept {
  shard* const home = shard_of(hash);
  return home == nullptr ? entry_ref{} : home->find(key, hash, now);
}

bool local_cache::insert(entry_ref fresh) noexcept {
  if (!fresh) return false;
  shard* const home = shard_of(fresh->hash());
  return home != nullptr && home->insert(std::move(fresh));
}

bool local_cache::erase(byte_view key, std::uint64_t hash) noexcept {
  shard* const home = shard_of(hash);
  return home != nullptr && home->erase(key, hash);
}

bool local_cache::erase_exact(const entry& old) noexcept {
  shard* const home = shard_of(old.hash());
  return home != nullptr && home->erase_exact(old);
}

std::uint64_t local_cache::erase_if(const std::function<bool(const entry&)>& predicate) {
  std::uint64_t erased = 0;
  for (std::uint32_t at = 0; at < shard_count_; ++at) erased += shards_[at].erase_if(predicate);
  return erased;
}

std::uint64_t local_cache::clear() {
  return erase_if([](const entry&) { return true; });
}

local_cache_stats local_cache::stats() const noexcept {
  local_cache_stats sum;
  sum.limit_bytes = limit_bytes_;
  for (std::uint32_t at = 0; at < shard_count_; ++at) shards_[at].add_to(sum);
  return sum;
}

}  // namespace mongocached::cache
