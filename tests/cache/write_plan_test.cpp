#include "cache/write_plan.hpp"

#include "write_plan_support.hpp"

namespace mongocached::cache {
namespace {

std::vector<std::string> keys_of(const write_plan& plan) {
  std::vector<std::string> out;
  for (const auto& target : plan.targets) {
    for (const auto& [begin, end] : target.keys) {
      out.emplace_back(protocol::as_text(byte_view(target.key_bytes).subspan(begin, end - begin)));
    }
  }
  return out;
}

// The key under which a reader finds that document.
std::string read_key(const value& id, const char* db = "shop", const char* collection = "things") {
  const parsed_command command({{"find", collection}, {"filter", document{{"_id", id}}}, {"$db", db}});
  read_plan plan;
  plan_read(command.view(), {}, plan);
  EXPECT_EQ(outcome(plan), "by_id");
  return key_text(plan.id_key(0));
}

document update(const document& q) {
  const document statement{{"q", q}, {"u", document{{"$set", document{{"a", 1}}}}}};
  return with(on_shop("update"), "updates", array{statement});
}

TEST(write_plan, an_insert_changes_what_a_look_up_of_its_ids_finds) {
  const document plain{{"_id", 5L}, {"a", 1}};
  const document late{{"a", 1}, {"_id", "x"}};
  const auto in_body = planned(with(on_shop("insert"), "documents", array{plain, late}));
  EXPECT_EQ(described(in_body), "write; keys shop.things 2");
  EXPECT_EQ(keys_of(in_body), (std::vector{read_key(5.0), read_key("x")}));
  const auto in_sequence = planned(on_shop("insert"), {{"documents", {plain, late}}});
  EXPECT_EQ(keys_of(in_sequence), keys_of(in_body));
}

TEST(write_plan, an_insert_with_an_unknown_id_reaches_the_collection) {
  const std::string all = "write; collection shop.things";
  const document plain{{"_id", 1}};
  EXPECT_EQ(plan_of(with(on_shop("insert"), "documents", array{plain, document{{"a", 1}}})), all);
  EXPECT_EQ(plan_of(with(on_shop("insert"), "documents", array{document{{"_id", null_value{}}}, plain})), all);
  EXPECT_EQ(plan_of(with(on_shop("insert"), "documents", array{1})), all);
  EXPECT_EQ(plan_of(with(on_shop("insert"), "documents", 1)), all);
  EXPECT_EQ(plan_of(with(on_shop("insert"), "documents", array{})), all);
  EXPECT_EQ(plan_of(on_shop("insert")), all);
  EXPECT_EQ(plan_of(with(on_shop("insert"), "documents", array{plain}), {{"documents", {plain}}}), all);
  const document broken{{"a", raw_value{bson_type::string, {9, 0, 0, 0, 0}}}, {"_id", 1}};
  EXPECT_EQ(plan_of(on_shop("insert"), {{"documents", {broken}}}), all);
}

TEST(write_plan, filters_that_name_their_documents) {
  const std::vector<std::pair<document, std::vector<std::string>>> samples{
      {{{"_id", 5}}, {read_key(5)}},
      {{{"_id", document{{"$eq", some_object_id}}}}, {read_key(some_object_id)}},
      {{{"_id", document{{"$in", array{1, "a"}}}}}, {read_key(1), read_key("a")}},
      {{{"_id", document{{"t", 1}, {"u", 2}}}}, {read_key(document{{"t", 1}, {"u", 2}})}},
      {{{"_id", 5}, {"version", 3}}, {read_key(5)}},
      {{{"$or", array{document{{"a", 1}}, document{{"_id", 9}}}}, {"_id", 5}}, {read_key(5)}},
      {{{"_id", document{{"$in", array{}}}}}, {}},
  };
  for (const auto& [filter, keys] : samples) {
    EXPECT_EQ(keys_of(planned(update(filter))), keys);
    const auto expected = "write; keys shop.things " + std::to_string(keys.size());
    EXPECT_EQ(plan_of(update(filter)), expected);
    EXPECT_EQ(plan_of(on_shop("update"), {{"updates", {document{{"q", filter}, {"u", document{}}, {"multi", true}}}}}),
              expected);
    EXPECT_EQ(plan_of(on_shop("delete"), {{"deletes", {document{{"q", filter}, {"limit", 0}}}}}), expected);
    EXPECT_EQ(plan_of(with(on_shop("findAndModify"), "query", filter)), expected);
    EXPECT_EQ(plan_of(with(on_shop("findandmodify"), "query", filter)), expected);
  }
}

TEST(write_plan, filters_that_do_not) {
  const std::vector<document> filters{
      document{},
      {{"a", 1}},
      {{"_id", 5}, {"_id", 6}},
      {{"_id", document{{"$gt", 5}}}},
      {{"_id", document{{"$in", array{1}}, {"$ne", 2}}}},
      {{"_id", document{{"$in", array{1, null_value{}}}}}},
      {{"_id", document{{"$in", 1}}}},
      {{"_id", null_value{}}},
      {{"_id", decimal(5, -1)}},
      {{"_id", text_of_type(bson_type::symbol, "a")}},
      {{"_id", regex("a")}},
      {{"$or", array{document{{"_id", 1}}}}},
      {{"_id", 5}, {"a", raw_value{bson_type::string, {9, 0, 0, 0, 0}}}},
  };
  for (std::size_t i = 0; i < filters.size(); ++i) {
    EXPECT_EQ(plan_of(update(filters[i])), "write; collection shop.things") << i;
    EXPECT_EQ(plan_of(with(on_shop("findAndModify"), "query", filters[i])), "write; collection shop.things") << i;
  }
  EXPECT_EQ(plan_of(on_shop("findAndModify")), "write; collection shop.things");
  EXPECT_EQ(plan_of(on_shop("update")), "write; collection shop.things");
}

TEST(write_plan, an_upsert_must_not_make_up_an_id) {
  const auto upsert = [](const document& q, const value& flag) {
    return plan_of(with(on_shop("update"), "updates", array{document{{"q", q}, {"u", document{}}, {"upsert", flag}}}));
  };
  const document in{{"_id", document{{"$in", array{1}}}}};
  EXPECT_EQ(upsert({{"_id", 5}}, true), "write; keys shop.things 1");
  EXPECT_EQ(upsert({{"_id", document{{"$eq", 5}}}}, true), "write; keys shop.things 1");
  EXPECT_EQ(upsert({{"email", "a"}}, true), "write; collection shop.things");
  EXPECT_EQ(upsert(in, true), "write; collection shop.things");
  EXPECT_EQ(upsert(in, 1), "write; collection shop.things");
  EXPECT_EQ(upsert(in, "yes"), "write; collection shop.things");
  EXPECT_EQ(upsert(in, false), "write; keys shop.things 1");
  EXPECT_EQ(plan_of(with(with(on_shop("findAndModify"), "query", in), "upsert", true)),
            "write; collection shop.things");
}

TEST(write_plan, a_collation_changes_what_equality_means) {
  const document statement{{"q", document{{"_id", "a"}}}, {"limit", 1}, {"collation", document{{"locale", "de"}}}};
  EXPECT_EQ(plan_of(on_shop("delete"), {{"deletes", {statement}}}), "write; collection shop.things");
  const auto modify = with(with(on_shop("findAndModify"), "query", document{{"_id", "a"}}), "collation", document{});
  EXPECT_EQ(plan_of(modify), "write; collection shop.things");
}

TEST(write_plan, an_argument_given_twice_is_not_trusted) {
  const document statement{{"q", document{{"_id", 1}}}, {"q", document{{"_id", 2}}}, {"limit", 1}};
  EXPECT_EQ(plan_of(on_shop("delete"), {{"deletes", {statement}}}), "write; collection shop.things");
}

TEST(write_plan, one_statement_of_unknown_extent_is_enough) {
  const document exact{{"q", document{{"_id", 1}}}, {"limit", 1}};
  const document open{{"q", document{{"a", 1}}}, {"limit", 1}};
  EXPECT_EQ(plan_of(on_shop("delete"), {{"deletes", {exact, exact}}}), "write; keys shop.things 2");
  EXPECT_EQ(plan_of(on_shop("delete"), {{"deletes", {exact, open, exact}}}), "write; collection shop.things");
}

TEST(write_plan, keys_are_bounded) {
  const auto inserts = [](std::size_t count) {
    std::vector<document> documents;
    for (std::size_t i = 0; i < count; ++i) documents.push_back({{"_id", static_cast<int>(i)}});
    return plan_of(on_shop("insert"), {{"documents", documents}});
  };
  EXPECT_EQ(inserts(max_planned_keys), "write; keys shop.things " + std::to_string(max_planned_keys));
  EXPECT_EQ(inserts(max_planned_keys + 1), "write; collection shop.things");
}

TEST(write_plan, a_cut_message_reaches_whole_collections) {
  for (const auto* name : {"insert", "update", "delete", "findAndModify"}) {
    EXPECT_EQ(plan_of(on_shop(name), {}, false), "write; collection shop.things") << name;
    EXPECT_EQ(plan_of(document{{name, "things"}}, {}, false), "authorization; everything") << name;
  }
  EXPECT_EQ(plan_of(on_admin("bulkWrite"), {}, false), "authorization; everything");
  EXPECT_EQ(plan_of(on_shop("find"), {}, false), "read");
}

TEST(write_plan, what_a_cut_message_may_hide_is_taken_for_granted) {
  const auto merges = with(on_shop("aggregate"), "pipeline", array{document{{"$merge", "sums"}}});
  EXPECT_FALSE(planned(merges).deferred);
  EXPECT_TRUE(planned(merges, {}, false).deferred);
  EXPECT_EQ(plan_of(on_shop("validate")), "read");
  EXPECT_EQ(plan_of(on_shop("validate"), {}, false), plan_of(with(on_shop("validate"), "repair", true)));
}

TEST(write_plan, client_level_bulk_write) {
  const document info{{"ns", "shop.things"}};
  const document other{{"ns", "blog.posts.old"}};
  const document insert{{"insert", 0}, {"document", document{{"_id", 1}}}};
  const document change{{"update", 1}, {"filter", document{{"_id", 2}}}, {"updateMods", document{}}, {"multi", false}};
  const document removal{{"delete", 0}, {"filter", document{{"_id", 3}}}, {"multi", false}};
  const auto plan = planned(on_admin("bulkWrite"), {{"ops", {insert, change, removal}}, {"nsInfo", {info, other}}});
  EXPECT_EQ(described(plan), "write; keys shop.things 2; keys blog.posts.old 1");
  EXPECT_EQ(keys_of(plan), (std::vector{read_key(1), read_key(3), read_key(2, "blog", "posts.old")}));
  const auto body = with(with(on_admin("bulkWrite"), "ops", array{insert, removal}), "nsInfo", array{info});
  EXPECT_EQ(plan_of(body), "write; keys shop.things 2");
  const document open{{"delete", 1}, {"filter", document{}}, {"multi", true}};
  EXPECT_EQ(plan_of(on_admin("bulkWrite"), {{"ops", {insert, open}}, {"nsInfo", {info, other}}}),
            "write; keys shop.things 1; collection blog.posts.old");
}

TEST(write_plan, a_bulk_write_not_understood_reaches_everything) {
  const document info{{"ns", "shop.things"}};
  const document insert{{"insert", 0}, {"document", document{{"_id", 1}}}};
  const std::string all = "authorization; everything";
  const auto bulk = [](const document& operation, const document& ns) {
    return plan_of(on_admin("bulkWrite"), {{"ops", {operation}}, {"nsInfo", {ns}}});
  };
  EXPECT_EQ(bulk({{"insert", 1}, {"document", document{}}}, info), all);
  EXPECT_EQ(bulk({{"insert", -1}, {"document", document{}}}, info), all);
  EXPECT_EQ(bulk({{"insert", "0"}}, info), all);
  EXPECT_EQ(bulk({{"replace", 0}}, info), all);
  EXPECT_EQ(bulk(document{}, info), all);
  EXPECT_EQ(bulk(insert, document{}), all + " ddl");
  EXPECT_EQ(bulk(insert, {{"ns", "shop"}}), "write; database shop ddl");
  EXPECT_EQ(plan_of(on_admin("bulkWrite"), {{"ops", {insert}}}), all);
  EXPECT_EQ(plan_of(on_admin("bulkWrite"), {{"nsInfo", {info}}}), all);
  EXPECT_EQ(bulk({{"insert", 0}}, info), "write; collection shop.things");
}

TEST(write_plan, namespaces_of_one_command_are_bounded) {
  std::vector<document> operations;
  std::vector<document> namespaces;
  for (int i = 0; i < 100; ++i) {
    operations.push_back({{"insert", i}, {"document", document{{"_id", 1}}}});
    namespaces.push_back({{"ns", "shop.c" + std::to_string(i)}});
  }
  EXPECT_EQ(plan_of(on_admin("bulkWrite"), {{"ops", operations}, {"nsInfo", namespaces}}), "authorization; everything");
}

TEST(write_plan, system_collections_stand_for_their_database) {
  const document view{{"_id", "shop.v"}};
  EXPECT_EQ(plan_of(on_shop("insert", "system.views"), {{"documents", {view}}}), "write; database shop ddl");
  EXPECT_EQ(plan_of(with(on_shop("findAndModify", "system.js"), "query", document{{"_id", 1}})),
            "write; database shop ddl");
  EXPECT_EQ(plan_of(on_admin("insert", "system.users"), {{"documents", {view}}}), "authorization; database admin ddl");
  EXPECT_EQ(plan_of(on_admin("dropDatabase")), "authorization; database admin ddl");
}

TEST(write_plan, commands_without_a_database_reach_everything) {
  EXPECT_EQ(plan_of(document{{"insert", "things"}}, {{"documents", {document{{"_id", 1}}}}}),
            "authorization; everything");
  EXPECT_EQ(plan_of(document{{"drop", "things"}}), "authorization; everything ddl");
  EXPECT_EQ(plan_of(document{{"dropDatabase", 1}}), "authorization; everything ddl");
}

TEST(write_plan, transactions) {
  const document insert{{"_id", 1}};
  const auto body = with(with(with(on_shop("insert"), "txnNumber", 5L), "autocommit", false), "startTransaction", true);
  EXPECT_EQ(plan_of(body, {{"documents", {insert}}}), "write; keys shop.things 1");
  EXPECT_EQ(plan_of(on_admin("commitTransaction")), "commit");
  EXPECT_EQ(plan_of(on_admin("abortTransaction")), "session");
}

TEST(write_plan, unacknowledged_writes_say_so) {
  const document insert{{"_id", 1}};
  EXPECT_EQ(plan_of(with(on_shop("insert"), "writeConcern", document{{"w", 0}}), {{"documents", {insert}}}),
            "write; keys shop.things 1; unacknowledged");
  EXPECT_EQ(described(planned(on_shop("insert"), {{"documents", {insert}}}, true,
                              {.flags = protocol::op_msg_flags::more_to_come})),
            "write; keys shop.things 1; unacknowledged");
}

TEST(write_plan, a_plan_forgets_the_one_before) {
  const parsed_command bulk(on_admin("frobnicate"), {.flags = protocol::op_msg_flags::more_to_come});
  const parsed_command later(with(with(on_shop("aggregate"), "pipeline", array{document{{"$out", "a"}}}), "cursor",
                                  document{{"batchSize", 0}}));
  const parsed_command read(on_shop("find"));
  write_plan plan;
  plan_write(bulk.view(), true, plan);
  plan_write(later.view(), true, plan);
  EXPECT_EQ(described(plan), "write; collection shop.a ddl; deferred");
  plan_write(read.view(), true, plan);
  EXPECT_EQ(described(plan), "read");
}

}  // namespace
}  // namespace mongocached::cache
