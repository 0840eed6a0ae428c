#include "cache/eviction/frequency_sketch.hpp"

#include <gtest/gtest.h>

#include <random>

namespace mongocached::cache {
namespace {

TEST(frequency_sketch, knows_nothing_without_room) {
  frequency_sketch sketch;
  sketch.count(1);
  EXPECT_EQ(sketch.estimate(1), 0U);
  EXPECT_EQ(sketch.bytes(), 0U);
}

TEST(frequency_sketch, counts_up_to_fifteen) {
  frequency_sketch sketch;
  sketch.reserve(100);
  const std::uint64_t hash = 0x123456789abcdef0;
  for (unsigned times = 1; times <= 15; ++times) {
    sketch.count(hash);
    EXPECT_EQ(sketch.estimate(hash), times);
  }
  sketch.count(hash);
  EXPECT_EQ(sketch.estimate(hash), 15U);
}

TEST(frequency_sketch, tells_popular_from_rare) {
  constexpr std::size_t objects = 1000;
  std::mt19937_64 random(1);
  std::vector<std::uint64_t> popular(100);
  std::vector<std::uint64_t> rare(900);
  for (auto& hash : popular) hash = random();
  for (auto& hash : rare) hash = random();
  frequency_sketch sketch;
  sketch.reserve(objects);
  for (const auto hash : rare) sketch.count(hash);
  for (int times = 0; times < 6; ++times) {
    for (const auto hash : popular) sketch.count(hash);
  }
  std::size_t above = 0;
  for (const auto hash : popular) above += sketch.estimate(hash) >= 4 ? 1 : 0;
  for (const auto hash : rare) above += sketch.estimate(hash) < 4 ? 1 : 0;
  EXPECT_GT(above, objects * 95 / 100);
}

TEST(frequency_sketch, forgets_what_is_no_longer_asked_for) {
  std::mt19937_64 random(1);
  frequency_sketch sketch;
  sketch.reserve(100);
  const std::uint64_t once_popular = random();
  for (int times = 0; times < 15; ++times) sketch.count(once_popular);
  std::vector<std::uint64_t> now_popular(100);
  for (auto& hash : now_popular) hash = random();
  for (int times = 0; times < 10'000; ++times) sketch.count(now_popular[random() % now_popular.size()]);
  EXPECT_LT(sketch.estimate(once_popular), 15U);
}

TEST(frequency_sketch, grows_and_never_shrinks) {
  frequency_sketch sketch;
  sketch.reserve(1);
  const std::size_t small = sketch.bytes();
  EXPECT_GT(small, 0U);
  sketch.reserve(100'000);
  const std::size_t large = sketch.bytes();
  EXPECT_GE(large, 100'000U / 6 * 64);
  sketch.reserve(1);
  EXPECT_EQ(sketch.bytes(), large);
}

}  // namespace
}  // namespace mongocached::cache
