#include "daemon/json_document.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "support/message_builders.hpp"

namespace mongocached::daemon {
namespace {

using namespace test_support;  // NOLINT: tests read as JSON
namespace json = boost::json;

document written(const json::object& from) {
  byte_buffer out;
  {
    protocol::bson_builder builder(out);
    append_members(builder, from);
  }
  return document(std::move(out));
}

TEST(JsonDocument, every_kind_of_value_in_its_order) {
  const auto out = written({{"none", nullptr},
                            {"flag", true},
                            {"share", 0.5},
                            {"text", "a"},
                            {"rows", {1, "b"}},
                            {"in", {{"deep", false}}}});
  const document expected{{"none", null_value{}}, {"flag", true},          {"share", 0.5},
                          {"text", "a"},          {"rows", array{1, "b"}}, {"in", document{{"deep", false}}}};
  EXPECT_EQ(out.bytes(), expected.bytes());
  EXPECT_TRUE(out.view().validate());
}

TEST(JsonDocument, an_integer_takes_the_smallest_type_that_holds_it) {
  const auto out = written({{"a", 2'147'483'647},
                            {"b", 2'147'483'648},
                            {"c", -2'147'483'648},
                            {"d", std::uint64_t{5}},
                            {"e", std::numeric_limits<std::uint64_t>::max()}});
  const document expected{{"a", 2'147'483'647},
                          {"b", 2'147'483'648L},
                          {"c", std::numeric_limits<std::int32_t>::min()},
                          {"d", 5},
                          {"e", 18446744073709551615.0}};
  EXPECT_EQ(out.bytes(), expected.bytes());
}

TEST(JsonDocument, what_is_no_utf8_is_mended_and_nul_stays) {
  const auto out = written({{"a", std::string_view("x\xff\0y", 4)}});
  EXPECT_EQ(field_in(out.view(), "a").text(), std::string_view("x\xef\xbf\xbd\0y", 6));
}

TEST(JsonDocument, the_empty_object) {
  EXPECT_EQ(written({}).bytes(), document().bytes());
}

}  // namespace
}  // namespace mongocached::daemon
