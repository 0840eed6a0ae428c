#include "daemon/watchdog.hpp"

#include <gtest/gtest.h>

namespace mongocached::daemon {
namespace {

using namespace std::chrono_literals;
using ticks = std::vector<std::uint64_t>;

TEST(Watchdog, PingsWhileEveryThreadMoves) {
  watchdog dog(30s);
  EXPECT_EQ(dog.interval(), 10s);
  EXPECT_FALSE(dog.should_notify(0s, ticks{1, 1}));
  EXPECT_FALSE(dog.should_notify(9s, ticks{5, 5}));  // not yet time
  EXPECT_TRUE(dog.should_notify(10s, ticks{6, 6}));
  EXPECT_FALSE(dog.should_notify(11s, ticks{7, 7}));
  EXPECT_TRUE(dog.should_notify(20s, ticks{8, 8}));
}

TEST(Watchdog, StalledThreadStopsThePings) {
  watchdog dog(30s);
  EXPECT_FALSE(dog.should_notify(0s, ticks{1, 1}));
  EXPECT_TRUE(dog.should_notify(10s, ticks{2, 2}));
  EXPECT_FALSE(dog.should_notify(20s, ticks{3, 2}));
  EXPECT_FALSE(dog.should_notify(40s, ticks{4, 2}));
  EXPECT_TRUE(dog.should_notify(41s, ticks{5, 3}));  // it was slow, not dead
}

TEST(Watchdog, CounterThatWrapsHasMoved) {
  watchdog dog(3s);
  EXPECT_FALSE(dog.should_notify(0s, ticks{~0ULL}));
  EXPECT_TRUE(dog.should_notify(1s, ticks{0}));
}

TEST(Watchdog, AnotherNumberOfThreadsBeginsAnew) {
  watchdog dog(3s);
  EXPECT_FALSE(dog.should_notify(0s, ticks{1}));
  EXPECT_FALSE(dog.should_notify(1s, ticks{2, 1}));
  EXPECT_TRUE(dog.should_notify(2s, ticks{3, 2}));
}

TEST(StallWatch, ThreadThatStandsStillForLongIsStalled) {
  stall_watch watch(30s);
  EXPECT_FALSE(watch.is_stalled(0s, ticks{1, 1}));
  EXPECT_FALSE(watch.is_stalled(10s, ticks{2, 2}));
  EXPECT_FALSE(watch.is_stalled(39s, ticks{3, 2}));
  EXPECT_TRUE(watch.is_stalled(40s, ticks{4, 2}));
  EXPECT_FALSE(watch.is_stalled(41s, ticks{5, 3}));  // it was slow, not dead
}

TEST(StallWatch, WhatNobodyAskedAboutForLongIsNotStalled) {
  stall_watch watch(30s);
  EXPECT_FALSE(watch.is_stalled(0s, ticks{1}));
  EXPECT_FALSE(watch.is_stalled(100s, ticks{2}));
  EXPECT_FALSE(watch.is_stalled(129s, ticks{2}));
  EXPECT_TRUE(watch.is_stalled(130s, ticks{2}));
}

}  // namespace
}  // namespace mongocached::daemon
