// Finds that are forwarded, each with its reason.
#include "read_plan_support.hpp"

namespace mongocached::cache {
namespace {

TEST(read_refusal, every_reason_to_forward) {
  const auto base = find({{"_id", 1}});
  const auto on = [](const char* db, const value& collection) {
    return document{{"find", collection}, {"filter", document{{"_id", 1}}}, {"$db", db}};
  };
  const auto concern = [&](const document& content) { return with(base, "readConcern", content); };
  const auto preference = [&](const document& content) { return with(base, "$readPreference", content); };
  const std::vector<std::pair<const char*, document>> samples{
      {"bad_namespace", on("shop", 5)},
      {"bad_namespace", on("shop", "")},
      {"bad_namespace", on("shop", "$cmd")},
      {"bad_namespace", on("", "things")},
      {"internal_namespace", on("admin", "things")},
      {"internal_namespace", on("local", "oplog.rs")},
      {"internal_namespace", on("config", "chunks")},
      {"internal_namespace", on("shop", "system.views")},
      {"transaction", with(with(base, "txnNumber", 5L), "autocommit", false)},
      {"transaction", with(base, "txnNumber", 5L)},
      {"transaction", with(base, "startTransaction", true)},
      {"read_concern", concern({{"level", "snapshot"}})},
      {"read_concern", concern({{"level", "linearizable"}})},
      {"read_concern", concern({{"level", "available"}})},
      {"read_concern", concern({{"atClusterTime", timestamp{5}}})},
      {"unknown_field", with(base, "min", document{{"a", 1}})},
      {"unknown_field", with(base, "max", document{{"a", 1}})},
      {"unknown_field", with(base, "encryptionInformation", document{})},
      {"unknown_field", with(base, "filter", document{{"_id", 2}})},
      {"unknown_field", with(base, "Limit", 1)},
      {"cursor_option", with(base, "tailable", true)},
      {"cursor_option", with(base, "awaitData", true)},
      {"cursor_option", with(base, "noCursorTimeout", true)},
      {"cursor_option", with(base, "oplogReplay", true)},
      {"option", with(base, "allowPartialResults", true)},
      {"option", with(base, "returnKey", true)},
      {"option", with(base, "showRecordId", true)},
      {"option", with(base, "limit", -1)},
      {"option", with(base, "limit", 1.5)},
      {"option", with(base, "limit", "1")},
      {"option", with(base, "skip", -1)},
      {"option", with(base, "batchSize", -1)},
      {"option", with(base, "singleBatch", 1)},
      {"option", with(base, "sort", array{})},
      {"option", with(base, "projection", null_value{})},
      {"option", with(base, "apiStrict", true)},
      {"option", with(with(with(base, "apiVersion", "1"), "apiStrict", true), "noCursorTimeout", false)},
      {"option", {{"find", "things"}, {"filter", 1}, {"$db", "shop"}}},
      {"batch_size", with(find({{"a", 1}}), "batchSize", 0)},
      {"read_preference", preference({{"mode", "nearest"}, {"tags", array{document{{"dc", "a"}}}}})},
      {"read_preference", preference({{"mode", "closest"}})},
      {"read_preference", preference({{"mode", "primary"}, {"maxStalenessSeconds", 120}})},
      {"read_preference", preference({{"mode", "secondary"}, {"maxStalenessSeconds", 5}})},
      {"expression", find({{"$where", "f()"}})},
      {"malformed", find({{"a", document{{"$gt", 1}}}, {"b", raw_value{bson_type::string, {9, 0, 0, 0, 0}}}})},
  };
  for (const auto& [reason, body] : samples) EXPECT_EQ(outcome_of(body), std::string("forward: ") + reason);
}

TEST(read_refusal, exhaust_and_unanswered_finds_are_forwarded) {
  for (const auto flag : {protocol::op_msg_flags::exhaust_allowed, protocol::op_msg_flags::more_to_come}) {
    EXPECT_EQ(outcome(planned(find({{"_id", 1}}), {}, {.flags = flag})), "forward: cursor_option");
  }
}

TEST(read_refusal, document_sequences_are_forwarded) {
  const parsed_command command(find({{"_id", 1}}), {}, {{"x", {document{}}}});
  read_plan plan;
  plan_read(command.view(), {}, plan);
  EXPECT_EQ(outcome(plan), "forward: unknown_field");
}

TEST(read_refusal, every_reason_has_a_name_of_its_own) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < static_cast<std::size_t>(bypass_reason::count_); ++i) {
    names.emplace_back(name_of(static_cast<bypass_reason>(i)));
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::unique(names.begin(), names.end()), names.end());
  EXPECT_FALSE(std::binary_search(names.begin(), names.end(), "unnamed"));
}

}  // namespace
}  // namespace mongocached::cache
