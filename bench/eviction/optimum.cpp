#include "bench/eviction/optimum.hpp"

#include <limits>
#include <queue>
#include <utility>

#include "bench/eviction/replay.hpp"

namespace mongocached::bench {

namespace {

constexpr auto never = std::numeric_limits<std::size_t>::max();

// For each request, when its object is asked for next.
std::vector<std::size_t> next_uses(const trace& asked) {
  std::vector<std::size_t> next(asked.requests.size());
  std::vector<std::size_t> seen(asked.objects, never);
  for (std::size_t at = asked.requests.size(); at-- > 0;) next[at] = std::exchange(seen[asked.requests[at]], at);
  return next;
}

}  // namespace

double belady(const trace& asked, std::uint64_t room) {
  const auto next = next_uses(asked);
  std::vector<bool> holds(asked.objects);
  // By next use, the furthest on top. What was asked for meanwhile lies below all that is still to come.
  std::priority_queue<std::pair<std::size_t, std::uint32_t>> furthest;
  std::size_t held = 0;
  std::size_t hits = 0;
  for (std::size_t at = 0; at < asked.requests.size(); ++at) {
    const std::uint32_t object = asked.requests[at];
    if (holds[object]) {
      ++hits;
    } else {
      holds[object] = true;
      ++held;
    }
    furthest.emplace(next[at], object);
    if (held <= room) continue;
    holds[furthest.top().second] = false;
    furthest.pop();
    --held;
  }
  return share_of(hits, asked);
}

double optimum_bound(const trace& asked, const std::vector<std::uint32_t>& sizes, std::uint64_t limit) {
  const auto next = next_uses(asked);
  std::vector<std::uint64_t> costs;  // of a hit: bytes times requests
  for (std::size_t at = 0; at < next.size(); ++at) {
    if (next[at] != never && sizes[asked.requests[at]] <= limit) {
      costs.push_back((next[at] - at) * sizes[asked.requests[at]]);
    }
  }
  std::sort(costs.begin(), costs.end());
  std::uint64_t left = limit * asked.requests.size();
  std::size_t hits = 0;
  while (hits < costs.size() && costs[hits] <= left) left -= costs[hits++];
  return share_of(hits, asked);
}

}  // namespace mongocached::bench
