#include "cache/store/unacknowledged_list.hpp"

#include <gtest/gtest.h>

namespace mongocached::cache {
namespace {

std::shared_ptr<owed_invalidation> item(const std::string& ns) {
  auto out = std::make_shared<owed_invalidation>();
  out->what.ns = ns;
  return out;
}

TEST(UnacknowledgedList, CountsUntilAcknowledged) {
  std::atomic<std::uint64_t> gauge{0};
  unacknowledged_list list(gauge, 10);
  const auto a = item("a");
  list.add(a, true);
  EXPECT_EQ(gauge.load(), 1u);
  EXPECT_FALSE(list.has_unsent());
  EXPECT_TRUE(list.acknowledged(*a));
  EXPECT_FALSE(list.acknowledged(*a));
  EXPECT_EQ(gauge.load(), 0u);
  EXPECT_EQ(list.in_flight(), 0u);
}

TEST(UnacknowledgedList, GivesTheUnsentOldestFirst) {
  std::atomic<std::uint64_t> gauge{0};
  unacknowledged_list list(gauge, 10);
  const auto a = item("a");
  const auto b = item("b");
  const auto c = item("c");
  list.add(a, false);
  list.add(b, true);
  list.add(c, false);
  EXPECT_EQ(list.take_unsent(), a);
  EXPECT_EQ(list.take_unsent(), c);
  EXPECT_EQ(list.take_unsent(), nullptr);
  EXPECT_EQ(list.in_flight(), 3u);
  list.not_sent(*a);
  EXPECT_EQ(list.take_unsent(), a);
  for (const auto& one : {c, a, b}) list.not_sent(*one);
  EXPECT_EQ(list.take_unsent(), a);
  EXPECT_EQ(list.take_unsent(), b);
  EXPECT_EQ(list.take_unsent(), c);
}

TEST(UnacknowledgedList, OverflowLeavesOneNewEpoch) {
  std::atomic<std::uint64_t> gauge{0};
  unacknowledged_list list(gauge, 3);
  const auto a = item("a");
  list.add(a, true);
  list.add(item("b"), false);
  list.add(item("c"), false);
  EXPECT_EQ(gauge.load(), 3u);
  list.add(item("d"), false);
  EXPECT_EQ(gauge.load(), 1u);
  EXPECT_FALSE(list.acknowledged(*a));  // its late reply says nothing of the new epoch
  EXPECT_EQ(gauge.load(), 1u);
  const auto everything = list.take_unsent();
  ASSERT_TRUE(everything);
  EXPECT_TRUE(everything->what.everything);
  EXPECT_TRUE(list.acknowledged(*everything));
  EXPECT_EQ(gauge.load(), 0u);
}

TEST(UnacknowledgedList, AnUnsentNewEpochCoversWhatComesNext) {
  std::atomic<std::uint64_t> gauge{0};
  unacknowledged_list list(gauge, 3);
  const auto everything = item("");
  everything->what.everything = true;
  list.add(everything, false);
  const auto a = item("a");
  list.add(a, false);
  EXPECT_TRUE(a->kept);
  EXPECT_EQ(list.size(), 1u);
  EXPECT_EQ(list.take_unsent(), everything);
  list.add(item("b"), false);  // but not what comes when it is on its way
  EXPECT_EQ(list.size(), 2u);
  EXPECT_EQ(gauge.load(), 2u);
}

TEST(UnacknowledgedList, WhatIsOwedAtTheEndStaysOwed) {
  std::atomic<std::uint64_t> gauge{0};
  {
    unacknowledged_list list(gauge, 3);
    list.add(item("a"), false);
  }
  EXPECT_EQ(gauge.load(), 1u);
}

}  // namespace
}  // namespace mongocached::cache
