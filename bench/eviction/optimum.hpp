// What no policy can beat: the best hit ratio with all requests known in advance.
#pragma once

#include <vector>

#include "bench/eviction/traces.hpp"

namespace mongocached::bench {

// For objects of one size: exact. Drops what is asked for furthest in the future, the newcomer included (Belady's MIN
// with bypass). `room`: objects held.
[[nodiscard]] double belady(const trace& asked, std::uint64_t room);

// For objects of several sizes, where the optimum itself is not to be computed: a bound that lies at or above it
// (PFOO-L: Berger, Beckmann, Harchol-Balter 2018). A hit needs its object's bytes from one request to the next; the
// cheapest hits are granted until all bytes at all times are spent, whether or not they could be so at each moment.
[[nodiscard]] double optimum_bound(const trace& asked, const std::vector<std::uint32_t>& sizes, std::uint64_t limit);

}  // namespace mongocached::bench
