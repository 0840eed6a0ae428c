// Which eviction policy keeps the most useful objects? Hit ratios of the candidates on synthetic traces under one byte
// budget, as a Markdown table. README-eviction.md holds the last result and says how to make it again.
#include <cstdio>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "bench/eviction/lru.hpp"
#include "bench/eviction/s3_fifo.hpp"
#include "bench/eviction/traces.hpp"
#include "bench/eviction/w_tinylfu.hpp"
#include "cache/eviction/fifo_tinylfu.hpp"

namespace mongocached::bench {
namespace {

constexpr std::uint32_t objects = 200'000;
constexpr std::size_t requests = 4'000'000;
constexpr std::uint32_t uniform_bytes = 1024;

// As hash_key: every bit depends on every bit.
std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31U);
}

// The share of requests answered from the cache. What the policy itself takes comes off the budget.
template <class Policy>
double hit_ratio(const trace& asked, const std::vector<std::uint32_t>& sizes, std::uint64_t limit) {
  Policy policy(limit);
  std::vector<cache::eviction_hook> hooks(asked.objects);
  for (std::uint32_t at = 0; at < asked.objects; ++at) {
    hooks[at].hash = mix(at);
    hooks[at].bytes = sizes[at];
  }
  std::uint64_t held = 0;
  std::size_t hits = 0;
  for (const std::uint32_t object : asked.requests) {
    cache::eviction_hook& hook = hooks[object];
    if (hook.queue != 0) {
      ++hits;
      policy.hit(hook);
      continue;
    }
    policy.add(hook);
    held += hook.bytes;
    while (held + policy.overhead() > limit) {
      const cache::eviction_hook* out = policy.victim();
      if (out == nullptr) break;
      held -= out->bytes;
    }
  }
  return static_cast<double>(hits) / static_cast<double>(asked.requests.size());
}

// Offline optimum for equal sizes: drops what is asked for furthest in the future, the newcomer included.
double belady(const trace& asked, std::uint64_t room) {
  constexpr auto never = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> next(asked.requests.size());
  std::vector<std::size_t> seen(asked.objects, never);
  for (std::size_t at = asked.requests.size(); at-- > 0;) next[at] = std::exchange(seen[asked.requests[at]], at);
  std::set<std::pair<std::size_t, std::uint32_t>> held;
  std::size_t hits = 0;
  for (std::size_t at = 0; at < asked.requests.size(); ++at) {
    hits += held.erase({at, asked.requests[at]});
    held.emplace(next[at], asked.requests[at]);
    if (held.size() > room) held.erase(std::prev(held.end()));
  }
  return static_cast<double>(hits) / static_cast<double>(asked.requests.size());
}

void row(const trace& asked, const char* shape, const std::vector<std::uint32_t>& sizes, std::uint64_t limit,
         bool uniform) {
  std::printf("| %s | %s | %.2f | %.2f | %.2f | %.2f | ", asked.name.c_str(), shape,
              100 * hit_ratio<lru>(asked, sizes, limit), 100 * hit_ratio<s3_fifo>(asked, sizes, limit),
              100 * hit_ratio<w_tinylfu>(asked, sizes, limit),
              100 * hit_ratio<cache::fifo_tinylfu>(asked, sizes, limit));
  if (uniform)
    std::printf("%.2f |\n", 100 * belady(asked, limit / uniform_bytes));
  else
    std::printf("- |\n");
  std::fflush(stdout);
}

void compare(unsigned percent) {
  std::printf("\nCache: %u %% of the bytes of %u objects, %zu requests. Hit ratios in %%.\n\n", percent, objects,
              requests);
  std::printf(
      "| trace | sizes | LRU | S3-FIFO | W-TinyLFU | fifo_tinylfu | optimum |\n|---|---|---|---|---|---|---|\n");
  const std::uint32_t held = objects / 100 * percent;
  const trace traces[] = {zipf_trace(0.7, objects, requests),     zipf_trace(0.9, objects, requests),
                          zipf_trace(1.1, objects, requests),     scan_trace(objects, requests, held),
                          loop_trace(held + held / 10, requests), shift_trace(objects, requests),
                          drift_trace(objects, requests)};
  for (const trace& asked : traces) {
    row(asked, "equal", std::vector<std::uint32_t>(asked.objects, uniform_bytes), std::uint64_t{held} * uniform_bytes,
        true);
    const auto sizes = mixed_sizes(asked.objects);
    std::uint64_t total = 0;
    for (const std::uint32_t size : sizes) total += size;
    row(asked, "mixed", sizes, total / asked.objects * held, false);
  }
}

}  // namespace
}  // namespace mongocached::bench

int main() {
  mongocached::bench::compare(1);
  mongocached::bench::compare(10);
}
