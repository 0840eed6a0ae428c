#include "cache/read_plan.hpp"

#include "read_plan_support.hpp"

namespace mongocached::cache {
namespace {

const std::vector<std::pair<const char*, value>>& usual_ids() {
  static const std::vector<std::pair<const char*, value>> ids{
      {"ObjectId", some_object_id},
      {"string", "user:17"},
      {"int32", 17},
      {"int64", 17L},
      {"double", 17.0},
      {"fraction", 17.5},
      {"decimal", decimal(17, 0)},
      {"UUID", binary{4, byte_buffer(16, 7)}},
      {"old UUID", binary{3, byte_buffer(16, 7)}},
      {"date", date{1700000000000}},
      {"boolean", true},
      {"document", document{{"tenant", 5}, {"user", "a"}}},
      {"timestamp", timestamp{77}},
  };
  return ids;
}

TEST(read_plan, every_usual_id_is_looked_up_however_it_is_asked_for) {
  for (const auto& [what, id] : usual_ids()) {
    const auto plain = planned(find({{"_id", id}}));
    ASSERT_EQ(outcome(plain), "by_id") << what;
    ASSERT_EQ(plain.ids.size(), 1U);
    EXPECT_EQ(plain.id_key(0).hash, hash_key(plain.id_key(0).bytes));
    EXPECT_EQ(namespace_of(plain.id_key(0).bytes), "shop.things");
    const auto eq = planned(find({{"_id", document{{"$eq", id}}}}));
    ASSERT_EQ(outcome(eq), "by_id") << what;
    EXPECT_EQ(key_text(eq.id_key(0)), key_text(plain.id_key(0))) << what;
    const auto in = planned(find({{"_id", document{{"$in", array{id, id}}}}}));
    ASSERT_EQ(outcome(in), "by_ids") << what;
    ASSERT_EQ(in.ids.size(), 1U);
    EXPECT_EQ(key_text(in.id_key(0)), key_text(plain.id_key(0))) << what;
  }
}

TEST(read_plan, a_key_is_its_namespace_and_its_id) {
  const auto plan = planned(find({{"_id", 5}}));
  byte_buffer expected;
  begin_key(expected, key_kind::document, "shop", "things");
  ASSERT_TRUE(append_canonical_id(expected, owned_element(5.0).get()));
  EXPECT_EQ(key_text(plan.id_key(0)), protocol::as_text(expected));
}

TEST(read_plan, projections_on_a_look_up_are_compiled) {
  const document item{{"_id", 1}, {"a", document{{"b", 2}, {"c", 3}}}, {"d", 4}};
  const std::vector<std::pair<document, document>> samples{
      {{{"d", 1}}, {{"_id", 1}, {"d", 4}}},
      {{{"d", 1}, {"_id", 0}}, {{"d", 4}}},
      {{{"a", 0}}, {{"_id", 1}, {"d", 4}}},
      {{{"a.b", 1}}, {{"_id", 1}, {"a", document{{"b", 2}}}}},
  };
  for (const auto& [spec, result] : samples) {
    const auto body = with(find({{"_id", 1}}), "projection", spec);
    const parsed_command command(body);
    read_plan plan;
    plan_read(command.view(), {}, plan);
    ASSERT_EQ(outcome(plan), "by_id");
    ASSERT_TRUE(plan.projected);
    byte_buffer out;
    ASSERT_TRUE(plan.project.apply(item.view(), out));
    EXPECT_EQ(out, result.bytes());
  }
}

TEST(read_plan, in_is_answered_in_id_order_without_repetitions) {
  const auto body = find({{"_id", document{{"$in", array{7, 5.0, 6L, decimal(70, -1), 5}}}}});
  const parsed_command command(body);
  read_plan plan;
  plan_read(command.view(), {}, plan);
  ASSERT_EQ(outcome(plan), "by_ids");
  ASSERT_EQ(plan.ids.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto single = planned(find({{"_id", static_cast<int>(5 + i)}}));
    EXPECT_EQ(key_text(plan.id_key(i)), key_text(single.id_key(0)));
    EXPECT_EQ(plan.id_key(i).hash, single.id_key(0).hash);
  }
}

document numbered(int count, int step = 1) {
  byte_buffer bytes;
  {
    protocol::bson_builder builder(bytes);
    for (int i = 0; i < count; ++i) builder.append_int32(std::to_string(i), i / step);
  }
  return document(std::move(bytes));
}

document find_in(const document& members) {
  auto list = value(members);
  list.type = bson_type::array;
  return find({{"_id", document{{"$in", list}}}});
}

TEST(read_plan, in_takes_a_hundred_distinct_values) {
  EXPECT_EQ(planned(find_in(numbered(100))).ids.size(), 100U);
  EXPECT_EQ(planned(find_in(numbered(400, 4))).ids.size(), 100U);
  EXPECT_EQ(outcome_of(find_in(numbered(101))), "list");
  EXPECT_EQ(outcome_of(find_in(numbered(101)), {.lists = false}), "forward: in_list");
  EXPECT_EQ(outcome_of(find_in(numbered(1001, 1001)), {.lists = false}), "forward: in_list");
}

TEST(read_plan, in_of_what_is_not_modelled_is_a_list) {
  for (const auto& members : {array{1, "a"}, array{1, null_value{}}, array{regex("a")}, array{}, array{1, array{1}}}) {
    const auto body = find({{"_id", document{{"$in", members}}}});
    EXPECT_EQ(outcome_of(body), "list");
    EXPECT_EQ(outcome_of(body, {.lists = false}), "forward: in_list");
  }
}

TEST(read_plan, limit_and_batch_size_of_in_travel_with_the_plan) {
  const auto base = find({{"_id", document{{"$in", array{1, 2, 3}}}}});
  auto plan = planned(with(with(base, "limit", 2), "batchSize", 5));
  ASSERT_EQ(outcome(plan), "by_ids");
  EXPECT_EQ(plan.limit, 2);
  EXPECT_EQ(plan.batch_size, 5);
  plan = planned(base);
  EXPECT_EQ(plan.limit, 0);
  EXPECT_EQ(plan.batch_size, 0);
  EXPECT_EQ(planned(with(base, "batchSize", 2)).batch_size, 2);
}

TEST(read_plan, a_batch_that_cuts_is_not_looked_up) {
  const read_rules no_lists{.lists = false};
  const auto one = find({{"_id", 1}});
  EXPECT_EQ(outcome_of(with(one, "batchSize", 1), no_lists), "forward: batch_size");
  EXPECT_EQ(outcome_of(with(one, "batchSize", 1)), "list");  // the reply says whether it was all
  EXPECT_EQ(outcome_of(with(one, "batchSize", 0)), "forward: batch_size");
  EXPECT_EQ(outcome_of(with(with(one, "batchSize", 1), "limit", 1), no_lists), "by_id");
  EXPECT_EQ(outcome_of(with(with(one, "batchSize", 1), "singleBatch", true), no_lists), "by_id");
  EXPECT_EQ(outcome_of(with(one, "batchSize", 2), no_lists), "by_id");
  const auto three = with(find({{"_id", document{{"$in", array{1, 2, 3}}}}}), "singleBatch", true);
  EXPECT_EQ(outcome_of(with(three, "batchSize", 2), no_lists), "forward: batch_size");
  EXPECT_EQ(outcome_of(with(three, "batchSize", 4), no_lists), "by_ids");
}

// Asks by _id, but with what a look-up does not model: a query result like any other.
TEST(read_plan, an_unmodelled_look_up_is_a_list_where_lists_are_allowed) {
  const auto base = find({{"_id", 1}});
  const std::vector<std::pair<document, const char*>> samples{
      {with(base, "sort", document{{"a", 1}}), "option"},
      {with(base, "skip", 1), "option"},
      {with(base, "hint", document{{"_id", 1}}), "option"},
      {with(base, "hint", "_id_"), "option"},
      {with(base, "let", document{{"x", 1}}), "option"},
      {with(base, "collation", document{{"locale", "de"}}), "collation"},
      {with(base, "projection", document{{"a", document{{"$slice", 1}}}}), "projection"},
      {with(base, "projection", document{{"a.$", 1}}), "projection"},
      {with(base, "apiVersion", "2"), "option"},
      {with(with(base, "apiVersion", "1"), "apiStrict", true), "option"},
      {find({{"_id", null_value{}}}), "id_type"},
      {find({{"_id", decimal(5, -1)}}), "id_type"},
      {find({{"_id", regex("^a")}}), "id_type"},
      {find({{"_id", document{{"$eq", regex("^a")}}}}), "id_type"},
      {find({{"_id", array{1}}}), "id_type"},
      {find({{"_id", document{{"$gt", 1}}}}), "namespace_unknown"},
      {find({{"_id", document{{"$in", array{1}}, {"$ne", 2}}}}), "namespace_unknown"},
      {find({{"_id", document{{"$ref", "a"}, {"$id", 1}}}}), "namespace_unknown"},
      {find({{"_id", 1}, {"a", 2}}), "namespace_unknown"},
      {find({{"_id", 1}, {"_id", 2}}), "namespace_unknown"},
      {find(document{}), "namespace_unknown"},
  };
  for (const auto& [body, reason] : samples) {
    EXPECT_EQ(outcome_of(body), "list") << reason;
    EXPECT_EQ(outcome_of(body, {.lists = false}), std::string("forward: ") + reason);
  }
}

TEST(read_plan, queries_are_lists) {
  const auto base = find({{"state", "open"}});
  const std::vector<document> lists{
      base,
      {{"find", "things"}, {"$db", "shop"}},
      with(with(with(base, "sort", document{{"at", -1}}), "skip", 20L), "limit", 10L),
      with(base, "projection", document{{"a", document{{"$elemMatch", document{{"x", 1}}}}}}),
      with(base, "allowDiskUse", true),
      find({{"$or", array{document{{"a", 1}}, document{{"b", document{{"$gte", 5}}}}}}}),
  };
  for (const auto& body : lists) {
    const auto plan = planned(body);
    ASSERT_EQ(outcome(plan), "list");
    EXPECT_EQ(plan.list_key().hash, hash_key(plan.key_bytes));
    EXPECT_EQ(plan.key_bytes[0], 'l');
    EXPECT_EQ(namespace_of(plan.key_bytes), "shop.things");
    EXPECT_TRUE(plan.ids.empty());
  }
}

TEST(read_plan, string_ids_wait_until_the_collation_is_known) {
  const read_rules rules{.lists = false, .string_ids = false};
  EXPECT_EQ(outcome_of(find({{"_id", "a"}}), rules), "forward: collation");
  EXPECT_EQ(outcome_of(find({{"_id", document{{"a", "x"}}}}), rules), "forward: collation");
  EXPECT_EQ(outcome_of(find({{"_id", document{{"$in", array{"a"}}}}}), rules), "forward: collation");
  EXPECT_EQ(outcome_of(find({{"_id", 1}}), rules), "by_id");
  EXPECT_EQ(outcome_of(find({{"_id", document{{"a", 1}}}}), rules), "by_id");
}

TEST(read_plan, a_sharded_collection_may_hold_an_id_twice) {
  const read_rules rules{.sharded = true};
  EXPECT_EQ(outcome_of(find({{"_id", 1}}), rules), "forward: sharded");
  EXPECT_EQ(outcome_of(find({{"_id", document{{"$in", array{1}}}}}), rules), "forward: sharded");
  EXPECT_EQ(outcome_of(find({{"a", 1}}), rules), "list");
  EXPECT_EQ(outcome_of(find({{"_id", document{{"$gt", 1}}}}), rules), "list");
}

TEST(read_plan, a_comment_may_ask_something_of_the_cache) {
  for (const auto& query : {find({{"_id", 1}}), find({{"_id", document{{"$in", array{1, 2}}}}}), find({{"a", 1}})}) {
    const auto plain = planned(query);
    EXPECT_EQ(plain.hint, read_hint{});
    EXPECT_EQ(outcome_of(with(query, "comment", "mongocached:bypass")), "forward: hint");
    EXPECT_EQ(outcome_of(with(query, "comment", "mongocached:foo")), "forward: hint");
    const auto refreshed = planned(with(query, "comment", "mongocached:refresh"));
    EXPECT_EQ(refreshed.hint, read_hint{.refresh = true});
    const auto fresh = planned(with(query, "comment", "report mongocached:ttl=30s"));
    EXPECT_EQ(fresh.hint, read_hint{.max_age = std::chrono::seconds(30)});
    for (const auto* plan : {&refreshed, &fresh}) {
      EXPECT_EQ(outcome(*plan), outcome(plain));
      EXPECT_EQ(plan->key_bytes, plain.key_bytes) << "S7: the comment stays out of the key";
    }
  }
}

TEST(read_plan, only_a_comment_that_is_a_string_is_a_hint) {
  const std::vector<value> comments{1, document{{"x", "mongocached:bypass"}}, array{"mongocached:bypass"},
                                    text_of_type(bson_type::symbol, "mongocached:bypass"), "nothing of ours"};
  for (const auto& comment : comments) {
    const auto plan = planned(with(find({{"_id", 1}}), "comment", comment));
    EXPECT_EQ(outcome(plan), "by_id");
    EXPECT_EQ(plan.hint, read_hint{});
  }
  EXPECT_EQ(outcome_of(find({{"a", 1}, {"$comment", "mongocached:bypass"}})), "list");
}

TEST(read_plan, a_plan_forgets_the_one_before_and_keeps_its_memory) {
  const auto look_up = with(find({{"_id", some_object_id}}), "projection", document{{"a.b", 1}});
  const auto many = with(find({{"_id", document{{"$in", array{1, 2}}}}}), "limit", 1);
  const auto query = find({{"a", 1}});
  const auto refused = find({{"$where", "x"}});
  const auto hinted = with(find({{"_id", 1}}), "comment", "mongocached:refresh mongocached:ttl=1s");
  read_plan plan;
  for (int round = 0; round < 2; ++round) {
    for (const auto* body : {&look_up, &many, &query, &hinted, &refused}) {
      const parsed_command command(*body);
      read_plan fresh;
      plan_read(command.view(), {}, plan);
      plan_read(command.view(), {}, fresh);
      EXPECT_EQ(outcome(plan), outcome(fresh));
      EXPECT_EQ(plan.key_bytes, fresh.key_bytes);
      EXPECT_EQ(plan.ids.size(), fresh.ids.size());
      EXPECT_EQ(plan.projected, fresh.projected);
      EXPECT_EQ(plan.limit, fresh.limit);
      EXPECT_EQ(plan.list_hash, fresh.list_hash);
      EXPECT_EQ(plan.hint, fresh.hint);
    }
  }
  const parsed_command command(look_up);
  const auto* bytes = plan.key_bytes.data();
  const auto* ids = plan.ids.data();
  plan_read(command.view(), {}, plan);
  EXPECT_EQ(plan.key_bytes.data(), bytes);
  EXPECT_EQ(plan.ids.data(), ids);
}

}  // namespace
}  // namespace mongocached::cache
