#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "bench/histogram.hpp"
#include "bench/scale/entries.hpp"
#include "bench/scale/scale.hpp"
#include "cache/heap.hpp"

namespace mongocached::bench {

namespace {

using clock = std::chrono::steady_clock;

// The same calls so many times over, each on a fresh cache: what the structure itself stalls for comes back at the same
// call, an interruption by other programs does not.
constexpr int repeats = 4;

class times {
 public:
  explicit times(std::size_t calls) : fastest_(calls, UINT32_MAX) {}

  void record(std::size_t call, clock::duration took) {
    const auto ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(took).count());
    all_.record(ns);
    fastest_[call] = std::min(fastest_[call], static_cast<std::uint32_t>(std::min<std::uint64_t>(ns, UINT32_MAX)));
  }

  void print(const char* name, const char* separator) const {
    histogram own;
    for (const std::uint32_t ns : fastest_) own.record(ns);
    std::printf("\"%s\": {\"calls\": %llu", name, static_cast<unsigned long long>(own.total()));
    print(", \"any\": ", all_);
    print(", \"own\": ", own);
    std::printf("}%s\n", separator);
  }

 private:
  static void print(const char* label, const histogram& of) {
    std::printf("%s{\"mean\": %.1f", label, of.mean());
    for (const double p : {50.0, 99.0, 99.9, 99.99}) {
      std::printf(", \"p%g\": %llu", p, static_cast<unsigned long long>(of.percentile(p)));
    }
    std::printf(", \"max\": %llu}", static_cast<unsigned long long>(of.max()));
  }

  histogram all_;                       // of every repeat
  std::vector<std::uint32_t> fastest_;  // of each call
};

struct measured {
  explicit measured(std::size_t calls) : make(calls), insert(calls) {}
  times make;
  times insert;
};

void insert_timed(cache::local_cache& held, entry_maker& maker, std::uint64_t first, std::uint64_t count,
                  std::uint32_t value_bytes, measured& out) {
  for (std::uint64_t at = 0; at < count; ++at) {
    const auto start = clock::now();
    cache::entry_ref fresh = maker.make(first + at, value_bytes);
    const auto made = clock::now();
    held.insert(std::move(fresh));
    const auto end = clock::now();
    out.make.record(at, made - start);
    out.insert.record(at, end - made);
  }
}

}  // namespace

void measure_insertions(const scale_options& options) {
  entry_maker maker(options.value_bytes);
  measured growing(options.entries);
  measured full(options.entries);
  std::uint64_t evictions = 0;
  std::uint64_t budget = 0;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    {
      cache::local_cache held({.budget_bytes = roomy(options.entries, options.value_bytes)});
      insert_timed(held, maker, 0, options.entries, options.value_bytes, growing);
      if (held.stats().evictions != 0) throw std::runtime_error("there was no room");
      budget = held.stats().bytes;
    }
    cache::trim_heap(0);
    {
      // Full twice over, so that each insertion evicts.
      cache::local_cache held({.budget_bytes = budget});
      for (std::uint64_t at = 0; at < 2 * options.entries; ++at) held.insert(maker.make(at, options.value_bytes));
      evictions = held.stats().evictions;
      insert_timed(held, maker, 2 * options.entries, options.entries, options.value_bytes, full);
      evictions = held.stats().evictions - evictions;
    }
    cache::trim_heap(0);
  }
  if (evictions * 10 < options.entries * 9) throw std::runtime_error("the cache was not full");
  std::printf("{\"entries\": %llu, \"value_bytes\": %u, \"repeats\": %d, \"budget\": %llu,\n",
              static_cast<unsigned long long>(options.entries), options.value_bytes, repeats,
              static_cast<unsigned long long>(budget));
  growing.make.print("make_growing", ",");
  growing.insert.print("insert_growing", ",");
  full.make.print("make_full", ",");
  full.insert.print("insert_full", "}");
}

}  // namespace mongocached::bench
