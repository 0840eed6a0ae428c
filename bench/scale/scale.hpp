// How the in-process cache behaves as it grows: memory, look-ups, insertions. Each function measures one thing and
// prints one JSON object. A process measures one thing only: the heap keeps what an earlier one left.
#pragma once

#include <cstdint>
#include <string>

namespace mongocached::bench {

struct scale_options {
  std::uint64_t entries = 1'000'000;
  std::uint32_t value_bytes = 560;
  std::uint32_t then_bytes = 0;        // budget: of the values that come after the first ones; 0: the same again
  std::uint64_t budget = 1ULL << 30U;  // budget: of the cache
  std::uint64_t lookups = 2'000'000;   // lookups: how many are timed
  bool zipf = false;                   // lookups: keys by Zipf 0.99 instead of evenly
};

// That many entries in a cache with room for all: bytes of an entry besides key and value, as counted and as resident.
void measure_memory(const scale_options& options);

// Five budgets' worth of distinct entries through a cache, then five of another size: does resident memory stay within
// the budget?
void measure_budget(const scale_options& options);

// Time of a hit among that many entries, and of one dependent read from a block of the same size and number (the least
// that any structure of this footprint pays).
void measure_lookups(const scale_options& options);

// Time of single insertions while the cache grows to that many entries, and into one that is full.
void measure_insertions(const scale_options& options);

}  // namespace mongocached::bench
