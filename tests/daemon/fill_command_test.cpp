#include "daemon/fill_command.hpp"

#include <gtest/gtest.h>

#include "support/message_builders.hpp"

namespace mongocached::daemon {
namespace {

using namespace test_support;  // NOLINT: tests read as JSON
using protocol::read_level;

// A client's command, and what a fill makes of it.
class filling {
 public:
  explicit filling(const document& command) : message_(op_msg_message(command, {.request_id = 31})) {
    protocol::op_msg parsed;
    EXPECT_EQ(protocol::parse_op_msg(message_, parsed), protocol::op_msg_error::none);
    EXPECT_EQ(protocol::view_command(parsed, 31, view_), protocol::command_error::none);
  }
  [[nodiscard]] byte_buffer with(const fill_changes& changes) const {
    byte_buffer out;
    append_fill_command(out, view_, changes);
    return out;
  }
  [[nodiscard]] bool is_changed_by(const fill_changes& changes) const { return changes_anything(view_, changes); }

 private:
  byte_buffer message_;
  protocol::command_view view_;
};

byte_buffer sent(const document& body) {
  return op_msg_message(body, {.request_id = 31});
}

document concern(const char* level, std::uint64_t after) {
  return document{{"level", level}, {"afterClusterTime", timestamp{after}}};
}

const document plain{{"find", "things"}, {"filter", document{{"_id", 1}}}, {"$db", "shop"}};

TEST(fill_command, nothing_changed_is_the_clients_own_command_R4) {
  EXPECT_FALSE(filling(plain).is_changed_by({}));
  EXPECT_EQ(filling(plain).with({}), sent(plain));
}

TEST(fill_command, asks_for_the_lower_bound_R4) {
  const fill_changes changes{.lower = 9};
  EXPECT_TRUE(filling(plain).is_changed_by(changes));
  EXPECT_EQ(filling(plain).with(changes),
            sent(document{{"find", "things"},
                          {"filter", document{{"_id", 1}}},
                          {"$db", "shop"},
                          {"readConcern", document{{"afterClusterTime", timestamp{9}}}}}));
}

TEST(fill_command, keeps_the_level_that_the_client_asked_for_R4) {
  const document command{{"find", "things"}, {"readConcern", concern("majority", 5)}, {"$db", "shop"}};
  EXPECT_EQ(filling(command).with({.lower = 9}),
            sent(document{{"find", "things"}, {"$db", "shop"}, {"readConcern", concern("majority", 9)}}));
}

TEST(fill_command, never_asks_for_less_than_the_client_did_R4) {
  const document command{{"find", "things"}, {"readConcern", concern("local", 5)}, {"$db", "shop"}};
  EXPECT_FALSE(filling(command).is_changed_by({.lower = 4}));
  EXPECT_EQ(filling(command).with({.lower = 4}),
            sent(document{{"find", "things"}, {"$db", "shop"}, {"readConcern", concern("local", 5)}}));
}

TEST(fill_command, says_the_level_that_was_a_default) {
  const fill_changes changes{.level = read_level::majority};
  EXPECT_TRUE(filling(plain).is_changed_by(changes));
  EXPECT_EQ(filling(plain).with(changes), sent(document{{"find", "things"},
                                                        {"filter", document{{"_id", 1}}},
                                                        {"$db", "shop"},
                                                        {"readConcern", document{{"level", "majority"}}}}));
}

TEST(fill_command, asks_for_whole_documents_S6) {
  const document command{{"find", "things"}, {"projection", document{{"x", 1}}}, {"$db", "shop"}};
  EXPECT_EQ(filling(command).with({.whole_document = true}), sent(document{{"find", "things"}, {"$db", "shop"}}));
}

TEST(fill_command, asks_for_the_missing_ids_only_and_without_limits_S4) {
  const document ids{{"a", 2}, {"b", 5}};
  const auto a = field_in(ids.view(), "a");
  const auto b = field_in(ids.view(), "b");
  const std::vector<const protocol::bson_element*> missing{&a, &b};
  const document in{{"_id", document{{"$in", array{2, 3, 5}}}}};
  const document command{{"find", "things"}, {"filter", in},        {"limit", 3},
                         {"batchSize", 3},   {"singleBatch", true}, {"$db", "shop"}};
  EXPECT_EQ(filling(command).with({.ids = &missing}),
            sent(document{{"find", "things"},
                          {"filter", document{{"_id", document{{"$in", array{2, 5}}}}}},
                          {"$db", "shop"},
                          {"singleBatch", true}}));
}

}  // namespace
}  // namespace mongocached::daemon
