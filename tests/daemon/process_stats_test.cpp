#include "daemon/process_stats.hpp"

#include <gtest/gtest.h>

#include <ctime>

namespace mongocached::daemon {
namespace {

TEST(ProcessStats, LineIsReadBehindANameThatHoldsParenthesesAndBlanks) {
  const auto stats = parse_process_stat(
      "42 (a) (b c) S 1 2 3 4 5 6 7 8 9 10 250 50 13 14 15 16 9 18 1000 1048576 10 18446744073709551615 23\n", 100,
      4096);
  ASSERT_TRUE(stats);
  EXPECT_DOUBLE_EQ(stats->cpu_seconds, 3.0);
  EXPECT_EQ(stats->threads, 9U);
  EXPECT_DOUBLE_EQ(stats->start_time_seconds, 10.0);
  EXPECT_EQ(stats->virtual_memory_bytes, 1048576U);
  EXPECT_EQ(stats->resident_memory_bytes, 40960U);
}

TEST(ProcessStats, WhatIsNoSuchLineIsRefused) {
  EXPECT_FALSE(parse_process_stat("", 100, 4096));
  EXPECT_FALSE(parse_process_stat("42 (a) S 1 2 3", 100, 4096));
  EXPECT_FALSE(parse_process_stat("42 (a) S x 2 3 4 5 6 7 8 9 10 1 1 1 1 1 1 1 1 1 1 1 1", 100, 4096));
}

TEST(ProcessStats, ThisProcessHasThem) {
  const process_stats stats = read_process_stats();
  EXPECT_GT(stats.virtual_memory_bytes, stats.resident_memory_bytes);
  EXPECT_GT(stats.resident_memory_bytes, 0U);
  EXPECT_GE(stats.open_fds, 3U);
  EXPECT_GT(stats.max_fds, stats.open_fds);
  EXPECT_GE(stats.threads, 1U);
  EXPECT_GT(stats.start_time_seconds, 1.6e9);
  EXPECT_LE(stats.start_time_seconds, static_cast<double>(std::time(nullptr)) + 1);
  EXPECT_DOUBLE_EQ(read_process_stats().start_time_seconds, stats.start_time_seconds);
}

}  // namespace
}  // namespace mongocached::daemon
