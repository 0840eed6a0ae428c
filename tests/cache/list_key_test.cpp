#include "cache/list_key.hpp"

#include <set>

#include "policy_support.hpp"

namespace mongocached::cache {
namespace {

// The canonical command, or "refused: reason".
std::string key_of(const document& body) {
  const parsed_command command(body);
  byte_buffer out;
  const auto reason = append_list_key(out, command.view());
  if (reason != bypass_reason::none) return std::string("refused: ") + name_of(reason);
  return std::string(protocol::as_text(out));
}

document find(const document& filter) {
  return document{{"find", "things"}, {"filter", filter}, {"$db", "shop"}};
}

const document open_things = find({{"state", "open"}});

TEST(list_key, order_of_the_arguments_does_not_matter) {
  const document filter{{"a", 1}};
  const document sort{{"b", 1}};
  EXPECT_EQ(key_of({{"find", "things"}, {"filter", filter}, {"sort", sort}, {"limit", 5}, {"$db", "shop"}}),
            key_of({{"find", "things"}, {"$db", "shop"}, {"limit", 5}, {"sort", sort}, {"filter", filter}}));
}

TEST(list_key, what_changes_no_answer_is_left_out) {
  const auto key = key_of(open_things);
  const std::vector<std::pair<std::string_view, value>> fields{
      {"lsid", document{{"id", binary{4, byte_buffer(16)}}}},
      {"$clusterTime", document{{"clusterTime", timestamp{7}}}},
      {"comment", "why"},
      {"comment", document{{"a", 1}}},
      {"maxTimeMS", 500},
      {"$readPreference", document{{"mode", "secondary"}}},
      {"readConcern", document{{"level", "majority"}}},
      {"allowDiskUse", true},
      {"noCursorTimeout", false},
      {"sort", document{}},
      {"projection", document{}},
      {"skip", 0},
      {"limit", 0L},
      {"singleBatch", false},
      {"apiStrict", false},
  };
  for (const auto& [name, content] : fields) {
    const auto body = name == "apiStrict" ? with(open_things, "tailable", false) : open_things;
    EXPECT_EQ(key_of(with(body, name, content)), key) << name;
  }
  EXPECT_EQ(key_of(find(document{})), key_of(document{{"find", "things"}, {"$db", "shop"}}));
}

TEST(list_key, the_width_of_a_count_does_not_matter) {
  EXPECT_EQ(key_of(with(open_things, "limit", 5)), key_of(with(open_things, "limit", 5L)));
  EXPECT_EQ(key_of(with(open_things, "limit", 5)), key_of(with(open_things, "limit", 5.0)));
}

// All of these can have different answers (or be errors, which are never stored).
TEST(list_key, everything_that_changes_an_answer_is_in_it) {
  const std::vector<document> different{
      open_things,
      find({{"state", "closed"}}),
      find({{"n", 5}}),
      find({{"n", 5L}}),
      find({{"n", 5.0}}),
      find({{"a", 1}, {"b", 1}}),
      find({{"b", 1}, {"a", 1}}),
      with(open_things, "sort", document{{"a", 1}}),
      with(open_things, "sort", document{{"a", -1}}),
      with(open_things, "projection", document{{"a", 1}}),
      with(open_things, "skip", 5),
      with(open_things, "limit", 5),
      with(open_things, "batchSize", 5),
      with(open_things, "batchSize", 6),
      with(with(open_things, "batchSize", 5), "limit", 5),
      with(with(open_things, "batchSize", 5), "singleBatch", true),
      with(open_things, "singleBatch", true),
      with(open_things, "hint", document{{"a", 1}}),
      with(open_things, "hint", "a_1"),
      with(open_things, "collation", document{{"locale", "de"}}),
      with(open_things, "let", document{{"a", 1}}),
      with(open_things, "apiVersion", "1"),
      with(open_things, "apiVersion", "2"),
      with(with(open_things, "apiVersion", "1"), "apiStrict", true),
      with(with(open_things, "apiVersion", "1"), "apiDeprecationErrors", true),
  };
  std::set<std::string> keys;
  for (const auto& body : different) keys.insert(key_of(body));
  EXPECT_EQ(keys.size(), different.size());
  for (const auto& key : keys) EXPECT_FALSE(key.starts_with("refused")) << key;
}

TEST(list_key, queries_that_depend_on_the_collection_alone_are_accepted) {
  const document pure{{"$gt", array{document{{"$add", array{"$a", 1}}}, "$$limit"}}};
  const std::vector<document> filters{
      {{"a", document{{"$gte", 1}, {"$lt", 5}}}},
      {{"a", document{{"$in", array{1, regex("^x"), null_value{}}}}}},
      {{"a", document{{"$nin", array{1}}}}, {"b", document{{"$ne", 2}}}},
      {{"a.b", document{{"$exists", true}, {"$type", "string"}}}},
      {{"a", document{{"$not", document{{"$size", 2}}}}}},
      {{"a", document{{"$not", regex("x")}}}},
      {{"a", document{{"$all", array{1, 2}}}}},
      {{"a", document{{"$all", array{document{{"$elemMatch", document{{"b", 1}}}}}}}}},
      {{"a", document{{"$elemMatch", document{{"$gt", 1}, {"$lt", 5}}}}}},
      {{"a", document{{"$elemMatch", document{{"b", 1}, {"$or", array{document{{"c", 1}}}}}}}}},
      {{"a", document{{"$mod", array{4, 0}}}}},
      {{"a", document{{"$regex", "^x"}, {"$options", "i"}}}},
      {{"a", regex("^x")}},
      {{"a", document{{"$bitsAllSet", 5}}}},
      {{"at", document{{"$geoWithin", document{{"$centerSphere", array{array{1, 2}, 0.1}}}}}}},
      {{"at", document{{"$near", array{1, 2}}, {"$maxDistance", 5}}}},
      {{"$and", array{document{{"a", 1}}, document{{"$nor", array{document{{"b", 1}}}}}}}},
      {{"$text", document{{"$search", "tea"}}}},
      {{"$jsonSchema", document{{"required", array{"a"}}}}},
      {{"$comment", "why"}, {"a", 1}},
      {{"$expr", pure}},
      {{"$expr", document{{"$eq", array{"$a", document{{"$literal", "$$NOW"}}}}}}},
      {{"a", "$$NOW"}},  // a text like any other
      {{"a", document{{"$eq", document{{"$where", 1}}}}}},
      {{"owner", document{{"$ref", "users"}, {"$id", 1}}}},
      {{"a", document{{"b", document{{"c", 1}}}}}},
  };
  for (std::size_t i = 0; i < filters.size(); ++i) EXPECT_FALSE(key_of(find(filters[i])).starts_with("refused")) << i;
}

TEST(list_key, clock_chance_code_and_roles_are_refused) {
  const auto expr = [](const value& content) { return document{{"$expr", content}}; };
  const std::vector<document> filters{
      {{"$where", "this.a"}},
      {{"$or", array{document{{"$where", "this.a"}}}}},
      {{"a", document{{"$elemMatch", document{{"$where", "x"}}}}}},
      {{"a", document{{"$not", document{{"$elemMatch", document{{"$expr", "$$NOW"}}}}}}}},
      {{"a", document{{"$all", array{document{{"$elemMatch", document{{"$where", "x"}}}}}}}}},
      {{"a", document{{"$unheard", 1}}}},
      {{"$unheard", 1}},
      {{"$sampleRate", 0.5}},
      {{"a", document{{"$where", 1}}}},
      expr(document{{"$gt", array{"$at", "$$NOW"}}}),
      expr(document{{"$gt", array{"$at", "$$CLUSTER_TIME"}}}),
      expr(document{{"$in", array{"x", "$$USER_ROLES.role"}}}),
      expr(document{{"$lt", array{document{{"$rand", document{}}}, 0.5}}}),
      expr(document{{"$function", document{{"body", "f"}}}}),
      expr(document{{"$and", array{document{{"x", document{{"$rand", document{}}}}}}}}),
      expr("$$NOW"),
      expr("$$"),
      {{"$and", array{expr("$$NOW")}}},
  };
  for (std::size_t i = 0; i < filters.size(); ++i) EXPECT_EQ(key_of(find(filters[i])), "refused: expression") << i;
}

TEST(list_key, nesting_is_bounded) {
  document filter{{"a", 1}};
  for (int i = 0; i < 150; ++i) filter = document{{"$and", array{filter}}};
  EXPECT_EQ(key_of(find(filter)), "refused: expression");
  value expression = 1;
  for (int i = 0; i < 150; ++i) expression = document{{"$abs", expression}};
  EXPECT_EQ(key_of(find({{"$expr", expression}})), "refused: expression");
}

TEST(list_key, projections_and_sorts_that_depend_on_the_document_alone_are_accepted) {
  const std::vector<document> projections{
      {{"a", 1}, {"b.c", true}},
      {{"a", document{{"b", 1}}}},
      {{"a.$", 1}},
      {{"a", document{{"$slice", array{1, 2}}}}},
      {{"a", document{{"$elemMatch", document{{"x", 1}}}}}},
      {{"score", document{{"$meta", "textScore"}}}},
      {{"sum", document{{"$add", array{"$a", "$b"}}}}},
      {{"c", "$a"}},
  };
  for (std::size_t i = 0; i < projections.size(); ++i) {
    EXPECT_FALSE(key_of(with(open_things, "projection", projections[i])).starts_with("refused")) << i;
  }
  EXPECT_FALSE(
      key_of(with(open_things, "sort", document{{"s", document{{"$meta", "textScore"}}}})).starts_with("refused"));
}

TEST(list_key, projections_and_sorts_that_do_not_are_refused) {
  const std::vector<document> projections{
      {{"now", "$$NOW"}},
      {{"a", document{{"now", "$$NOW"}}}},
      {{"r", document{{"$rand", document{}}}}},
      {{"r", document{{"$add", array{1, document{{"$rand", document{}}}}}}}},
      {{"a", document{{"$elemMatch", document{{"$where", "x"}}}}}},
      {{"a", document{{"$meta", "indexKey"}}}},
      {{"f", document{{"$function", document{}}}}},
  };
  for (std::size_t i = 0; i < projections.size(); ++i) {
    EXPECT_EQ(key_of(with(open_things, "projection", projections[i])), "refused: expression") << i;
  }
  EXPECT_EQ(key_of(with(open_things, "sort", document{{"s", document{{"$meta", "randVal"}}}})), "refused: expression");
  EXPECT_EQ(key_of(with(open_things, "let", document{{"now", "$$NOW"}})), "refused: expression");
}

TEST(list_key, unknown_fields_are_refused) {
  EXPECT_EQ(key_of(with(open_things, "rawData", true)), "refused: unknown_field");
  EXPECT_EQ(key_of(with(open_things, "batchSize", 0)), "refused: batch_size");
}

}  // namespace
}  // namespace mongocached::cache
