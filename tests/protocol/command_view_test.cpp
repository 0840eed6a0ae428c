#include "protocol/command_view.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "support/message_builders.hpp"

namespace mongocached::protocol {
namespace {

using namespace test_support;

// The message and its view, which points into it.
struct viewed {
  explicit viewed(const document& body) : message(op_msg_message(body, {.request_id = 7})) {
    op_msg parsed;
    EXPECT_EQ(parse_op_msg(message, parsed), op_msg_error::none);
    error = view_command(parsed, 7, view);
  }
  viewed(const viewed&) = delete;
  viewed& operator=(const viewed&) = delete;

  byte_buffer message;
  command_view view;
  command_error error = command_error::none;
};

const raw_value decimal_zero{bson_type::decimal128, byte_buffer{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x30}};
const raw_value symbol_things{bson_type::symbol, byte_buffer{7, 0, 0, 0, 't', 'h', 'i', 'n', 'g', 's', 0}};

// A find with one more field.
document find_with(std::string_view name, const value& content) {
  return {{"find", "things"}, {"$db", "shop"}, {name, content}};
}

TEST(command_view, name_database_and_collection) {
  const viewed v({{"find", "things"}, {"filter", document{}}, {"$db", "shop"}});
  ASSERT_EQ(v.error, command_error::none);
  EXPECT_TRUE(v.view.is("find"));
  EXPECT_EQ(v.view.db, "shop");
  EXPECT_EQ(v.view.collection, "things");
  EXPECT_EQ(v.view.request_id, 7);
  EXPECT_FALSE(v.view.unmodelled);
}

TEST(command_view, absent_fields_have_their_defaults) {
  const viewed v({{"ping", 1}});
  ASSERT_EQ(v.error, command_error::none);
  EXPECT_EQ(v.view.db, "");
  EXPECT_EQ(v.view.collection, "");
  EXPECT_TRUE(v.view.lsid.empty());
  EXPECT_FALSE(v.view.has_txn_number || v.view.in_transaction || v.view.starts_transaction);
  EXPECT_FALSE(v.view.has_read_concern || v.view.has_read_preference || v.view.has_cluster_time);
  EXPECT_FALSE(v.view.unacknowledged || v.view.unmodelled);
  EXPECT_EQ(v.view.level, read_level::none);
}

TEST(command_view, unknown_command_is_as_good_as_a_known_one) {
  EXPECT_EQ(viewed({{"frobnicate", 1}, {"with", "x"}}).error, command_error::none);
}

TEST(command_view, name_is_case_sensitive) {
  EXPECT_FALSE(viewed({{"Find", "things"}}).view.is("find"));
}

TEST(command_view, first_element_is_never_a_generic_field) {
  const viewed v({{"comment", "text"}, {"$db", "shop"}});
  EXPECT_EQ(v.view.name, "comment");
  EXPECT_EQ(v.view.comment, "");
}

TEST(command_view, symbol_names_a_collection_but_is_not_modelled) {
  const viewed v({{"find", symbol_things}, {"$db", "shop"}});
  EXPECT_EQ(v.view.collection, "things");
  EXPECT_TRUE(v.view.unmodelled);
}

TEST(command_view, empty_body_is_an_error) {
  EXPECT_EQ(viewed(document{}).error, command_error::empty_body);
}

TEST(command_view, malformed_first_element_is_an_error) {
  EXPECT_EQ(viewed({{"find", raw_value{static_cast<bson_type>(0x42), {}}}}).error, command_error::malformed);
}

TEST(command_view, malformed_last_element_is_an_error) {
  EXPECT_EQ(viewed(find_with("a", raw_value{bson_type::boolean, {2}})).error, command_error::malformed);
}

TEST(command_view, database_of_another_type_is_an_error) {
  EXPECT_EQ(viewed({{"find", "things"}, {"$db", 1}}).error, command_error::bad_generic_field);
  EXPECT_EQ(viewed({{"find", "things"}, {"$db", symbol_things}}).error, command_error::bad_generic_field);
}

TEST(command_view, lsid_of_another_type_is_an_error) {
  EXPECT_EQ(viewed(find_with("lsid", array{})).error, command_error::bad_generic_field);
}

TEST(command_view, first_of_two_databases_counts_and_is_not_modelled) {
  const viewed v({{"find", "things"}, {"$db", "first"}, {"$db", "second"}});
  EXPECT_EQ(v.view.db, "first");
  EXPECT_TRUE(v.view.unmodelled);
}

TEST(command_view, any_generic_field_given_twice_is_not_modelled) {
  const document some{{"id", 1}};
  for (const auto& [name, content] : std::vector<document::field>{{"comment", "x"},
                                                                  {"lsid", some},
                                                                  {"txnNumber", 1L},
                                                                  {"maxTimeMS", 1},
                                                                  {"autocommit", false},
                                                                  {"startTransaction", true},
                                                                  {"readConcern", document{}},
                                                                  {"writeConcern", document{}},
                                                                  {"$clusterTime", some},
                                                                  {"$readPreference", document{{"mode", "primary"}}}}) {
    EXPECT_FALSE(viewed({{"find", "a"}, {name, content}}).view.unmodelled) << name;
    EXPECT_TRUE(viewed({{"find", "a"}, {name, content}, {name, content}}).view.unmodelled) << name;
  }
}

TEST(command_view, names_that_only_resemble_generic_ones_are_left_alone) {
  for (const auto* name : {"$DB", "lsiD", "comments", "txnnumber", "maxTimeMs", "Autocommit", "readconcern",
                           "WriteConcern", "$clustertime", "$readpreference", "starttransaction"}) {
    EXPECT_FALSE(viewed({{"find", "a"}, {name, null_value{}}}).view.unmodelled) << name;
  }
}

TEST(command_view, lsid_is_the_document) {
  const document id{{"id", binary{4, byte_buffer(16, 9)}}};
  const viewed v(find_with("lsid", id));
  EXPECT_TRUE(equal(v.view.lsid, id.bytes()));
}

TEST(command_view, transaction_fields) {
  const viewed v({{"find", "a"}, {"txnNumber", 5L}, {"autocommit", false}, {"startTransaction", true}});
  EXPECT_TRUE(v.view.has_txn_number);
  EXPECT_EQ(v.view.txn_number, 5);
  EXPECT_TRUE(v.view.in_transaction);
  EXPECT_TRUE(v.view.starts_transaction);
  EXPECT_FALSE(v.view.unmodelled);
}

TEST(command_view, txn_number_of_another_type_is_there_but_not_modelled) {
  for (const auto& number : std::vector<value>{1, 1.0, "1", null_value{}}) {
    const viewed v(find_with("txnNumber", number));
    EXPECT_TRUE(v.view.has_txn_number);
    EXPECT_TRUE(v.view.unmodelled);
  }
}

TEST(command_view, autocommit_other_than_false_is_a_transaction_not_modelled) {
  for (const auto& flag : std::vector<value>{true, 0, null_value{}}) {
    const viewed v(find_with("autocommit", flag));
    EXPECT_TRUE(v.view.in_transaction);
    EXPECT_TRUE(v.view.unmodelled);
  }
}

TEST(command_view, start_transaction_other_than_true_is_not_modelled) {
  EXPECT_TRUE(viewed(find_with("startTransaction", false)).view.unmodelled);
  EXPECT_TRUE(viewed(find_with("startTransaction", 1)).view.unmodelled);
}

TEST(command_view, read_concern_levels) {
  const auto level = [](const char* name) {
    return viewed(find_with("readConcern", document{{"level", name}})).view.level;
  };
  EXPECT_EQ(level("local"), read_level::local);
  EXPECT_EQ(level("majority"), read_level::majority);
  EXPECT_EQ(level("snapshot"), read_level::other);
  EXPECT_EQ(level("linearizable"), read_level::other);
  EXPECT_EQ(level("available"), read_level::other);
  EXPECT_EQ(level("LOCAL"), read_level::other);
}

TEST(command_view, empty_read_concern_is_given_without_a_level) {
  const viewed v(find_with("readConcern", document{}));
  EXPECT_TRUE(v.view.has_read_concern);
  EXPECT_EQ(v.view.level, read_level::none);
  EXPECT_FALSE(v.view.read_concern_unmodelled);
}

TEST(command_view, after_cluster_time) {
  const viewed v(find_with("readConcern", document{{"afterClusterTime", timestamp{77}}}));
  EXPECT_EQ(v.view.after_cluster_time, 77U);
  EXPECT_FALSE(v.view.read_concern_unmodelled);
}

TEST(command_view, read_concern_not_modelled) {
  const document malformed{{"level", raw_value{static_cast<bson_type>(0x42), {}}}};
  for (const auto& concern : std::vector<value>{
           document{{"atClusterTime", timestamp{7}}}, document{{"provenance", "clientSupplied"}},
           document{{"level", 1}}, document{{"level", "local"}, {"level", "local"}}, document{{"afterClusterTime", 5L}},
           document{{"afterClusterTime", timestamp{0}}}, array{}, "majority", null_value{}, malformed}) {
    const viewed v(find_with("readConcern", concern));
    EXPECT_EQ(v.error, command_error::none);
    EXPECT_TRUE(v.view.has_read_concern);
    EXPECT_TRUE(v.view.read_concern_unmodelled);
  }
}

TEST(command_view, w_0_of_any_number_type_is_unacknowledged) {
  for (const auto& w : std::vector<value>{0, 0L, 0.0, -0.0, 0.5, std::numeric_limits<double>::quiet_NaN()}) {
    const viewed v(find_with("writeConcern", document{{"w", w}}));
    EXPECT_TRUE(v.view.unacknowledged);
    EXPECT_FALSE(v.view.unmodelled);
  }
}

TEST(command_view, other_w_is_acknowledged) {
  for (const auto& w : std::vector<value>{1, 3L, 1.0, "majority", document{{"tag", 1}}}) {
    const viewed v(find_with("writeConcern", document{{"w", w}, {"wtimeout", 0}, {"j", true}}));
    EXPECT_FALSE(v.view.unacknowledged);
    EXPECT_FALSE(v.view.unmodelled);
  }
}

TEST(command_view, w_of_another_type_is_not_modelled) {
  for (const auto& w : std::vector<value>{decimal_zero, null_value{}, false}) {
    EXPECT_TRUE(viewed(find_with("writeConcern", document{{"w", w}})).view.unmodelled);
  }
}

TEST(command_view, one_w_0_of_two_is_unacknowledged) {
  const viewed v(find_with("writeConcern", document{{"w", 0}, {"w", 1}}));
  EXPECT_TRUE(v.view.unacknowledged);
  EXPECT_TRUE(v.view.unmodelled);
}

TEST(command_view, max_time_of_any_integral_number) {
  for (const auto& time : std::vector<value>{250, 250L, 250.0}) {
    const viewed v(find_with("maxTimeMS", time));
    EXPECT_EQ(v.view.max_time_ms, 250);
    EXPECT_FALSE(v.view.unmodelled);
  }
}

TEST(command_view, max_time_not_modelled) {
  for (const auto& time : std::vector<value>{-1, 0.5, "1", null_value{}, decimal_zero, 2'147'483'648L}) {
    const viewed v(find_with("maxTimeMS", time));
    EXPECT_EQ(v.view.max_time_ms, 0);
    EXPECT_TRUE(v.view.unmodelled);
  }
}

TEST(command_view, cluster_time_is_noticed) {
  EXPECT_TRUE(viewed(find_with("$clusterTime", document{})).view.has_cluster_time);
}

TEST(command_view, read_preference) {
  const viewed v(find_with("$readPreference", document{{"mode", "nearest"}, {"maxStalenessSeconds", 90}}));
  EXPECT_TRUE(v.view.has_read_preference);
  EXPECT_EQ(v.view.read_preference_mode, "nearest");
  EXPECT_FALSE(v.view.read_preference_has_tags);
  EXPECT_FALSE(v.view.unmodelled);
}

TEST(command_view, only_a_tag_list_with_a_set_counts) {
  const auto has_tags = [](const value& tags) {
    return viewed(find_with("$readPreference", document{{"mode", "secondary"}, {"tags", tags}}))
        .view.read_preference_has_tags;
  };
  EXPECT_FALSE(has_tags(array{}));
  EXPECT_TRUE(has_tags(array{document{}}));
  EXPECT_TRUE(has_tags("wrong"));
}

TEST(command_view, read_preference_not_modelled) {
  for (const auto& preference :
       std::vector<value>{document{}, document{{"mode", 1}}, document{{"mode", "primary"}, {"unknown", 1}},
                          document{{"mode", "primary"}, {"tags", document{}}}, "primary"}) {
    const viewed v(find_with("$readPreference", preference));
    EXPECT_TRUE(v.view.has_read_preference);
    EXPECT_TRUE(v.view.unmodelled);
  }
}

TEST(command_view, comment_of_any_type_is_modelled) {
  EXPECT_EQ(viewed(find_with("comment", "why")).view.comment, "why");
  EXPECT_FALSE(viewed(find_with("comment", document{{"a", 1}})).view.unmodelled);
}

TEST(command_view, every_error_has_a_name) {
  for (int i = 0; i <= static_cast<int>(command_error::bad_generic_field); ++i) {
    EXPECT_STRNE(name_of(static_cast<command_error>(i)), "unknown");
  }
}

TEST(command_view, rebased_to_a_copy_it_is_what_a_walk_over_the_copy_gives) {
  viewed v({{"find", "things"},
            {"filter", document{{"_id", 5}}},
            {"lsid", document{{"id", "s"}}},
            {"comment", "why"},
            {"$readPreference", document{{"mode", "nearest"}}},
            {"$db", "shop"}});
  const auto copy = v.message;
  auto rebased = v.view;
  rebase(rebased, v.message, copy);
  v.message.assign(v.message.size(), 0xff);

  op_msg parsed;
  ASSERT_EQ(parse_op_msg(copy, parsed), op_msg_error::none);
  command_view fresh;
  ASSERT_EQ(view_command(parsed, 7, fresh), command_error::none);
  const auto same = [](auto a, auto b) { return a.data() == b.data() && a.size() == b.size(); };
  EXPECT_TRUE(same(rebased.message.body.bytes(), fresh.message.body.bytes()));
  EXPECT_TRUE(same(rebased.name, fresh.name) && same(rebased.db, fresh.db));
  EXPECT_TRUE(same(rebased.collection, fresh.collection) && same(rebased.comment, fresh.comment));
  EXPECT_TRUE(same(rebased.read_preference_mode, fresh.read_preference_mode) && same(rebased.lsid, fresh.lsid));
  EXPECT_TRUE(same(rebased.first.name, fresh.first.name) && same(rebased.first.value, fresh.first.value));
  EXPECT_TRUE(same(rebased.first.raw, fresh.first.raw));
  EXPECT_EQ(rebased.comment, "why");
}

TEST(command_view, rebased_sequences_move_along_and_absent_fields_stay_empty) {
  const document one{{"_id", 1}};
  const auto message = op_msg_message({{"insert", "things"}, {"$db", "shop"}}, {}, {{"documents", {one}}});
  op_msg parsed;
  ASSERT_EQ(parse_op_msg(message, parsed), op_msg_error::none);
  command_view view;
  ASSERT_EQ(view_command(parsed, 7, view), command_error::none);
  const auto copy = message;
  rebase(view, message, copy);
  ASSERT_EQ(view.message.sequence_count, 1U);
  const auto& sequence = view.message.sequences[0];
  EXPECT_EQ(sequence.name, "documents");
  EXPECT_GE(sequence.documents.data(), copy.data());
  EXPECT_LE(sequence.documents.data() + sequence.documents.size(), copy.data() + copy.size());
  EXPECT_TRUE(view.lsid.empty() && view.comment.empty());
}

}  // namespace
}  // namespace mongocached::protocol
