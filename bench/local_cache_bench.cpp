// What the in-process cache costs a request: find (hit, miss) and insert, alone and with two threads at the same keys.
//
// 200 000 entries of 500 bytes do not fit the processor's caches, so that the figures hold the cache misses that a real
// hit has.
#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <vector>

#include "cache/heap.hpp"
#include "cache/local_cache.hpp"

namespace mongocached::bench {
namespace {

using cache::byte_view;
using cache::instant;

constexpr std::size_t keys = 200'000;
constexpr std::size_t value_bytes = 500;
constexpr std::uint64_t roomy = 512ULL << 20U;
constexpr std::uint64_t tight = 32ULL << 20U;  // a quarter fits

struct workload {
  explicit workload(std::uint64_t budget) : held({.budget_bytes = budget}) {
    for (std::size_t at = 0; at < 2 * keys; ++at) {
      names.push_back("mongocached.documents/" + std::to_string(at * 7919));
      hashes.push_back(cache::hash_key(protocol::as_bytes(names.back())));
      if (at < keys) held.insert(make(at));
    }
  }
  [[nodiscard]] byte_view key(std::size_t at) const { return protocol::as_bytes(names[at]); }
  [[nodiscard]] cache::entry_ref make(std::size_t at) const {
    static const std::string value(value_bytes, 'x');
    cache::entry_meta meta;
    meta.expires = instant::max();
    return cache::entry::make(key(at), hashes[at], meta, protocol::as_bytes(value));
  }
  cache::local_cache held;
  std::vector<std::string> names;
  std::vector<std::uint64_t> hashes;
};

workload& roomy_cache() {
  static workload made(roomy);
  return made;
}
workload& tight_cache() {
  static workload made(tight);
  return made;
}

// A cheap generator: the order must not be known to the prefetcher, and the draw not be part of the figure.
class draw {
 public:
  explicit draw(const benchmark::State& state) : state_(static_cast<std::uint64_t>(state.thread_index()) + 1) {}
  std::size_t operator()(std::size_t below) {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    return state_ % below;
  }

 private:
  std::uint64_t state_;
};

void hash(benchmark::State& state) {
  const workload& with = roomy_cache();
  draw next(state);
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(cache::hash_key(with.key(next(keys))));
}

void find_hit(benchmark::State& state) {
  workload& with = roomy_cache();
  draw next(state);
  for ([[maybe_unused]] auto _ : state) {
    const std::size_t at = next(keys);
    benchmark::DoNotOptimize(with.held.find(with.key(at), with.hashes[at], instant{0}));
  }
}

void find_hit_of_few(benchmark::State& state) {
  workload& with = roomy_cache();
  draw next(state);
  for ([[maybe_unused]] auto _ : state) {
    const std::size_t at = next(100);
    benchmark::DoNotOptimize(with.held.find(with.key(at), with.hashes[at], instant{0}));
  }
}

void find_miss(benchmark::State& state) {
  workload& with = roomy_cache();
  draw next(state);
  for ([[maybe_unused]] auto _ : state) {
    const std::size_t at = keys + next(keys);
    benchmark::DoNotOptimize(with.held.find(with.key(at), with.hashes[at], instant{0}));
  }
}

void make_only(benchmark::State& state) {
  const workload& with = roomy_cache();
  draw next(state);
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(with.make(next(keys)));
}

void make_and_replace(benchmark::State& state) {
  workload& with = roomy_cache();
  draw next(state);
  for ([[maybe_unused]] auto _ : state) with.held.insert(with.make(next(keys)));
}

void make_and_evict(benchmark::State& state) {
  workload& with = tight_cache();
  draw next(state);
  for ([[maybe_unused]] auto _ : state) with.held.insert(with.make(next(2 * keys)));
}

BENCHMARK(hash)->Threads(1);
BENCHMARK(find_hit)->ThreadRange(1, 2)->UseRealTime();
BENCHMARK(find_hit_of_few)->ThreadRange(1, 2)->UseRealTime();
BENCHMARK(find_miss)->ThreadRange(1, 2)->UseRealTime();
BENCHMARK(make_only)->ThreadRange(1, 2)->UseRealTime();
BENCHMARK(make_and_replace)->ThreadRange(1, 2)->UseRealTime();
BENCHMARK(make_and_evict)->ThreadRange(1, 2)->UseRealTime();

}  // namespace
}  // namespace mongocached::bench

int main(int argc, char** argv) {
  mongocached::cache::prepare_heap();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
