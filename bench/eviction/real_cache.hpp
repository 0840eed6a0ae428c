// The same traces played to the cache that the daemon runs: local_cache, through its own interface, with entries of
// real bytes. Nothing is modelled: shards, index, counters and the allocator's rounding come off the budget.
#pragma once

#include <vector>

#include "bench/eviction/traces.hpp"

namespace mongocached::bench {

// The nearest size at or above `wanted` that an entry can be charged with.
[[nodiscard]] std::uint32_t charged_size(std::uint32_t wanted);

// `sizes` by object, each one that charged_size() returns. Throws where the allocator charges other than that.
[[nodiscard]] double real_hit_ratio(const trace& asked, const std::vector<std::uint32_t>& sizes, std::uint64_t limit);

}  // namespace mongocached::bench
