// The yardsticks of the eviction comparison are what they say, and the daemon's cache does what its model does.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "bench/eviction/lru.hpp"
#include "bench/eviction/optimum.hpp"
#include "bench/eviction/real_cache.hpp"
#include "bench/eviction/replay.hpp"
#include "cache/eviction/fifo_tinylfu.hpp"

namespace mongocached::bench {
namespace {

// Most hits that any way of keeping and dropping objects reaches, by trying all.
std::size_t most_hits(const trace& asked, const std::vector<std::uint32_t>& sizes, std::uint64_t limit,
                      std::size_t at = 0, unsigned held = 0) {
  if (at == asked.requests.size()) return 0;
  const unsigned mine = 1U << asked.requests[at];
  const std::size_t hit = (held & mine) != 0 ? 1 : 0;
  std::size_t best = 0;
  for (unsigned keep = held | mine;; keep = (keep - 1) & (held | mine)) {
    std::uint64_t bytes = 0;
    for (std::uint32_t object = 0; object < asked.objects; ++object) {
      if ((keep >> object & 1U) != 0) bytes += sizes[object];
    }
    if (bytes <= limit) best = std::max(best, hit + most_hits(asked, sizes, limit, at + 1, keep));
    if (keep == 0) return best;
  }
}

trace random_trace(unsigned seed, std::size_t length) {
  std::minstd_rand random(seed);
  trace made{"random", {}, 4};
  while (made.requests.size() < length) made.requests.push_back(static_cast<std::uint32_t>(random() % made.objects));
  return made;
}

TEST(optimum, belady_is_what_trying_everything_finds) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    const trace asked = random_trace(seed, 9);
    const std::vector<std::uint32_t> sizes(asked.objects, 1);
    for (const std::uint64_t room : {1, 2, 3}) {
      EXPECT_DOUBLE_EQ(belady(asked, room), share_of(most_hits(asked, sizes, room), asked)) << seed << ' ' << room;
    }
  }
}

TEST(optimum, no_way_of_keeping_objects_of_several_sizes_is_above_the_bound) {
  const std::vector<std::uint32_t> sizes{1, 2, 3, 5};
  bool told_apart = false;
  for (unsigned seed = 1; seed <= 20; ++seed) {
    const trace asked = random_trace(seed, 9);
    for (const std::uint64_t limit : {2, 4, 6}) {
      EXPECT_GE(optimum_bound(asked, sizes, limit), share_of(most_hits(asked, sizes, limit), asked)) << seed;
      told_apart |= optimum_bound(asked, sizes, limit) < optimum_bound(asked, sizes, 100);
    }
  }
  EXPECT_TRUE(told_apart) << "a bound that is always met says nothing";
}

TEST(optimum, bound_is_near_belady_where_sizes_are_equal) {
  const trace asked = zipf_trace(0.9, 2000, 100'000);
  const std::vector<std::uint32_t> sizes(asked.objects, 10);
  const double exact = belady(asked, 200);
  EXPECT_GE(optimum_bound(asked, sizes, 2000), exact);
  EXPECT_LE(optimum_bound(asked, sizes, 2000), exact + 0.03);
}

TEST(charged_size, is_what_an_entry_is_charged_with) {
  EXPECT_EQ(charged_size(1024), 1024);
  EXPECT_EQ(charged_size(1025), 1040);
  EXPECT_GT(charged_size(1), 100) << "a header and a key are needed";
}

// The tables of policies replay hooks, without index and shards. That the cache itself does as well is seen here on one
// trace, and beside each figure of README-eviction.md.
TEST(real_cache, hits_as_often_as_the_model_of_its_policy) {
  const trace asked = zipf_trace(0.9, 20'000, 400'000);
  const std::vector<std::uint32_t> sizes(asked.objects, charged_size(1024));
  const std::uint64_t limit = 2000ULL * sizes.front();
  const double real = real_hit_ratio(asked, sizes, limit);
  EXPECT_NEAR(real, hit_ratio<cache::fifo_tinylfu>(asked, sizes, limit), 0.01);
  EXPECT_GT(real, hit_ratio<lru>(asked, sizes, limit) + 0.03);
  EXPECT_LT(real, belady(asked, 2000));
}

}  // namespace
}  // namespace mongocached::bench
