#include "daemon/event_limiter.hpp"

#include <gtest/gtest.h>

namespace mongocached::daemon {
namespace {

using namespace std::chrono_literals;

event_limits limits(std::uint32_t burst, std::size_t events = 128) {
  event_limits out;
  out.burst = burst;
  out.every = 1s;
  out.max_events = events;
  return out;
}

TEST(EventLimiter, BurstIsAllowedThenOneASecond) {
  event_limiter limiter(limits(2));
  EXPECT_TRUE(limiter.admit("a", 10s).allowed);
  EXPECT_TRUE(limiter.admit("a", 10s).allowed);
  EXPECT_FALSE(limiter.admit("a", 10s).allowed);
  EXPECT_FALSE(limiter.admit("a", 10s + 999ms).allowed);
  EXPECT_TRUE(limiter.admit("a", 11s).allowed);
  EXPECT_FALSE(limiter.admit("a", 11s).allowed);
}

TEST(EventLimiter, SaysHowManyWereLeftOut) {
  event_limiter limiter(limits(1));
  EXPECT_EQ(limiter.admit("a", 0s).suppressed, 0U);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limiter.admit("a", 500ms).suppressed, 0U);
  const auto verdict = limiter.admit("a", 1s);
  EXPECT_TRUE(verdict.allowed);
  EXPECT_EQ(verdict.suppressed, 5U);
  EXPECT_EQ(limiter.admit("a", 2s).suppressed, 0U);
}

TEST(EventLimiter, EventsHaveBucketsOfTheirOwn) {
  event_limiter limiter(limits(1));
  EXPECT_TRUE(limiter.admit("a", 0s).allowed);
  EXPECT_TRUE(limiter.admit("b", 0s).allowed);
  EXPECT_FALSE(limiter.admit("a", 0s).allowed);
}

TEST(EventLimiter, NamesBeyondTheLimitShareOne) {
  event_limiter limiter(limits(1, 1));
  EXPECT_TRUE(limiter.admit("a", 0s).allowed);
  EXPECT_TRUE(limiter.admit("b", 0s).allowed);
  EXPECT_FALSE(limiter.admit("c", 0s).allowed);
}

TEST(EventLimiter, LongPauseFillsTheBucketAndNoMore) {
  event_limiter limiter(limits(2));
  EXPECT_TRUE(limiter.admit("a", 0s).allowed);
  EXPECT_TRUE(limiter.admit("a", 100h).allowed);
  EXPECT_TRUE(limiter.admit("a", 100h).allowed);
  EXPECT_FALSE(limiter.admit("a", 100h).allowed);
}

TEST(EventLimiter, PartOfASecondIsNotLost) {
  event_limiter limiter(limits(2));
  EXPECT_TRUE(limiter.admit("a", 0s).allowed);
  EXPECT_TRUE(limiter.admit("a", 0s).allowed);
  EXPECT_TRUE(limiter.admit("a", 1500ms).allowed);
  EXPECT_TRUE(limiter.admit("a", 2s).allowed);
}

TEST(EventLimiter, ClockThatGoesBackAllowsNothingMore) {
  event_limiter limiter(limits(1));
  EXPECT_TRUE(limiter.admit("a", 10s).allowed);
  EXPECT_FALSE(limiter.admit("a", 5s).allowed);
  EXPECT_FALSE(limiter.admit("a", 10s).allowed);
}

}  // namespace
}  // namespace mongocached::daemon
