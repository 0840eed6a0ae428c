#include "cache/plan_cache.hpp"

#include "read_plan_support.hpp"

namespace mongocached::cache {
namespace {

constexpr std::size_t body_at = protocol::header_size + 5;

byte_buffer message_of(const document& body, message_options options = {}) {
  return test_support::op_msg_message(body, options);
}

document session_of(std::uint8_t first) {
  byte_buffer id(16);
  id[0] = first;
  return document{{"id", binary{4, id}}};
}

document time_of(std::uint64_t at) {
  return document{{"clusterTime", timestamp{at}},
                  {"signature", document{{"hash", binary{0, byte_buffer(20)}}, {"keyId", std::int64_t(at)}}}};
}

document find_one(const value& id, std::uint8_t session = 1, std::uint64_t time = 7) {
  return document{{"find", "things"},    {"filter", document{{"_id", id}}}, {"limit", 1},
                  {"singleBatch", true}, {"lsid", session_of(session)},     {"$clusterTime", time_of(time)},
                  {"$db", "shop"}};
}

// All that is read of a plan and a command on the way to an answer, and what is kept of them.
std::string described(const command_view& command, const read_plan& plan) {
  std::string out = outcome(plan);
  const auto add = [&out](std::string_view part) { out.append("|").append(part); };
  const auto number = [&add](auto n) { add(std::to_string(n)); };
  for (const auto& id : plan.ids) {
    add(protocol::as_text(id.value.raw));
    number(id.hash);
  }
  add(protocol::as_text(plan.key_bytes));
  number(plan.list_hash);
  number(plan.limit);
  number(plan.batch_size);
  number(plan.projected);
  number(plan.hint.refresh);
  number(plan.hint.max_age.count());
  for (const auto text : {command.name, command.db, command.collection, command.comment, command.read_preference_mode,
                          protocol::as_text(command.lsid), protocol::as_text(command.message.body.bytes())}) {
    add(text);
  }
  number(command.request_id);
  number(command.after_cluster_time);
  number(command.max_time_ms);
  number(static_cast<int>(command.level));
  number(command.has_cluster_time);
  number(command.message.flags);
  return out;
}

// Of the message read from its start; empty where it is no find that can be planned.
std::string read_anew(byte_view message, const read_rules& rules = {}) {
  protocol::message_header header;
  protocol::op_msg parsed;
  command_view command;
  if (protocol::read_header(message, header) != protocol::frame_error::none ||
      protocol::parse_op_msg(message, parsed) != protocol::op_msg_error::none ||
      protocol::view_command(parsed, header.request_id, command) != protocol::command_error::none ||
      !command.is("find")) {
    return {};
  }
  read_plan plan;
  plan_read(command, rules, plan);
  return plan.shape == read_shape::forward ? std::string() : described(command, plan);
}

std::string remembered(plan_cache& plans, byte_view message) {
  const auto* found = plans.find(message);
  return found == nullptr ? std::string() : described(found->command, found->plan);
}

class PlanCache : public ::testing::Test {
 protected:
  void add(const document& body) { plans_.add(message_of(body), {}); }
  [[nodiscard]] bool knows(const document& body, message_options options = {}) {
    const auto message = message_of(body, options);
    const auto found = remembered(plans_, message);
    if (found.empty()) return false;
    EXPECT_EQ(found, read_anew(message));
    return true;
  }

