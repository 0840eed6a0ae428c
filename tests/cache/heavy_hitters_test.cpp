#include "cache/heavy_hitters.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>
#include <string>

namespace mongocached::cache {
namespace {

using hitters = heavy_hitters<std::string>;

void add(hitters& to, std::uint64_t thing, std::uint64_t weight = 1) {
  to.add(thing, weight, [thing](std::string& out) { out = std::to_string(thing); });
}

// Many things, of which a few come often.
std::uint64_t drawn(std::mt19937& random) {
  const auto x = random();
  return x % 3 != 0 ? x / 3 % 8 : 100 + x / 3 % 5000;
}

TEST(heavy_hitters, is_exact_while_there_is_room) {
  hitters all(3);
  add(all, 1);
  add(all, 2, 5);
  add(all, 1);
  const auto sum = merge<std::string>(std::array{all.now()});
  ASSERT_EQ(sum.size(), 2U);
  EXPECT_EQ(sum[0].what, "2");
  EXPECT_EQ(sum[0].count, 5U);
  EXPECT_EQ(sum[1].what, "1");
  EXPECT_EQ(sum[1].count, 2U);
  EXPECT_EQ(sum[0].over + sum[1].over, 0U);
}

TEST(heavy_hitters, describes_a_thing_only_when_it_is_new) {
  hitters all(1);
  int described = 0;
  const auto count = [&](std::string& out) {
    ++described;
    out = "x";
  };
  all.add(1, 1, count);
  all.add(1, 1, count);
  EXPECT_EQ(described, 1);
  all.add(2, 1, count);
  EXPECT_EQ(described, 2);
}

TEST(heavy_hitters, a_newcomer_takes_over_the_smallest_count) {
  hitters all(2);
  add(all, 1, 10);
  add(all, 2, 3);
  add(all, 3);
  const auto now = all.now();
  EXPECT_EQ(now.most_missed, 4U);
  const auto sum = merge<std::string>(std::array{now});
  ASSERT_EQ(sum.size(), 2U);
  EXPECT_EQ(sum[1].what, "3");
  EXPECT_EQ(sum[1].count, 4U);
  EXPECT_EQ(sum[1].over, 3U);
  add(all, 2);  // forgotten, and new again
  EXPECT_EQ(merge<std::string>(std::array{all.now()})[1].over, 4U);
}

TEST(heavy_hitters, counts_are_bounds_and_what_comes_often_is_held) {
  constexpr std::size_t room = 64;
  constexpr std::uint64_t things = 50'000;
  for (const auto seed : {1U, 2U, 3U}) {
    std::mt19937 random(seed);  // NOLINT: the same every time
    std::map<std::uint64_t, std::uint64_t> truth;
    hitters all(room);
    for (std::uint64_t i = 0; i < things; ++i) {
      const auto thing = drawn(random);
      ++truth[thing];
      add(all, thing);
    }
    const auto now = all.now();
    ASSERT_EQ(now.held.size(), room);
    EXPECT_LE(now.most_missed, things / room);
    std::map<std::uint64_t, bool> held;
    for (const auto& one : now.held) {
      const auto real = truth[one.hash];
      EXPECT_GE(one.count, real);
      EXPECT_LE(one.count - one.over, real);
      EXPECT_EQ(one.what, std::to_string(one.hash));
      held[one.hash] = true;
    }
    for (const auto& [thing, count] : truth) {
      if (count > now.most_missed) {
        EXPECT_TRUE(held[thing]) << thing;
      }
    }
  }
}

TEST(heavy_hitters, what_several_counted_is_a_bound_for_all_of_them) {
  std::mt19937 random(9);  // NOLINT: the same every time
  std::map<std::uint64_t, std::uint64_t> truth;
  std::vector<hitters> parts(3, hitters(32));
  for (int i = 0; i < 30'000; ++i) {
    const auto thing = drawn(random);
    ++truth[thing];
    add(parts[random() % parts.size()], thing);
  }
  std::vector<hitters::summary> now;
  for (const auto& part : parts) now.push_back(part.now());
  const auto sum = merge<std::string>(now);
  ASSERT_GE(sum.size(), 32U);
  for (const auto& one : sum) {
    EXPECT_GE(one.count, truth[one.hash]);
    EXPECT_LE(one.count - one.over, truth[one.hash]);
  }
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_LT(sum[i].hash, 8U) << "the often ones come first";
    if (i > 0) {
      EXPECT_GE(sum[i - 1].count, sum[i].count);
    }
  }
}

TEST(heavy_hitters, nothing_counted_is_nothing) {
  EXPECT_TRUE(merge<std::string>(std::array{hitters(4).now()}).empty());
  EXPECT_TRUE(merge<std::string>(std::span<const hitters::summary>{}).empty());
}

}  // namespace
}  // namespace mongocached::cache
