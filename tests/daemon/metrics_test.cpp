#include "daemon/metrics.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace mongocached::daemon {
namespace {

using namespace std::chrono_literals;

template <class E>
void expect_distinct_names() {
  std::set<std::string> names;
  for (std::size_t i = 0; i < static_cast<std::size_t>(E::count_); ++i) {
    const std::string name = name_of(static_cast<E>(i));
    EXPECT_FALSE(name.empty()) << i;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
}

TEST(MetricNames, EveryLabelValueHasANameOfItsOwn) {
  expect_distinct_names<outcome>();
  expect_distinct_names<disconnect>();
  expect_distinct_names<invalidation_source>();
  expect_distinct_names<fill_rejection>();
  expect_distinct_names<verification>();
}

TEST(DurationHistogram, BoundsAreInclusive) {
  duration_histogram h;
  h.observe(10us);
  h.observe(10us + 1ns);
  h.observe(25us);
  EXPECT_EQ(h.bucket(0), 1U);
  EXPECT_EQ(h.bucket(1), 2U);
}

TEST(DurationHistogram, LongestGoToTheLastBucket) {
  duration_histogram h;
  h.observe(10s);
  h.observe(10s + 1ns);
  h.observe(100h);
  EXPECT_EQ(h.bucket(duration_histogram::bounds.size() - 1), 1U);
  EXPECT_EQ(h.bucket(duration_histogram::bounds.size()), 2U);
}

TEST(DurationHistogram, SumIsInSecondsAndNeverFalls) {
  duration_histogram h;
  h.observe(1500ms);
  h.observe(-3s);
  EXPECT_DOUBLE_EQ(h.sum_seconds(), 1.5);
  EXPECT_EQ(h.bucket(0), 1U);
}

}  // namespace
}  // namespace mongocached::daemon