  plan_cache plans_;
};

TEST_F(PlanCache, knows_nothing_at_first) {
  EXPECT_FALSE(knows(find_one(some_object_id)));
}

TEST_F(PlanCache, knows_the_same_find_again) {
  add(find_one(some_object_id));
  EXPECT_TRUE(knows(find_one(some_object_id)));
}

TEST_F(PlanCache, another_request_session_and_time_make_no_difference) {
  add(find_one(some_object_id));
  EXPECT_TRUE(knows(find_one(some_object_id, 9, 8), {.request_id = 77}));
}

TEST_F(PlanCache, another_value_of_the_id_has_the_key_of_its_own) {
  const std::vector<std::pair<value, value>> values{
      {object_id{{1}}, object_id{{2}}},
      {1, 2},
      {1L, 2L},
      {1.5, 2.5},
      {1.5, 2.0},
      {"ab", "cd"},
      {binary{4, byte_buffer(16)}, binary{4, byte_buffer(16, 1)}},
      {date{1}, date{2}},
      {timestamp{1}, timestamp{2}},
  };
  for (const auto& [first, second] : values) {
    add(find_one(first));
    EXPECT_TRUE(knows(find_one(second)));
    EXPECT_TRUE(knows(find_one(first)));
    plans_ = {};
  }
}

TEST_F(PlanCache, a_value_without_a_key_is_not_known) {
  add(find_one(1.5));
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(knows(find_one(std::numeric_limits<double>::quiet_NaN())));
  EXPECT_TRUE(knows(find_one(2.5)));
}

TEST_F(PlanCache, a_value_of_another_type_or_length_is_not_known) {
  add(find_one(1L));
  EXPECT_FALSE(knows(find_one(1.0)));
  EXPECT_FALSE(knows(find_one(date{1})));
  EXPECT_FALSE(knows(find_one(1)));
  plans_ = {};
  add(find_one("ab"));
  EXPECT_FALSE(knows(find_one("abc")));
  plans_ = {};
  add(find_one(binary{0, byte_buffer(16)}));
  EXPECT_FALSE(knows(find_one(binary{4, byte_buffer(16)})));
}

TEST_F(PlanCache, other_fields_have_to_be_the_same) {
  add(find_one(some_object_id));
  EXPECT_FALSE(knows(with(find_one(some_object_id), "skip", 1)));
  EXPECT_FALSE(knows(document{{"find", "things"},
                              {"filter", document{{"_id", some_object_id}}},
                              {"limit", 2},
                              {"singleBatch", true},
                              {"lsid", session_of(1)},
                              {"$clusterTime", time_of(7)},
                              {"$db", "shop"}}));
  EXPECT_FALSE(knows(document{{"find", "things"},
                              {"filter", document{{"_id", some_object_id}}},
                              {"limit", 1},
                              {"singleBatch", true},
                              {"lsid", session_of(1)},
                              {"$clusterTime", time_of(7)},
                              {"$db", "sho2"}}));
}

TEST_F(PlanCache, a_copied_plan_is_of_the_message_that_it_is_asked_for) {
  const auto first = message_of(find_one("ab"));
  const auto second = message_of(find_one("cd"));
  read_plan copied;
  EXPECT_FALSE(plans_.copy_plan(second, {}, copied));
  plans_.add(first, {});
  ASSERT_TRUE(plans_.copy_plan(second, {}, copied));
  EXPECT_EQ(copied.ids.front().value.text(), "cd");
  const auto raw = copied.ids.front().value.raw;
  EXPECT_GE(raw.data(), second.data());
  EXPECT_LE(raw.data() + raw.size(), second.data() + second.size());
  plans_ = {};
  plans_.add(second, {});
  const auto* const made = plans_.find(second);
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(described(made->command, copied), described(made->command, made->plan));
  EXPECT_FALSE(plans_.copy_plan(second, {.sharded = true}, copied)) << "by other rules";
  const auto projected = message_of(document{
      {"find", "things"}, {"filter", document{{"_id", 1}}}, {"projection", document{{"a", 1}}}, {"$db", "shop"}});
  plans_.add(projected, {});
  EXPECT_NE(plans_.find(projected), nullptr);
  EXPECT_FALSE(plans_.copy_plan(projected, {}, copied));
}

TEST_F(PlanCache, a_list_is_known_by_its_own_bytes_only) {
  const auto top = [](int year, std::uint8_t session) {
    return document{{"find", "things"}, {"filter", document{{"year", year}}}, {"sort", document{{"rank", -1}}},
                    {"limit", 10},      {"lsid", session_of(session)},        {"$db", "shop"}};
  };
  add(top(1999, 1));
  EXPECT_TRUE(knows(top(1999, 2)));
  EXPECT_FALSE(knows(top(2000, 1)));
}

TEST_F(PlanCache, several_ids_are_known_by_their_own_bytes_only) {
  const auto some = [](int last) {
    return document{
        {"find", "things"}, {"filter", document{{"_id", document{{"$in", array{3, 1, last}}}}}}, {"$db", "shop"}};
  };
  add(some(2));
  EXPECT_TRUE(knows(some(2)));
  EXPECT_FALSE(knows(some(4)));
}

TEST_F(PlanCache, what_cannot_be_planned_is_not_remembered) {
  for (const auto& body : {with(find_one(some_object_id), "tailable", true), document{{"ping", 1}, {"$db", "shop"}},
                           with(find_one(some_object_id), "comment", "mongocached:bypass")}) {
    add(body);
    EXPECT_FALSE(knows(body));
  }
}

TEST_F(PlanCache, a_message_with_flags_is_not_remembered) {
  const auto body = find_one(some_object_id);
  for (const auto flag : {protocol::op_msg_flags::checksum_present, protocol::op_msg_flags::exhaust_allowed}) {
    auto message = message_of(body);
    protocol::store_le(message.data() + protocol::header_size, flag);
    plans_.add(message, {});
    EXPECT_EQ(plans_.find(message), nullptr);
    EXPECT_FALSE(knows(body));
  }
}

TEST_F(PlanCache, says_by_which_rules_it_was_planned_and_forgets) {
  const read_rules strict{.lists = false, .string_ids = false};
  const auto message = message_of(find_one(some_object_id));
  plans_.add(message, strict);
  const auto* found = plans_.find(message);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->plan.rules, strict);
  plans_.forget(*found);
  EXPECT_EQ(plans_.find(message), nullptr);
}

TEST_F(PlanCache, one_that_is_asked_for_stays_and_one_that_is_not_goes) {
  // As long as the first and of the same collection: of the same slot.
  const auto other = [](int limit) { return with(find_one(some_object_id), "skip", limit); };
  add(other(0));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(knows(other(0)));
    add(other(1));
  }
  for (int i = 0; i < 100; ++i) add(other(1));
  EXPECT_TRUE(knows(other(1)));
  EXPECT_FALSE(knows(other(0)));
}

