#include "protocol/bson_view.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "support/message_builders.hpp"

namespace mongocached::protocol {
namespace {

using namespace test_support;

std::optional<std::int64_t> integer_of(const value& v) {
  const document d{{"v", v}};
  return field_in(d.view(), "v").integer();
}

document nested(int levels) {
  document d;
  for (int i = 1; i < levels; ++i) d = document{{"a", d}};
  return d;
}

TEST(bson_view, default_view_is_the_empty_document) {
  EXPECT_TRUE(bson_view{}.empty());
  EXPECT_EQ(bson_view{}.size(), 5U);
  EXPECT_TRUE(bson_view{}.validate());
}

TEST(bson_view, parse_refuses_no_bytes) {
  EXPECT_FALSE(bson_view::parse({}));
}

TEST(bson_view, parse_refuses_a_length_above_the_size) {
  const exact_copy bytes(byte_buffer{6, 0, 0, 0, 0});
  EXPECT_FALSE(bson_view::parse(bytes.view()));
}

TEST(bson_view, parse_refuses_a_length_below_the_size) {
  const exact_copy bytes(byte_buffer{5, 0, 0, 0, 0, 0});
  EXPECT_FALSE(bson_view::parse(bytes.view()));
}

TEST(bson_view, parse_refuses_a_negative_length) {
  const exact_copy bytes(byte_buffer{0xff, 0xff, 0xff, 0xff, 0});
  EXPECT_FALSE(bson_view::parse(bytes.view()));
}

TEST(bson_view, parse_refuses_a_missing_terminator) {
  const exact_copy bytes(byte_buffer{5, 0, 0, 0, 1});
  EXPECT_FALSE(bson_view::parse(bytes.view()));
}

TEST(bson_view, parse_front_leaves_what_follows) {
  const byte_buffer bytes{5, 0, 0, 0, 0, 42};
  ASSERT_TRUE(bson_view::parse_front(bytes));
  EXPECT_EQ(must(bson_view::parse_front(bytes)).size(), 5U);
}

TEST(bson_view, find_gives_the_first_of_two) {
  const document d{{"a", 1}, {"a", 2}};
  EXPECT_EQ(field_in(d.view(), "a").integer(), 1);
}

TEST(bson_view, find_does_not_match_a_prefix) {
  const document d{{"ab", 1}};
  EXPECT_FALSE(d.view().find("a"));
}

TEST(bson_view, cursor_reports_an_unknown_type) {
  document d{{"a", 1}};
  auto bytes = d.bytes();
  bytes[4] = 0x42;
  bson_element element;
  bson_cursor cursor(must(bson_view::parse(bytes)));
  EXPECT_FALSE(cursor.next(element));
  EXPECT_TRUE(cursor.failed());
}

TEST(bson_view, cursor_reports_a_string_beyond_the_end) {
  document d{{"a", "text"}};
  auto bytes = d.bytes();
  bytes[7] = 6;
  const exact_copy copy(bytes);
  bson_element element;
  bson_cursor cursor(must(bson_view::parse(copy.view())));
  EXPECT_FALSE(cursor.next(element));
  EXPECT_TRUE(cursor.failed());
}

TEST(bson_view, cursor_at_the_end_has_not_failed) {
  const document d{{"a", 1}};
  bson_element element;
  bson_cursor cursor(d.view());
  EXPECT_TRUE(cursor.next(element));
  EXPECT_FALSE(cursor.next(element));
  EXPECT_FALSE(cursor.failed());
}

TEST(bson_view, raw_holds_the_whole_element) {
  const document d{{"a", 1}};
  EXPECT_TRUE(equal(field_in(d.view(), "a").raw, byte_buffer{0x10, 'a', 0, 1, 0, 0, 0}));
}

TEST(bson_view, object_and_array_tell_the_two_kinds_of_sub_document_apart) {
  const document inner{{"b", 1}};
  const document d{{"o", inner}, {"a", array{1}}};
  const auto object = field_in(d.view(), "o");
  const auto list = field_in(d.view(), "a");
  EXPECT_TRUE(object.document() && object.object() && !object.array());
  EXPECT_TRUE(list.document() && list.array() && !list.object());
}

TEST(bson_view, validate_looks_into_nested_documents) {
  const document inner{{"b", raw_value{static_cast<bson_type>(0x42), {}}}};
  const document d{{"a", inner}};
  EXPECT_FALSE(d.view().validate());
}

TEST(bson_view, validate_accepts_the_deepest_nesting) {
  EXPECT_TRUE(nested(max_depth).view().validate());
}

TEST(bson_view, validate_refuses_one_level_more) {
  EXPECT_FALSE(nested(max_depth + 1).view().validate());
}

TEST(bson_view, text_may_hold_nul) {
  const document d{{"a", std::string_view("x\0y", 3)}};
  EXPECT_EQ(field_in(d.view(), "a").text(), std::string_view("x\0y", 3));
}

TEST(bson_view, text_of_a_number_is_none) {
  const document d{{"a", 1}};
  EXPECT_FALSE(field_in(d.view(), "a").text());
}

TEST(bson_view, text_of_a_field_is_empty_unless_it_is_a_string) {
  const document d{{"db", "admin"}, {"n", 1}};
  EXPECT_EQ(d.view().text_of("db"), "admin");
  EXPECT_EQ(d.view().text_of("n"), "");
  EXPECT_EQ(d.view().text_of("absent"), "");
}

TEST(bson_view, integral_double_is_an_integer) {
  EXPECT_EQ(integer_of(7.0), 7);
}

TEST(bson_view, fraction_is_no_integer) {
  EXPECT_FALSE(integer_of(7.5));
}

TEST(bson_view, nan_is_no_integer) {
  EXPECT_FALSE(integer_of(std::numeric_limits<double>::quiet_NaN()));
}

TEST(bson_view, infinity_is_no_integer) {
  EXPECT_FALSE(integer_of(std::numeric_limits<double>::infinity()));
}

TEST(bson_view, two_to_the_63_is_no_integer) {
  EXPECT_FALSE(integer_of(0x1p63));
}

TEST(bson_view, minus_two_to_the_63_is_an_integer) {
  EXPECT_EQ(integer_of(-0x1p63), std::numeric_limits<std::int64_t>::min());
}

TEST(bson_view, a_number_other_than_zero_is_truthy) {
  const document d{{"a", 2L}, {"b", 0.0}};
  EXPECT_EQ(field_in(d.view(), "a").truthy(), true);
  EXPECT_EQ(field_in(d.view(), "b").truthy(), false);
}

TEST(bson_view, a_string_is_neither_true_nor_false) {
  const document d{{"a", "true"}};
  EXPECT_FALSE(field_in(d.view(), "a").truthy());
}

TEST(bson_view, timestamp_is_read_as_one_number) {
  const document d{{"a", timestamp{0x0000000500000003}}};
  EXPECT_EQ(field_in(d.view(), "a").timestamp(), 0x0000000500000003U);
}

}  // namespace
}  // namespace mongocached::protocol
