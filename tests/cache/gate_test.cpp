#include "cache/gate.hpp"

#include <gtest/gtest.h>

#include "cache/write_scope.hpp"

namespace mongocached::cache {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr instant noon = seconds(1000);
constexpr duration bound = seconds(1);

TEST(Gate, is_shut_before_anything_is_known_G1) {
  const gate g;
  EXPECT_FALSE(g.is_open(noon, bound));
}

TEST(Gate, is_shut_while_the_stream_is_behind_the_sample_G1) {
  gate g;
  g.sampled(noon, 10);
  g.applied(9);
  EXPECT_FALSE(g.is_open(noon, bound));
}

TEST(Gate, opens_when_the_stream_reaches_the_sample_G1) {
  gate g;
  g.sampled(noon, 10);
  g.applied(10);
  EXPECT_TRUE(g.is_open(noon, bound));
  EXPECT_EQ(g.covered(), noon);
}

TEST(Gate, opens_at_once_when_the_stream_is_ahead_of_the_sample_G1) {
  gate g;
  g.applied(11);
  g.sampled(noon, 10);
  EXPECT_TRUE(g.is_open(noon, bound));
}

TEST(Gate, shuts_by_itself_when_nothing_is_heard_for_longer_than_the_bound_G1) {
  gate g;
  g.applied(11);
  g.sampled(noon, 10);
  EXPECT_TRUE(g.is_open(noon + bound, bound));
  EXPECT_FALSE(g.is_open(noon + bound + milliseconds(1), bound));
}

TEST(Gate, counts_from_the_newest_sample_that_is_covered_G1) {
  gate g;
  g.sampled(noon, 10);
  g.sampled(noon + milliseconds(100), 12);
  g.sampled(noon + milliseconds(200), 15);
  g.applied(13);
  EXPECT_EQ(g.covered(), noon + milliseconds(100));
  g.applied(15);
  EXPECT_EQ(g.covered(), noon + milliseconds(200));
}

TEST(Gate, never_falls_back) {
  gate g;
  g.applied(15);
  g.applied(13);
  EXPECT_EQ(g.applied_to(), 15U);
}

TEST(Gate, a_stalled_stream_keeps_only_the_newest_samples_waiting) {
  gate g;
  for (int i = 1; i <= 1000; ++i) g.sampled(noon + milliseconds(i), static_cast<cluster_time>(i));
  g.applied(500);  // of those that still wait none is covered
  EXPECT_EQ(g.covered(), instant{});
  g.applied(1000);
  EXPECT_EQ(g.covered(), noon + milliseconds(1000));
}

TEST(Gate, is_shut_when_what_was_applied_is_void_C3) {
  gate g;
  g.applied(11);
  g.sampled(noon, 10);
  g.reset();
  EXPECT_FALSE(g.is_open(noon, bound));
  EXPECT_EQ(g.applied_to(), 0U);
}

constexpr duration length = seconds(60);

TEST(WriteScope, is_not_quiet_until_the_last_write_ended_R1) {
  const gate g;
  write_scope writes;
  writes.begin();
  writes.begin();
  writes.end();
  EXPECT_FALSE(writes.is_quiet(g));
  writes.end();
  EXPECT_TRUE(writes.is_quiet(g));
}

TEST(WriteScope, is_not_quiet_until_the_stream_passed_the_barrier_W4) {
  gate g;
  write_scope writes;
  writes.raise_barrier(10);
  writes.raise_barrier(8);
  g.applied(9);
  EXPECT_FALSE(writes.is_quiet(g));
  g.applied(10);
  EXPECT_TRUE(writes.is_quiet(g));
}

TEST(WriteScope, a_hold_ends_and_is_not_shortened_W5) {
  const gate g;
  write_scope writes;
  writes.hold(noon + length);
  writes.hold(noon);
  EXPECT_TRUE(writes.is_held(length, g, noon + length - milliseconds(1)));
  EXPECT_FALSE(writes.is_held(length, g, noon + length));
}

TEST(WriteScope, a_hold_ends_when_the_stream_has_covered_a_moment_behind_the_failure_W5) {
  gate g;
  write_scope writes;
  writes.hold(noon + length);  // the failure was at noon
  g.applied(10);
  g.sampled(noon, 10);
  EXPECT_TRUE(writes.is_held(length, g, noon + milliseconds(1)));
  g.sampled(noon + milliseconds(1), 10);
  EXPECT_FALSE(writes.is_held(length, g, noon + milliseconds(2)));
}

}  // namespace
}  // namespace mongocached::cache
