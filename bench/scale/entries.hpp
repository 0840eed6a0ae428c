// What the measurements of scale put into the cache.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <stdexcept>

#include "bench/scale/document_key.hpp"
#include "cache/local_cache.hpp"

namespace mongocached::bench {

class entry_maker {
 public:
  explicit entry_maker(std::uint32_t most_value_bytes) : values_(most_value_bytes) {}

  [[nodiscard]] cache::entry_ref make(std::uint64_t number, std::uint32_t value_bytes) {
    cache::entry_meta meta;
    meta.expires = cache::instant::max();
    const cache::key_view key = keys_.of(number);
    return cache::entry::make(key.bytes, key.hash, meta, cache::byte_view(values_).first(value_bytes));
  }
  [[nodiscard]] document_key& keys() noexcept { return keys_; }

 private:
  document_key keys_;
  cache::byte_buffer values_;  // zeros: a value's first byte is known
};

// A budget that so many entries fit into with certainty.
inline std::uint64_t roomy(std::uint64_t entries, std::uint32_t value_bytes) {
  return (64ULL << 20U) + entries * (value_bytes + value_bytes / 8 + 400);
}

inline std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  if (!(statm >> all >> resident)) throw std::runtime_error("/proc/self/statm cannot be read");
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace mongocached::bench
