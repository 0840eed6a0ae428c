#include "bench/eviction/real_cache.hpp"

#include <stdexcept>

#include "bench/eviction/replay.hpp"
#include "bench/scale/document_key.hpp"
#include "cache/local_cache.hpp"

namespace mongocached::bench {

namespace {

using cache::instant;

constexpr std::uint32_t malloc_step = 16;
constexpr std::uint32_t malloc_header = 8;

std::uint32_t bytes_beside_value() {
  static const auto found = static_cast<std::uint32_t>(sizeof(cache::entry) + document_key().size() + malloc_header);
  return found;
}

cache::entry_ref make(const cache::key_view& key, std::uint32_t size, cache::byte_view values) {
  cache::entry_meta meta;
  meta.expires = instant::max();
  auto made = cache::entry::make(key.bytes, key.hash, meta, values.first(size - bytes_beside_value()));
  // Now and then malloc hands out one step more, where what would be left over is too small to be kept.
  if (made->footprint() < size || made->footprint() > size + malloc_step) {
    throw std::runtime_error("the allocator rounds in another way than was assumed");
  }
  return made;
}

}  // namespace

std::uint32_t charged_size(std::uint32_t wanted) {
  const std::uint32_t least = std::max(wanted, bytes_beside_value());
  return (least + malloc_step - 1) / malloc_step * malloc_step;
}

double real_hit_ratio(const trace& asked, const std::vector<std::uint32_t>& sizes, std::uint64_t limit) {
  const cache::byte_buffer values(*std::max_element(sizes.begin(), sizes.end()));
  cache::local_cache held({.budget_bytes = limit});
  document_key keys;
  std::size_t hits = 0;
  for (const std::uint32_t object : asked.requests) {
    const cache::key_view key = keys.of(object);
    if (held.find(key.bytes, key.hash, instant{0})) {
      ++hits;
    } else {
      held.insert(make(key, sizes[object], values));
    }
  }
  return share_of(hits, asked);
}

}  // namespace mongocached::bench
