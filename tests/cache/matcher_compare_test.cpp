#include "cache/matcher/compare.hpp"

#include <limits>

#include "policy_support.hpp"

namespace mongocached::cache {
namespace {

constexpr auto nan = std::numeric_limits<double>::quiet_NaN();
constexpr auto infinity = std::numeric_limits<double>::infinity();
constexpr auto most = std::numeric_limits<std::int64_t>::max();
constexpr auto least = std::numeric_limits<std::int64_t>::min();

// "<", "=", ">" or "?".
std::string order(const value& a, const value& b, string_order strings = string_order::bytes) {
  const auto result = compare_values(owned_element(a).get(), owned_element(b).get(), strings);
  if (!result) return "?";
  return *result < 0 ? "<" : (*result > 0 ? ">" : "=");
}

const value min_key = raw_value{bson_type::min_key, {}};
const value max_key = raw_value{bson_type::max_key, {}};
const value undefined = raw_value{bson_type::undefined, {}};

TEST(matcher_compare, classes_come_in_mongodb_s_order) {
  const std::vector<value> ascending{min_key,
                                     null_value{},
                                     5,
                                     "a",
                                     document{{"a", 1}},
                                     array{1},
                                     binary{0, {1}},
                                     some_object_id,
                                     true,
                                     date{1},
                                     timestamp{1},
                                     regex("a"),
                                     text_of_type(bson_type::code, "f"),
                                     max_key};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      if (i == j) continue;
      EXPECT_EQ(order(ascending[i], ascending[j]), i < j ? "<" : ">") << i << ' ' << j;
    }
  }
}

TEST(matcher_compare, numbers_compare_exactly_across_types) {
  const std::vector<value> ascending{nan, -infinity, -0x1p70, least, -5,     -4.5,           -1L,  0,      0x1p-40,
                                     0.5, 1,         1.5,     2L,    0x1p53, (1L << 53) + 1, most, 0x1p63, infinity};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      EXPECT_EQ(order(ascending[i], ascending[j]), i < j ? "<" : (i > j ? ">" : "=")) << i << ' ' << j;
    }
  }
  for (const auto& zero : {value(0L), value(0.0), value(-0.0)}) EXPECT_EQ(order(zero, 0), "=");
  EXPECT_EQ(order(1L << 53, 0x1p53), "=");
  EXPECT_EQ(order(least, -0x1p63), "=");
}

struct row {
  value a;
  value b;
  const char* order;
  const char* reason;
};

TEST(matcher_compare, values_of_a_class) {
  const std::vector<row> rows{
      {"a", "b", "<", "bytes"},
      {"a", "ab", "<", "a prefix is less"},
      {"Z", "a", "<", "bytes, not letters"},
      {"\xc3\xa4", "z", ">", "bytes are unsigned"},
      {date{-1}, date{1}, "<", "dates are signed"},
      {timestamp{1}, timestamp{0x8000000000000000}, "<", "timestamps are unsigned"},
      {false, true, "<", "false is less"},
      {binary{0, {9}}, binary{0, {1, 1}}, "<", "the shorter is less"},
      {binary{0, {9}}, binary{4, {1}}, "<", "then the subtype"},
      {binary{4, {1}}, binary{4, {2}}, "<", "then the bytes"},
      {document{{"a", 1}}, document{{"a", 1.0}}, "=", "numbers inside"},
      {document{}, document{{"a", 1}}, "<", "a prefix is less"},
      {document{{"b", 1}}, document{{"a", "x"}}, "<", "class before name"},
      {document{{"a", 2}}, document{{"b", 1}}, "<", "name before value"},
      {document{{"a", 1}, {"b", 2}}, document{{"b", 2}, {"a", 1}}, "<", "order counts"},
      {array{1, 2}, array{1, 3}, "<", "element by element"},
      {array{1}, array{1, 0}, "<", "a prefix is less"},
      {array{9}, array{"a"}, "<", "by class"},
      {array{nan}, array{nan}, "=", "NaN equals itself"},
      {min_key, min_key, "=", "one value only"},
  };
  for (const auto& r : rows) EXPECT_EQ(order(r.a, r.b), r.order) << r.reason;
}

TEST(matcher_compare, what_is_not_modelled_has_no_order) {
  const std::vector<row> rows{
      {undefined, null_value{}, "?", "versions differ"},
      {undefined, 5, "?", "undefined beside anything"},
      {decimal(5, 0), 5, "?", "decimal"},
      {decimal(5, 0), "a", "<", "decimal of another class"},
      {text_of_type(bson_type::symbol, "a"), "a", "?", "symbol"},
      {regex("a"), regex("a"), "?", "regular expressions"},
      {text_of_type(bson_type::code, "a"), text_of_type(bson_type::code, "a"), "?", "code"},
      {document{{"a", decimal(1, 0)}}, document{{"a", 1}}, "?", "inside a document"},
      {document{{"a", 1}, {"b", undefined}}, document{{"a", 1}, {"b", 1}}, "?", "inside a document"},
      {array{undefined}, array{1}, "?", "inside an array"},
      {document{{"a", 1}, {"b", undefined}}, document{{"a", 2}, {"b", 1}}, "<", "decided before"},
      {raw_value{bson_type::array, document{{"x", 1}}.bytes()}, array{1}, "?", "an array with names"},
      {raw_value{bson_type::document, {9, 0, 0, 0, 0x10, 'a', 0, 1, 0}}, document{{"a", 1}}, "?", "malformed"},
  };
  for (const auto& r : rows) EXPECT_EQ(order(r.a, r.b), r.order) << r.reason;
  EXPECT_EQ(order("a", "b", string_order::collated), "?");
  EXPECT_EQ(order(array{"a"}, array{"a"}, string_order::collated), "?");
  EXPECT_EQ(order(1, 2, string_order::collated), "<");
}

TEST(matcher_compare, nesting_is_bounded) {
  value deep = document{};
  for (int i = 1; i < max_match_depth; ++i) deep = document{{"a", deep}};
  EXPECT_EQ(order(deep, deep), "=");
  const value deeper = document{{"a", deep}};
  EXPECT_EQ(order(deeper, deeper), "?");
}

// Antisymmetry and transitivity over random values.
TEST(matcher_compare, is_an_order) {
  std::mt19937 random(5);
  const auto scalar = [&]() -> value {
    const std::vector<value> all{nan, -1, 0.5, 1L, 2, "a", "b", null_value{}, true, date{3}, some_object_id, min_key};
    return all[random() % all.size()];
  };
  const auto any = [&]() -> value {
    if (random() % 3 == 0) return array{scalar(), scalar()};
    if (random() % 3 == 0) return document{{random() % 2 == 0 ? "a" : "b", scalar()}};
    return scalar();
  };
  for (int i = 0; i < 5'000; ++i) {
    const auto a = any();
    const auto b = any();
    const auto c = any();
    const auto ab = order(a, b);
    ASSERT_EQ(order(b, a), ab == "<" ? ">" : (ab == ">" ? "<" : "="));
    if (ab == ">" || order(b, c) == ">") continue;
    ASSERT_NE(order(a, c), ">");
  }
}

}  // namespace
}  // namespace mongocached::cache
