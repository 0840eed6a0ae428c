#include "protocol/extended_json.hpp"

#include <gtest/gtest.h>

#include "random_documents.hpp"
#include "support/message_builders.hpp"

namespace mongocached::protocol {
namespace {

using namespace test_support;

// The _id's type, or nothing with the reason in the test's output.
std::optional<bson_type> id_type(std::string_view json) {
  std::string error;
  const auto bytes = id_document_from_json(json, error);
  if (!bytes) return std::nullopt;
  return field_in(must(bson_view::parse(*bytes)), "_id").type;
}

std::string reason(std::string_view json) {
  std::string error;
  EXPECT_FALSE(id_document_from_json(json, error)) << json;
  return error;
}

TEST(extended_json, plain_values_are_ids) {
  EXPECT_EQ(id_type("5"), bson_type::int32);
  EXPECT_EQ(id_type("5000000000"), bson_type::int64);
  EXPECT_EQ(id_type("5.5"), bson_type::float64);
  EXPECT_EQ(id_type("\"a\""), bson_type::string);
  EXPECT_EQ(id_type("true"), bson_type::boolean);
  EXPECT_EQ(id_type("null"), bson_type::null);
  EXPECT_EQ(id_type(R"({"a": 1})"), bson_type::document);
}

TEST(extended_json, typed_values_are_ids) {
  EXPECT_EQ(id_type(R"({"$oid": "0123456789abcdef01234567"})"), bson_type::object_id);
  EXPECT_EQ(id_type(R"({"$numberLong": "5"})"), bson_type::int64);
  EXPECT_EQ(id_type(R"({"$numberDecimal": "5"})"), bson_type::decimal128);
  EXPECT_EQ(id_type(R"({"$date": {"$numberLong": "5"}})"), bson_type::date);
  EXPECT_EQ(id_type(R"({"$uuid": "c8edabc3-f738-4ca3-b68d-ab92a91478a3"})"), bson_type::binary);
}

TEST(extended_json, value_is_the_one_given) {
  std::string error;
  const auto bytes = id_document_from_json("  42 ", error);
  EXPECT_TRUE(equal(must(bytes), document{{"_id", 42}}.bytes()));
}

TEST(extended_json, nothing_is_refused) {
  EXPECT_NE(reason(""), "");
}

TEST(extended_json, a_second_field_is_refused) {
  EXPECT_NE(reason(R"(1, "a": 2)"), "");
}

TEST(extended_json, a_second_id_is_refused) {
  EXPECT_NE(reason(R"(1, "_id": 2)"), "");
}

TEST(extended_json, a_closing_brace_is_refused) {
  EXPECT_NE(reason("1}"), "");
}

TEST(extended_json, a_second_document_is_refused) {
  EXPECT_NE(reason(R"(1} {"a": 2)"), "");
}

TEST(extended_json, broken_json_is_refused) {
  EXPECT_NE(reason("{"), "");
  EXPECT_NE(reason("\"a"), "");
  EXPECT_NE(reason("nonsense"), "");
  EXPECT_NE(reason(R"({"$oid": "short"})"), "");
}

TEST(extended_json, document_is_shown_in_canonical_form) {
  EXPECT_EQ(to_extended_json(document{{"a", 1}, {"b", "x"}}.view(), 1000),
            R"({ "a" : { "$numberInt" : "1" }, "b" : "x" })");
}

TEST(extended_json, text_is_cut_at_the_limit) {
  const auto text = to_extended_json(document{{"a", std::string(1000, 'x')}}.view(), 20);
  EXPECT_EQ(text, R"({ "a" : "xxxxxxxxxxx)");
}

TEST(extended_json, cut_does_not_split_a_character) {
  const document d{{"a", "\u20ac\u20ac\u20ac"}};
  for (std::size_t limit = 0; limit < 25; ++limit) {
    const auto text = to_extended_json(d.view(), limit);
    EXPECT_LE(text.size(), limit);
    EXPECT_TRUE(bson_utf8_validate(text.data(), text.size(), false)) << limit;
  }
}

TEST(extended_json, malformed_document_says_so) {
  auto bytes = document{{"a", 1}}.bytes();
  bytes[4] = 0x42;
  EXPECT_EQ(to_extended_json(must(bson_view::parse(bytes)), 1000), "<malformed BSON, 12 bytes>");
}

TEST(extended_json, text_that_is_no_utf8_says_so) {
  EXPECT_EQ(to_extended_json(document{{"a", "\xff"}}.view(), 1000), "<malformed BSON, 14 bytes>");
}

TEST(extended_json, ids_survive_the_way_there_and_back) {
  random_source random(1);
  for (int i = 0; i < 300; ++i) {
    const auto bytes = random_document(random, 0);
    bson_element element;
    for (bson_cursor cursor(must(bson_view::parse(bytes))); cursor.next(element);) {
      byte_buffer original;
      {
        bson_builder builder(original);
        builder.append_as("_id", element);
      }
      auto json = to_extended_json(must(bson_view::parse(original)), 10000);
      json = json.substr(10, json.size() - 12);  // without `{ "_id" : ` and ` }`
      std::string error;
      const auto again = id_document_from_json(json, error);
      ASSERT_TRUE(again) << json << ": " << error;
      // A double of JSON may lose its last digit.
      if (!element.is(bson_type::float64)) {
        ASSERT_TRUE(equal(must(again), original)) << json;
      }
    }
  }
}

}  // namespace
}  // namespace mongocached::protocol
