// Time in the cache: always passed in, never asked for. Durations are measured on CLOCK_BOOTTIME by whoever passes them
// in, so that a suspended machine does not serve old entries (coherence: "wall clocks order nothing").
#pragma once

#include <chrono>
#include <cstdint>

namespace mongocached::cache {

// Since boot. A plain type of our own rather than a std clock: nobody can ask it for now().
using instant = std::chrono::nanoseconds;
using duration = std::chrono::nanoseconds;

// A MongoDB timestamp as it stands in BSON: seconds in the upper half, increment in the lower. 0: none.
using cluster_time = std::uint64_t;

}  // namespace mongocached::cache
