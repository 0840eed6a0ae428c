// That the budget is the truth: resident memory after ten times the budget went through the cache. Each case runs in a
// child process, because the heap keeps what earlier tests left.
#include "cache/heap.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "cache/local_cache.hpp"

namespace mongocached::cache {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool instrumented = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
constexpr bool instrumented = true;
#else
constexpr bool instrumented = false;
#endif
#else
constexpr bool instrumented = false;
#endif

constexpr std::uint64_t budget = 32ULL << 20U;
constexpr double most = 1.15;

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  statm >> all >> resident;
  return static_cast<double>(resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)));
}

struct sizes {
  std::size_t least;
  std::size_t most;
};

// Inserts `turns` budgets' worth of entries, evenly on a logarithmic scale of sizes, and looks up, erases and replaces
// some.
void churn(local_cache& cache, sizes range, double turns, unsigned seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<> draw(std::log(range.least), std::log(range.most));
  const std::string bytes(range.most, 'x');
  entry_meta meta;
  meta.expires = instant{1};
  std::uint64_t made = 0;
  while (made < static_cast<std::uint64_t>(turns * static_cast<double>(budget))) {
    const std::string key = "mongocached.documents/" + std::to_string(random() % 500'000);
    const std::uint64_t hash = hash_key(protocol::as_bytes(key));
    if (random() % 20 == 0) cache.erase(protocol::as_bytes(key), hash);
    if (cache.find(protocol::as_bytes(key), hash, instant{0}) && random() % 2 == 0) continue;
    const auto size = static_cast<std::size_t>(std::exp(draw(random)));
    entry_ref fresh = entry::make(protocol::as_bytes(key), hash, meta, protocol::as_bytes(bytes).first(size));
    made += fresh->footprint();
    cache.insert(std::move(fresh));
  }
}

void churn_with(local_cache& cache, unsigned threads, sizes range, double turns) {
  std::vector<std::thread> running;
  for (unsigned at = 0; at < threads; ++at)
    running.emplace_back([&, at] { churn(cache, range, turns / threads, at + 1); });
  for (auto& thread : running) thread.join();
}

// Runs `body` on a cache and ends the process: code 0 if its resident memory grew by no more than `most` budgets.
template <class Body>
[[noreturn]] void measure_and_exit(Body body) {
  prepare_heap();
  const double before = resident_bytes();
  local_cache cache({.budget_bytes = budget});
  body(cache);
  const double growth = (resident_bytes() - before) / static_cast<double>(budget);
  std::fprintf(stderr, "%.3f budgets resident, %.3f charged\n", growth,
               static_cast<double>(cache.stats().bytes) / static_cast<double>(budget));
  _exit(growth <= most && growth > 0.8 ? 0 : 1);
}

class heap : public testing::Test {
 protected:
  void SetUp() override {
    if (instrumented) GTEST_SKIP() << "sanitizers bring their own heap";
    GTEST_FLAG_SET(death_test_style, "threadsafe");  // a fresh process, not a fork of this one
  }
};

constexpr sizes mixed{100, 20'000};

TEST_F(heap, budget_holds_with_one_thread) {
  EXPECT_EXIT(measure_and_exit([](local_cache& cache) { churn_with(cache, 1, mixed, 10); }), testing::ExitedWithCode(0),
              "");
}

TEST_F(heap, budget_holds_with_two_threads) {
  EXPECT_EXIT(measure_and_exit([](local_cache& cache) { churn_with(cache, 2, mixed, 10); }), testing::ExitedWithCode(0),
              "");
}

TEST_F(heap, budget_holds_with_tiny_entries) {
  EXPECT_EXIT(measure_and_exit([](local_cache& cache) {
                churn_with(cache, 2, {50, 150}, 10);
              }),
              testing::ExitedWithCode(0), "");
}

TEST_F(heap, memory_of_a_cleared_cache_goes_back_to_the_system) {
  EXPECT_EXIT(
      {
        prepare_heap();
        local_cache cache({.budget_bytes = budget});
        churn_with(cache, 2, mixed, 2);
        const double full = resident_bytes();
        cache.clear();
        trim_heap(budget / 4);
        const double left = resident_bytes();
        std::fprintf(stderr, "resident: %.0f bytes full, %.0f bytes cleared\n", full, left);
        _exit(full - left > 0.8 * static_cast<double>(budget) ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(heap, is_not_trimmed_for_little) {
  EXPECT_FALSE(trim_heap(std::size_t{1} << 40U));
}

}  // namespace
}  // namespace mongocached::cache