// Whatever byte of it changes, to whatever: what is known is what reading it anew gives.
TEST_F(PlanCache, never_differs_from_a_message_read_anew) {
  const std::vector<document> bodies{
      find_one(some_object_id),
      find_one("name"),
      find_one(binary{4, byte_buffer(16)}),
      find_one(2.5),
      document{{"find", "things"},
               {"filter", document{{"_id", document{{"$eq", 5L}}}}},
               {"projection", document{{"a", 1}}},
               {"comment", "mongocached:ttl=5s"},
               {"$db", "shop"}},
      document{{"find", "things"}, {"filter", document{{"_id", document{{"$in", array{3, 1}}}}}}, {"$db", "shop"}},
      document{{"find", "things"},
               {"filter", document{{"a", 1}}},
               {"sort", document{{"b", -1}}},
               {"limit", 3},
               {"lsid", session_of(1)},
               {"$db", "shop"}},
  };
  int known = 0;
  for (const auto& body : bodies) {
    const auto message = message_of(body);
    for (std::size_t at = 0; at < message.size(); ++at) {
      for (int b = 0; b < 256; ++b) {
        auto changed = message;
        changed[at] = static_cast<std::uint8_t>(b);
        protocol::message_header header;
        const bool framed = protocol::read_header(changed, header) == protocol::frame_error::none &&
                            static_cast<std::size_t>(header.length) == changed.size() &&
                            header.code == protocol::opcode::msg;
        if (!framed) continue;  // the session never asks for what is no message
        plans_.add(message, {});
        const auto found = remembered(plans_, changed);
        if (found.empty()) continue;
        ++known;
        ASSERT_EQ(found, read_anew(changed)) << "byte " << at << " is " << b;
      }
    }
    plans_ = {};
  }
  EXPECT_GT(known, 50 * 256);
}

TEST_F(PlanCache, hostile_lengths_are_not_followed) {
  auto message = message_of(find_one(some_object_id));
  for (const std::uint32_t size : {0U, 1U, 0x7fffffffU, 0xffffffffU}) {
    protocol::store_le(message.data() + body_at + 4 + 6, size);
    plans_.add(message, {});
    EXPECT_EQ(plans_.find(message), nullptr);
  }
  for (std::size_t size = 0; size < message.size(); ++size)
    EXPECT_EQ(plans_.find(byte_view(message).first(size)), nullptr);
  EXPECT_EQ(plans_.find(byte_buffer(plan_cache::longest_message + 1)), nullptr);
}

}  // namespace
}  // namespace mongocached::cache
