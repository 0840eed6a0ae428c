#include "cache/store/circuit_breaker.hpp"

#include <gtest/gtest.h>

namespace mongocached::cache {
namespace {

using std::chrono::milliseconds;
using state = circuit_breaker::state;

circuit_breaker_settings small() {
  circuit_breaker_settings out;
  out.consecutive = 3;
  out.rate_percent = 50;
  out.rate_minimum = 10;
  out.window = milliseconds(1000);
  out.pause = milliseconds(100);
  out.longest_pause = milliseconds(300);
  return out;
}

TEST(CircuitBreaker, OpensAfterFailuresInARow) {
  circuit_breaker breaker(small());
  const instant t = milliseconds(5000);
  breaker.failure(t);
  breaker.failure(t);
  EXPECT_TRUE(breaker.allow(t));
  breaker.failure(t);
  EXPECT_EQ(breaker.current(), state::open);
  EXPECT_FALSE(breaker.allow(t));
}

TEST(CircuitBreaker, ASuccessInBetweenStartsTheRowAgain) {
  circuit_breaker breaker(small());
  const instant t = milliseconds(5000);
  for (int i = 0; i < 4; ++i) {
    breaker.failure(t);
    breaker.success(t);
    breaker.success(t);
  }
  EXPECT_EQ(breaker.current(), state::closed);
}

TEST(CircuitBreaker, OpensAtTheFailureRate) {
  circuit_breaker breaker(small());
  const instant t = milliseconds(5000);
  for (int i = 0; i < 5; ++i) {
    breaker.success(t);
    breaker.failure(t);
  }
  EXPECT_EQ(breaker.current(), state::open);
}

TEST(CircuitBreaker, TheRateForgetsAnOlderWindow) {
  circuit_breaker breaker(small());
  for (int i = 0; i < 20; ++i) {
    const instant t = milliseconds(5000 + 600 * i);  // two answers a window
    breaker.success(t);
    breaker.failure(t);
  }
  EXPECT_EQ(breaker.current(), state::closed);
}

TEST(CircuitBreaker, OneProbeAtATimeAfterThePause) {
  circuit_breaker breaker(small());
  const instant t = milliseconds(5000);
  for (int i = 0; i < 3; ++i) breaker.failure(t);
  EXPECT_FALSE(breaker.allow(t + milliseconds(99)));
  EXPECT_TRUE(breaker.allow(t + milliseconds(100)));
  EXPECT_EQ(breaker.current(), state::half_open);
  EXPECT_FALSE(breaker.allow(t + milliseconds(150)));
  EXPECT_TRUE(breaker.allow(t + milliseconds(200)));  // the probe was never answered
  breaker.success(t + milliseconds(210));
  EXPECT_EQ(breaker.current(), state::closed);
  EXPECT_TRUE(breaker.allow(t + milliseconds(210)));
}

TEST(CircuitBreaker, ARelapseDoublesThePauseUpToACeiling) {
  circuit_breaker breaker(small());
  instant t = milliseconds(5000);
  for (int i = 0; i < 3; ++i) breaker.failure(t);
  for (const int pause : {100, 200, 300, 300}) {
    EXPECT_FALSE(breaker.allow(t + milliseconds(pause - 1)));
    t += milliseconds(pause);
    EXPECT_TRUE(breaker.allow(t));
    breaker.failure(t);
    EXPECT_EQ(breaker.current(), state::open);
  }
  breaker.reset();
  for (int i = 0; i < 3; ++i) breaker.failure(t);
  EXPECT_TRUE(breaker.allow(t + milliseconds(100)));
}

TEST(CircuitBreaker, LateFailuresDoNotProlongThePause) {
  circuit_breaker breaker(small());
  const instant t = milliseconds(5000);
  for (int i = 0; i < 3; ++i) breaker.failure(t);
  breaker.failure(t + milliseconds(90));
  EXPECT_TRUE(breaker.allow(t + milliseconds(100)));
}

}  // namespace
}  // namespace mongocached::cache
