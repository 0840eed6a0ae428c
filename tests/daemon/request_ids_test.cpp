#include "daemon/session/request_ids.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace mongocached::daemon {
namespace {

TEST(request_ids, count_from_one) {
  request_ids ids;
  EXPECT_EQ(ids.next(), 1);
  EXPECT_EQ(ids.next(), 2);
}

// In a constant expression an overflow would not compile.
TEST(request_ids, begin_anew_behind_the_greatest) {
  constexpr auto behind = request_ids(std::numeric_limits<std::int32_t>::max()).next();
  EXPECT_EQ(behind, std::numeric_limits<std::int32_t>::min());
}

}  // namespace
}  // namespace mongocached::daemon
