// Plays a trace to a policy: the share of requests that it answers from the cache under one byte budget.
#pragma once

#include <vector>

#include "bench/eviction/traces.hpp"
#include "cache/eviction/hook.hpp"

namespace mongocached::bench {

// As hash_key: every bit depends on every bit.
inline std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31U);
}

inline double share_of(std::size_t hits, const trace& asked) {
  return static_cast<double>(hits) / static_cast<double>(asked.requests.size());
}

// `sizes` by object. What the policy itself takes comes off the budget; an index of what is held does not.
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
  return share_of(hits, asked);
}

}  // namespace mongocached::bench
