// Which eviction policy keeps the most useful objects? Hit ratios of the candidates on synthetic traces under one byte
// budget, as Markdown tables: README-eviction.md holds the last result and says how to make it again. With --curves,
// hit ratios of the daemon's own cache by memory, as JSON for the section `scale` of run.py.
#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <functional>
#include <vector>

#include "bench/eviction/lru.hpp"
#include "bench/eviction/optimum.hpp"
#include "bench/eviction/real_cache.hpp"
#include "bench/eviction/replay.hpp"
#include "bench/eviction/s3_fifo.hpp"
#include "bench/eviction/traces.hpp"
#include "bench/eviction/w_tinylfu.hpp"
#include "cache/eviction/fifo_tinylfu.hpp"
#include "cache/heap.hpp"

namespace mongocached::bench {
namespace {

constexpr std::uint32_t uniform_bytes = 1024;

struct extent {
  std::uint32_t objects = 200'000;
  std::size_t requests = 4'000'000;
};

// What the objects of a trace weigh.
struct weights {
  const char* name;
  std::vector<std::uint32_t> sizes;
  double mean = 0;

  [[nodiscard]] static weights equal(std::uint32_t objects) {
    return {"equal", std::vector<std::uint32_t>(objects, charged_size(uniform_bytes)),
            static_cast<double>(charged_size(uniform_bytes))};
  }
  [[nodiscard]] static weights mixed(std::uint32_t objects) {
    weights made{"mixed", mixed_sizes(objects)};
    for (std::uint32_t& size : made.sizes) {
      size = charged_size(size);
      made.mean += size;
    }
    made.mean /= objects;
    return made;
  }
  [[nodiscard]] bool are_equal() const { return sizes.front() == static_cast<std::uint32_t>(mean); }
};

// Exact for equal sizes, else a bound at or above it.
double best_possible(const trace& asked, const weights& with, std::uint64_t limit) {
  return with.are_equal() ? belady(asked, limit / with.sizes.front()) : optimum_bound(asked, with.sizes, limit);
}

void print_row(const trace& asked, const weights& with, std::uint64_t limit) {
  std::printf("| %s | %s | %.2f | %.2f | %.2f | %.2f | %.2f | %s%.2f |\n", asked.name.c_str(), with.name,
              100 * hit_ratio<lru>(asked, with.sizes, limit), 100 * hit_ratio<s3_fifo>(asked, with.sizes, limit),
              100 * hit_ratio<w_tinylfu>(asked, with.sizes, limit),
              100 * hit_ratio<cache::fifo_tinylfu>(asked, with.sizes, limit),
              100 * real_hit_ratio(asked, with.sizes, limit),
              with.are_equal() ? "" : "<= ", 100 * best_possible(asked, with, limit));
  std::fflush(stdout);
}

void compare(extent of, unsigned percent) {
  std::printf("\nCache: %u %% of the bytes of %u objects, %zu requests. Hit ratios in %%.\n\n", percent, of.objects,
              of.requests);
  std::printf(
      "| trace | sizes | LRU | S3-FIFO | W-TinyLFU | fifo_tinylfu | local_cache | optimum |\n"
      "|---|---|---|---|---|---|---|---|\n");
  const std::uint32_t held = of.objects / 100 * percent;
  const std::array traces = {zipf_trace(0.7, of.objects, of.requests),  zipf_trace(0.9, of.objects, of.requests),
                             zipf_trace(1.1, of.objects, of.requests),  scan_trace(of.objects, of.requests, held),
                             loop_trace(held + held / 10, of.requests), shift_trace(of.objects, of.requests),
                             drift_trace(of.objects, of.requests)};
  for (const trace& asked : traces) {
    for (const weights& with : {weights::equal(asked.objects), weights::mixed(asked.objects)}) {
      print_row(asked, with, static_cast<std::uint64_t>(with.mean * held));
    }
  }
}

void print_point(const trace& asked, const weights& with, const extent& of, double percent, const char* separator) {
  const auto limit = static_cast<std::uint64_t>(percent / 100 * of.objects * with.mean);
  std::printf("%s{\"trace\": \"%s\", \"sizes\": \"%s\", \"percent\": %g, \"bytes\": %llu, ", separator,
              asked.name.c_str(), with.name, percent, static_cast<unsigned long long>(limit));
  std::printf("\"lru\": %.5f, \"model\": %.5f, \"local_cache\": %.5f, \"optimum\": %.5f}",
              hit_ratio<lru>(asked, with.sizes, limit), hit_ratio<cache::fifo_tinylfu>(asked, with.sizes, limit),
              real_hit_ratio(asked, with.sizes, limit), best_possible(asked, with, limit));
  std::fflush(stdout);
}

// By memory: percent of the bytes of all objects (of a trace with scans, of those that are no scan's).
void curves(extent of) {
  const std::uint32_t scan = of.objects / 20;
  // One at a time: all of them together would take a gigabyte.
  const std::vector<std::function<trace()>> traces = {[&] { return zipf_trace(0.7, of.objects, of.requests); },
                                                      [&] { return zipf_trace(0.8, of.objects, of.requests); },
                                                      [&] { return zipf_trace(0.9, of.objects, of.requests); },
                                                      [&] { return zipf_trace(1.0, of.objects, of.requests); },
                                                      [&] { return zipf_trace(1.1, of.objects, of.requests); },
                                                      [&] { return scan_trace(of.objects, of.requests, scan); },
                                                      [&] { return shift_trace(of.objects, of.requests); },
                                                      [&] { return drift_trace(of.objects, of.requests); }};
  std::printf("{\"objects\": %u, \"requests\": %zu, \"points\": [", of.objects, of.requests);
  const char* separator = "\n";
  for (const auto& make : traces) {
    const trace asked = make();
    for (const weights& with : {weights::equal(asked.objects), weights::mixed(asked.objects)}) {
      for (const double percent : {0.3, 1.0, 3.0, 10.0, 30.0}) {
        print_point(asked, with, of, percent, std::exchange(separator, ",\n"));
      }
    }
  }
  std::printf("]}\n");
}

}  // namespace
}  // namespace mongocached::bench

int main(int argc, char** argv) {
  mongocached::cache::prepare_heap();
  mongocached::bench::extent of;
  bool by_memory = false;
  CLI::App app{"hit ratios of eviction policies, and of the daemon's own cache, on synthetic traces"};
  app.add_flag("--curves", by_memory, "by memory, of the policies in question, as JSON");
  app.add_option("--objects", of.objects, "different objects")->check(CLI::Range(1000U, 100'000'000U));
  app.add_option("--requests", of.requests, "requests of a trace")->check(CLI::Range(10'000U, 1'000'000'000U));
  CLI11_PARSE(app, argc, argv);
  if (by_memory) {
    mongocached::bench::curves(of);
  } else {
    mongocached::bench::compare(of, 1);
    mongocached::bench::compare(of, 10);
  }
}
