// What the cache holds: one immutable, reference-counted record a key.
//
// An entry is a single allocation (header, key bytes, value bytes), so that its cost is one number and a hit touches
// one place. Readers on any thread keep it alive by `entry_ref`; nobody changes it after it was made, but for the
// bookkeeping of the one local_cache that may hold it, done under that cache's lock.
//
//   | meta, `expires` last | eviction hook | references | key size | value size | key | value |
//                ^ from here on lies what a hit reads
#pragma once

#include <atomic>
#include <limits>
#include <utility>

#include "cache/eviction/hook.hpp"
#include "cache/time.hpp"
#include "protocol/bytes.hpp"

namespace mongocached::cache {

using protocol::byte_buffer;
using protocol::byte_view;

enum class entry_kind : std::uint8_t {
  document = 0,   // value: the whole BSON document
  absent = 1,     // no document has this _id; value is empty
  list = 2,       // value: the BSON array `firstBatch` of a query's only batch
  too_large = 3,  // the document is known to exceed max_entry: forward without trying again; value is empty
};

// The read concern that the fill was made with. `by_default`: that of the cluster's default, of which nobody told which
// one it is.
enum class entry_level : std::uint8_t { local = 0, majority = 1, by_default = 2 };

// Whether what was read with `has` is what a read with `wanted` may get: a local reader takes all of them.
[[nodiscard]] constexpr bool suffices(entry_level has, entry_level wanted) noexcept {
  return wanted == entry_level::local || has == entry_level::majority || has == wanted;
}

struct entry_meta {
  entry_kind kind = entry_kind::document;
  entry_level level = entry_level::local;
  // Order of the reply's fields behind `cursor`, as protocol::reply_view::tail.
  char tail[4] = {};
  bool covered = false;          // filled while the process's change stream was unbroken and its gate open
  std::uint32_t age_ms = 0;      // how long before `filled` the original read was sent, where that is known
  std::uint32_t read = 0;        // which read of this process brought it, with others perhaps; 0: none of its own
  std::uint64_t generation = 0;  // of the namespace (documents' or lists') when the read began
  cluster_time lower = 0;        // L of coherence.md
  cluster_time upper = 0;        // U of coherence.md
  instant filled{};              // when the original read was sent; of one from another process, when it was taken
  instant expires{};             // runs from the moment the original read was sent
};

// What another process read without saying when is this old.
inline constexpr std::uint32_t unknown_age_ms = std::numeric_limits<std::uint32_t>::max();

// Since the original read was sent.
[[nodiscard]] inline duration age_of(const entry_meta& meta, instant now) noexcept {
  if (meta.age_ms == unknown_age_ms) return duration::max();
  return now - meta.filled + std::chrono::milliseconds(meta.age_ms);
}

class entry_ref;

class entry {
 public:
  entry(const entry&) = delete;
  entry& operator=(const entry&) = delete;

  // Throws std::bad_alloc. `hash` is hash_key(key).
  [[nodiscard]] static entry_ref make(byte_view key, std::uint64_t hash, const entry_meta& meta, byte_view value);

  // Views of the entry's own bytes: good as long as an entry_ref to it is held.
  [[nodiscard]] byte_view key() const noexcept { return {bytes(), key_size_}; }
  [[nodiscard]] byte_view value() const noexcept { return {bytes() + key_size_, value_size_}; }
  [[nodiscard]] std::uint64_t hash() const noexcept { return hook_.hash; }
  [[nodiscard]] const entry_meta& meta() const noexcept { return meta_; }
  // Bytes that this entry takes from the allocator, its rounding included.
  [[nodiscard]] std::size_t footprint() const noexcept { return hook_.bytes; }

  // For the local_cache that holds the entry, under the lock of its shard; nobody else looks.
  [[nodiscard]] eviction_hook& hook() const noexcept { return hook_; }
  [[nodiscard]] static const entry& of(const eviction_hook& hook) noexcept;

 private:
  friend class entry_ref;
  entry(byte_view key, std::uint64_t hash, const entry_meta& meta, byte_view value) noexcept;
  ~entry() = default;
  const std::uint8_t* bytes() const noexcept { return reinterpret_cast<const std::uint8_t*>(this + 1); }
  void retain() const noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() const noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
  }
  void destroy() const noexcept;

  entry_meta meta_;
  mutable eviction_hook hook_;
  mutable std::atomic<std::uint32_t> references_{1};
  std::uint32_t key_size_;
  std::uint32_t value_size_;
};

class entry_ref {
 public:
  entry_ref() noexcept = default;
  entry_ref(const entry_ref& other) noexcept : entry_(other.entry_) {
    if (entry_ != nullptr) entry_->retain();
  }
  entry_ref(entry_ref&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
  entry_ref& operator=(entry_ref other) noexcept {
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~entry_ref() {
    if (entry_ != nullptr) entry_->release();
  }

  explicit operator bool() const noexcept { return entry_ != nullptr; }
  const entry* operator->() const noexcept { return entry_; }
  const entry& operator*() const noexcept { return *entry_; }
  [[nodiscard]] const entry* get() const noexcept { return entry_; }

  // For containers that hold the reference as a plain pointer: whoever detaches has to adopt again.
  [[nodiscard]] const entry* detach() noexcept { return std::exchange(entry_, nullptr); }
  [[nodiscard]] static entry_ref adopt(const entry* held) noexcept { return entry_ref(held); }
  [[nodiscard]] static entry_ref share(const entry& held) noexcept {
    held.retain();
    return entry_ref(&held);
  }

 private:
  explicit entry_ref(const entry* adopted) noexcept : entry_(adopted) {}
  const entry* entry_ = nullptr;
};

// Keyed by a random seed of the process, so that clients cannot choose keys that collide.
[[nodiscard]] std::uint64_t hash_key(byte_view key) noexcept;

}  // namespace mongocached::cache
