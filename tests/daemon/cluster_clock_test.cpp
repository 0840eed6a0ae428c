#include "daemon/cluster_clock.hpp"

#include <gtest/gtest.h>

#include "support/message_builders.hpp"

namespace mongocached::daemon {
namespace {

using namespace test_support;  // NOLINT: tests read as JSON

class ClusterClock : public ::testing::Test {
 protected:
  void see(std::uint64_t at, long key = 7, std::size_t hash_size = 20) {
    const document signature{{"hash", binary{0, byte_buffer(hash_size)}}, {"keyId", key}};
    const document reply{{"ok", 1.0},
                         {"$clusterTime", document{{"clusterTime", timestamp{at}}, {"signature", signature}}}};
    protocol::reply_view view;
    ASSERT_TRUE(protocol::view_reply(reply.view(), view));
    clock.saw(view);
  }
  const signed_time& shown() {
    clock.refresh(mine);
    return mine;
  }

  cluster_clock clock;
  signed_time mine;
};

TEST_F(ClusterClock, knows_nothing_at_first) {
  EXPECT_EQ(clock.newest(), 0U);
  EXPECT_EQ(shown().size, 0U);
}

TEST_F(ClusterClock, keeps_the_newest_S8) {
  see(5);
  see(9);
  see(7);
  EXPECT_EQ(clock.newest(), 9U);
  const auto document = must(bson_view::parse(shown().bytes()));
  EXPECT_EQ(field_in(document, "clusterTime").timestamp(), 9U);
}

TEST_F(ClusterClock, leaves_out_one_that_is_too_long) {
  see(5, 7, 1000);
  EXPECT_EQ(clock.newest(), 0U);
}

TEST_F(ClusterClock, shows_an_unsigned_one_while_nobody_authenticates_S8) {
  see(5, 0);
  EXPECT_EQ(shown().time, 5U);
}

TEST_F(ClusterClock, forgets_an_unsigned_one_once_somebody_authenticated_S8) {
  see(5, 0);
  static_cast<void>(shown());
  clock.saw_authentication();
  EXPECT_EQ(shown().time, 0U);
}

TEST_F(ClusterClock, takes_no_unsigned_one_once_somebody_authenticated_S8) {
  clock.saw_authentication();
  see(5, 0);
  EXPECT_EQ(clock.newest(), 0U);
}

TEST_F(ClusterClock, keeps_a_signed_one_when_somebody_authenticates_S8) {
  see(5);
  clock.saw_authentication();
  EXPECT_EQ(shown().time, 5U);
}

}  // namespace
}  // namespace mongocached::daemon
