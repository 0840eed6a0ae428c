#include "daemon/process_limits.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <limits>

namespace mongocached::daemon {
namespace {

TEST(ProcessLimits, EnoughDescriptorsLeaveTheSettingAlone) {
  const auto budget = fit_connections(10'000, 20'070);
  EXPECT_EQ(budget.max_connections, 10'000U);
  EXPECT_EQ(budget.warning, "");
  EXPECT_EQ(fit_connections(10'000, std::numeric_limits<std::uint64_t>::max()).max_connections, 10'000U);
}

TEST(ProcessLimits, TooFewCutItAndSaySo) {
  const auto budget = fit_connections(10'000, 1024);
  EXPECT_EQ(budget.max_connections, 477U);
  EXPECT_EQ(budget.warning,
            "listen.max_connections is cut from 10000 to 477: the limit on open files is 1024, 20070 would be needed "
            "(LimitNOFILE= of the service, or ulimit -Hn)");
}

TEST(ProcessLimits, OneClientIsAlwaysLetIn) {
  EXPECT_EQ(fit_connections(10, 0).max_connections, 1U);
  EXPECT_EQ(fit_connections(10, 70).max_connections, 1U);
  EXPECT_NE(fit_connections(10, 70).warning, "");
}

// An idle process with 64 threads has 337 open: once all of them came out of a reserve of 128.
TEST(ProcessLimits, EveryThreadHasItsReserve) {
  EXPECT_EQ(fit_connections(10'000, 1024, {.threads = 64}).max_connections, (1024U - 64 - 64 * 6) / 2);
  EXPECT_EQ(fit_connections(10'000, 1024, {.threads = 64, .redis = true}).max_connections, (1024U - 64 - 64 * 8) / 2);
}

TEST(ProcessLimits, PooledClientsHaveOneAndThePoolIsSetAside) {
  EXPECT_EQ(fit_connections(1000, 600, {.a_client = 1, .threads = 1, .pool = 30}).max_connections, 500U);
}

TEST(ProcessLimits, SoftLimitIsRaisedToTheHardOne) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit lowered = before;
  lowered.rlim_cur = std::min<rlim_t>(before.rlim_max, 256);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &lowered), 0);
  const std::uint64_t now = raise_descriptor_limit();
  EXPECT_EQ(now, before.rlim_max == RLIM_INFINITY ? std::numeric_limits<std::uint64_t>::max() : before.rlim_max);
  rlimit after{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace mongocached::daemon
