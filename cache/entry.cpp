#include "cache/entry.hpp"

#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <limits>
#include <new>
#include <random>
#include <type_traits>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "cache/guard.hpp"

namespace mongocached::cache {

namespace {

// glibc's own word in front of what malloc returns.
constexpr std::size_t chunk_header = sizeof(std::size_t);

std::uint64_t draw_seed() {
  std::random_device source;
  return std::uint64_t{source()} << 32U | source();
}

}  // namespace

entry::entry(byte_view key, std::uint64_t hash, const entry_meta& meta, byte_view value) noexcept
    : meta_(meta),
      key_size_(static_cast<std::uint32_t>(key.size())),
      value_size_(static_cast<std::uint32_t>(value.size())) {
  hook_.hash = hash;
  auto* to = reinterpret_cast<std::uint8_t*>(this + 1);
  if (!key.empty()) std::memcpy(to, key.data(), key.size());
  if (!value.empty()) std::memcpy(to + key.size(), value.data(), value.size());
}

entry_ref entry::make(byte_view key, std::uint64_t hash, const entry_meta& meta, byte_view value) {
  constexpr std::size_t most = std::numeric_limits<std::uint32_t>::max() / 4;  // so that footprint fits 32 bits
  if (key.size() > most || value.size() > most) throw std::bad_alloc();
  void* memory = std::malloc(sizeof(entry) + key.size() + value.size());
  if (memory == nullptr) throw std::bad_alloc();
  auto* made = new (memory) entry(key, hash, meta, value);
  made->hook_.bytes = static_cast<std::uint32_t>(malloc_usable_size(memory) + chunk_header);
  return entry_ref::adopt(made);
}

const entry& entry::of(const eviction_hook& hook) noexcept {
  static_assert(std::is_standard_layout_v<entry>, "or offsetof means nothing");
  return *reinterpret_cast<const entry*>(reinterpret_cast<const std::uint8_t*>(&hook) - offsetof(entry, hook_));
}

void entry::destroy() const noexcept {
  auto* self = const_cast<entry*>(this);
  self->~entry();
  std::free(self);
}

std::uint64_t hash_key(byte_view key) noexcept {
  static const std::uint64_t seed = is_simulation ? 1 : draw_seed();
  return XXH3_64bits_withSeed(key.data(), key.size(), seed);
}

}  // namespace mongocached::cache
