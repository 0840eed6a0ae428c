#include "daemon/uncached_queries.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "support/message_builders.hpp"

namespace mongocached::daemon {
namespace {

using cache::bypass_reason;
using test_support::document;

class UncachedQueries : public ::testing::Test {
 protected:
  void note(const document& body, bypass_reason why = bypass_reason::option) {
    const auto bytes = test_support::op_msg_message(body);
    protocol::op_msg message;
    protocol::command_view command;
    ASSERT_EQ(protocol::parse_op_msg(bytes, message), protocol::op_msg_error::none);
    ASSERT_EQ(protocol::view_command(message, 1, command), protocol::command_error::none);
    noted.note(command, why, dice);
  }
  static document find(std::string_view field, const test_support::value& of) {
    return document{{"find", "things"}, {"filter", document{{field, of}}}, {"$db", "shop"}};
  }
  [[nodiscard]] std::vector<uncached_queries::counted> all() const {
    return cache::merge<uncached_query>(std::array{noted.now()});
  }

  std::minstd_rand dice{7};  // NOLINT: the same every time
  uncached_queries noted;
};

TEST_F(UncachedQueries, reads_that_differ_in_values_only_are_one) {
  note(find("a", 1));
  note(find("a", "secret"));
  note(find("b", 1));
  const auto found = all();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].what.shape, "find {filter: {a: ?}}");
  EXPECT_EQ(found[0].what.ns, "shop.things");
  EXPECT_EQ(found[0].what.reason, bypass_reason::option);
  EXPECT_EQ(found[0].count, 2U);
}

TEST_F(UncachedQueries, reasons_are_told_apart) {
  note(find("a", 1), bypass_reason::option);
  note(find("a", 1), bypass_reason::gate_shut);
  EXPECT_EQ(all().size(), 2U);
}

TEST_F(UncachedQueries, what_is_no_query_is_left_out) {
  note({{"hello", 1}, {"$db", "admin"}});
  note({{"getMore", 5L}, {"collection", "things"}, {"$db", "shop"}});
  note({{"find", "x"}, {"$db", "config"}});
  EXPECT_TRUE(all().empty());
}

TEST_F(UncachedQueries, a_flood_is_sampled_and_counted_about_right) {
  constexpr std::uint32_t requests = 100'000;
  for (std::uint32_t i = 0; i < requests; ++i) note(find("a", 1));
  const auto found = all();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NEAR(static_cast<double>(found[0].count), requests, requests * 0.06);
  EXPECT_EQ((found[0].count - uncached_queries::burst) % uncached_queries::sample, 0U);
}

TEST_F(UncachedQueries, bursts_and_what_comes_slowly_are_counted_whole) {
  const auto note_many = [this](std::uint32_t times) {
    for (std::uint32_t i = 0; i < times; ++i) note(find("a", 1));
  };
  for (int period = 0; period < 100; ++period) noted.begin_period();
  note_many(uncached_queries::burst);
  for (std::uint32_t period = 1; period <= 3; ++period) {
    noted.begin_period();
    note_many(uncached_queries::whole_a_period);
    EXPECT_EQ(all()[0].count, uncached_queries::burst + period * uncached_queries::whole_a_period);
  }
}

TEST_F(UncachedQueries, what_is_left_out_leaves_room_for_what_is_not) {
  for (std::uint32_t i = 0; i < 2 * uncached_queries::burst; ++i) note({{"getMore", 5L}, {"$db", "shop"}});
  for (std::uint32_t i = 0; i < uncached_queries::burst; ++i) note(find("a", 1));
  EXPECT_EQ(all()[0].count, uncached_queries::burst);
}

TEST_F(UncachedQueries, keeps_so_many_and_no_more) {
  for (int i = 0; i < 2000; ++i) {
    noted.begin_period();
    note(find("f" + std::to_string(i), 1));
    note(find("often", 1));
  }
  const auto found = all();
  EXPECT_EQ(found.size(), uncached_queries::room);
  EXPECT_EQ(found[0].what.shape, "find {filter: {often: ?}}");
  EXPECT_EQ(found[0].count, 2000U);
}

TEST_F(UncachedQueries, may_be_read_while_it_is_noted) {
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) EXPECT_LE(noted.now().held.size(), uncached_queries::room);
  });
  for (int i = 0; i < 3000; ++i) {
    noted.begin_period();
    note(find("f" + std::to_string(i % 500), 1));
  }
  stop = true;
  reader.join();
  EXPECT_EQ(noted.now().held.size(), uncached_queries::room);
}

}  // namespace
}  // namespace mongocached::daemon
