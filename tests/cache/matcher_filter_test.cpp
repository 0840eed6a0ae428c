#include <limits>

#include "cache/matcher/filter_match.hpp"
#include "policy_support.hpp"

namespace mongocached::cache {
namespace {

constexpr auto no = match::no;
constexpr auto yes = match::yes;
constexpr auto unknown = match::unknown;
constexpr auto nan = std::numeric_limits<double>::quiet_NaN();
const value null = null_value{};
const value undefined = raw_value{bson_type::undefined, {}};

struct row {
  document filter;
  document from;
  match expected;
  const char* reason;
};

void check(const std::vector<row>& rows, string_order strings = string_order::bytes) {
  for (const auto& r : rows) EXPECT_EQ(matches(r.filter.view(), r.from.view(), strings), r.expected) << r.reason;
}

// {a: {op: operand}}
document on_a(std::string_view op, const value& operand) {
  return {{"a", document{{op, operand}}}};
}

TEST(matcher_filter, equality) {
  check({
      {{}, {{"a", 1}}, yes, "no condition"},
      {{{"a", 1}}, {{"a", 1.0}}, yes, "numbers across types"},
      {{{"a", 1}}, {{"a", 2}}, no, "another number"},
      {{{"a", 1}}, {{"a", "1"}}, no, "another class"},
      {{{"a", 1}}, document{}, no, "missing"},
      {{{"a", 1}, {"b", 2}}, {{"a", 1}, {"b", 2}}, yes, "both"},
      {{{"a", 1}, {"b", 2}}, {{"a", 1}, {"b", 3}}, no, "one of two"},
      {{{"a", 1}}, {{"a", array{3, 1}}}, yes, "an element"},
      {{{"a", 1}}, {{"a", array{value(array{1})}}}, no, "one level only"},
      {{{"a", array{1, 2}}}, {{"a", array{1, 2}}}, yes, "the whole array"},
      {{{"a", array{1, 2}}}, {{"a", array{2, 1}}}, no, "in its order"},
      {{{"a", array{1}}}, {{"a", array{7, array{1}}}}, yes, "an array as element"},
      {{{"a", array{}}}, {{"a", array{}}}, yes, "empty array"},
      {{{"a", array{}}}, document{}, no, "missing is no empty array"},
      {{{"a", document{{"x", 1}}}}, {{"a", document{{"x", 1L}}}}, yes, "a document"},
      {{{"a", document{{"x", 1}}}}, {{"a", document{{"x", 1}, {"y", 2}}}}, no, "the whole document"},
      {{{"a", document{}}}, {{"a", document{}}}, yes, "the empty document is a value"},
      {{{"a.b", 1}}, {{"a", document{{"b", 1}}}}, yes, "a path"},
      {{{"a.b", 1}}, {{"a", array{document{{"b", 0}}, document{{"b", 1}}}}}, yes, "through an array"},
      {{{"a.b", 1}}, {{"a", array{value(array{document{{"b", 1}}})}}}, no, "not through two"},
      {{{"a.1", 5}}, {{"a", array{4, 5}}}, yes, "an index"},
      {{{"a.0", 5}}, {{"a", array{4, 5}}}, no, "another index"},
      {{{"a.0", 5}}, {{"a", document{{"0", 5}}}}, yes, "a numeric name"},
      {{{"a.0.b", 5}}, {{"a", array{document{{"b", 5}}}}}, yes, "behind an index"},
      {{{"a", nan}}, {{"a", nan}}, yes, "NaN"},
      {{{"a", nan}}, {{"a", 1}}, no, "NaN beside a number"},
      {{{"a", true}}, {{"a", 1}}, no, "a boolean is no number"},
  });
}

TEST(matcher_filter, null_matches_missing) {
  check({
      {{{"a", null}}, document{}, yes, "missing"},
      {{{"a", null}}, {{"a", null}}, yes, "null"},
      {{{"a", null}}, {{"a", 0}}, no, "zero"},
      {{{"a", null}}, {{"a", array{}}}, no, "empty array"},
      {{{"a", null}}, {{"a", array{1, null}}}, yes, "an element"},
      {{{"a.b", null}}, {{"a", 5}}, yes, "behind a scalar"},
      {{{"a.b", null}}, {{"a", array{document{{"c", 1}}, document{{"b", 1}}}}}, yes, "some document lacks it"},
      {{{"a.b", null}}, {{"a", array{document{{"b", 1}}, 5}}}, no, "a scalar in an array gives nothing"},
      {{{"a.b", null}}, {{"a", array{}}}, no, "nothing in an empty array"},
      {{{"a.0", null}}, {{"a", array{}}}, unknown, "an index that is not there"},
      {{{"a.0.b", null}}, {{"a", array{document{{"b", 1}}}}}, unknown, "a document without a field named 0"},
      {{{"a", null}}, {{"a", undefined}}, unknown, "versions differ"},
      {on_a("$gte", null), document{}, yes, "at least null"},
      {on_a("$gt", null), {{"a", null}}, no, "above null is nothing of its class"},
      {on_a("$ne", null), {{"a", 1}}, yes, "there"},
      {on_a("$ne", null), document{}, no, "missing"},
      {on_a("$in", array{null}), document{}, yes, "in a list"},
  });
}

TEST(matcher_filter, ranges) {
  check({
      {on_a("$gt", 1), {{"a", 1.5}}, yes, "above"},
      {on_a("$gt", 1), {{"a", 1}}, no, "equal is not above"},
      {on_a("$gte", 1), {{"a", 1L}}, yes, "at least"},
      {on_a("$lt", "b"), {{"a", "a"}}, yes, "strings"},
      {on_a("$lt", "b"), {{"a", 1}}, no, "type bracketing"},
      {on_a("$lt", 5), {{"a", null}}, no, "null is no small number"},
      {on_a("$lt", 5), document{}, no, "nor is missing"},
      {on_a("$gt", 5), {{"a", array{1, 9}}}, yes, "an element"},
      {{{"a", document{{"$gt", 2}, {"$lt", 4}}}}, {{"a", array{1, 9}}}, yes, "each bound by another element"},
      {on_a("$lt", nan), {{"a", 1}}, no, "nothing is below NaN"},
      {on_a("$lte", nan), {{"a", nan}}, yes, "NaN equals NaN"},
      {on_a("$lt", 1), {{"a", nan}}, no, "NaN is below nothing"},
      {on_a("$gt", (1L << 53)), {{"a", (1L << 53) + 1}}, yes, "beyond a double's precision"},
      {on_a("$gt", array{1}), {{"a", array{1, 2}}}, yes, "arrays as wholes"},
      {on_a("$gte", date{5}), {{"a", timestamp{9}}}, no, "dates and timestamps are apart"},
      {on_a("$lt", raw_value{bson_type::max_key, {}}), {{"a", 1}}, unknown, "no bracketing there"},
      {on_a("$gt", decimal(1, 0)), {{"a", 2}}, unknown, "decimal"},
      {on_a("$gt", decimal(1, 0)), {{"a", "x"}}, no, "decimal beside another class"},
      {on_a("$lt", document{{"x", 2}}), {{"a", document{{"x", 1}}}}, yes, "documents"},
  });
}

TEST(matcher_filter, lists_and_negations) {
  check({
      {on_a("$in", array{1, "x"}), {{"a", "x"}}, yes, "one of them"},
      {on_a("$in", array{1, "x"}), {{"a", 2}}, no, "none of them"},
      {on_a("$in", array{}), {{"a", 2}}, no, "none"},
      {on_a("$in", array{2}), {{"a", array{1, 2}}}, yes, "an element"},
      {on_a("$in", array{value(array{1, 2})}), {{"a", array{1, 2}}}, yes, "the whole array"},
      {on_a("$in", array{1, regex("x")}), {{"a", 1}}, yes, "decided before the expression"},
      {on_a("$in", array{1, regex("x")}), {{"a", "x"}}, unknown, "an expression"},
      {on_a("$in", 5), {{"a", 5}}, unknown, "refused by the server"},
      {on_a("$nin", array{1}), {{"a", 2}}, yes, "not one of them"},
      {on_a("$nin", array{1}), {{"a", array{1, 2}}}, no, "an element is"},
      {on_a("$nin", array{1}), document{}, yes, "missing"},
      {on_a("$ne", 1), {{"a", array{1, 2}}}, no, "an element is"},
      {on_a("$ne", 1), document{}, yes, "missing"},
      {on_a("$not", document{{"$gt", 1}}), {{"a", 1}}, yes, "not above"},
      {on_a("$not", document{{"$gt", 1}}), {{"a", "x"}}, yes, "another class"},
      {on_a("$not", document{{"$gt", 1}}), document{}, yes, "missing"},
      {on_a("$not", document{{"$gt", 1}}), {{"a", array{0, 2}}}, no, "an element is"},
      {on_a("$not", regex("x")), {{"a", "x"}}, unknown, "an expression"},
      {on_a("$not", document{}), {{"a", 1}}, unknown, "refused by the server"},
      {on_a("$not", document{{"$regex", "x"}}), {{"a", "x"}}, unknown, "unknown stays unknown"},
  });
}

TEST(matcher_filter, existence_type_and_size) {
  check({
      {on_a("$exists", true), {{"a", null}}, yes, "null is there"},
      {on_a("$exists", true), document{}, no, "missing"},
      {on_a("$exists", 0), document{}, yes, "a number for a flag"},
      {on_a("$exists", "x"), document{}, unknown, "an odd flag"},
      {on_a("$exists", true), {{"a", array{}}}, yes, "an empty array is there"},
      {{{"a.b", document{{"$exists", false}}}}, {{"a", array{1}}}, yes, "nothing at all"},
      {{{"a.b", document{{"$exists", false}}}}, {{"a", array{document{{"b", 1}}, document{}}}}, no, "once there"},
      {{{"a.0", document{{"$exists", true}}}}, {{"a", array{1}}}, yes, "not an empty array"},
      {{{"a.0", document{{"$exists", true}}}}, {{"a", array{}}}, no, "an empty array"},
      {on_a("$type", "number"), {{"a", 1L}}, yes, "any number"},
      {on_a("$type", "int"), {{"a", 1L}}, no, "another number"},
      {on_a("$type", 16), {{"a", array{"x", 1}}}, yes, "an element"},
      {on_a("$type", "array"), {{"a", array{1}}}, yes, "the array itself"},
      {on_a("$type", array{"string", 10}), {{"a", null}}, yes, "one of several"},
      {on_a("$type", "null"), document{}, no, "missing has no type"},
      {on_a("$type", -1), {{"a", raw_value{bson_type::min_key, {}}}}, yes, "minKey"},
      {on_a("$type", "nonsense"), {{"a", 1}}, unknown, "refused by the server"},
      {on_a("$type", 0), document{}, unknown, "refused by the server"},
      {on_a("$size", 2), {{"a", array{1, 2}}}, yes, "two"},
      {on_a("$size", 2.0), {{"a", array{1}}}, no, "one"},
      {on_a("$size", 1), {{"a", 5}}, no, "no array"},
      {on_a("$size", 2), {{"a", array{value(array{1, 2})}}}, no, "not an element's size"},
      {on_a("$size", -1), {{"a", array{}}}, unknown, "refused by the server"},
      {{{"a.b", document{{"$size", 1}}}}, {{"a", array{document{{"b", array{1}}}}}}, yes, "through an array"},
  });
}

TEST(matcher_filter, elements_of_arrays) {
  const document above_one_below_four{{"$gt", 1}, {"$lt", 4}};
  check({
      {on_a("$all", array{1, 2}), {{"a", array{3, 2, 1}}}, yes, "all of them"},
      {on_a("$all", array{1, 2}), {{"a", array{1}}}, no, "one lacks"},
      {on_a("$all", array{1}), {{"a", 1}}, yes, "a scalar"},
      {on_a("$all", array{value(array{1, 2})}), {{"a", array{1, 2}}}, unknown, "an array as a value: servers differ"},
      {on_a("$all", array{null}), document{}, unknown, "null: servers differ"},
      {on_a("$all", array{}), {{"a", array{}}}, no, "an empty list matches nothing"},
      {on_a("$all", array{regex("x")}), {{"a", "x"}}, unknown, "an expression"},
      {on_a("$all", array{document{{"$elemMatch", above_one_below_four}}}), {{"a", array{3}}}, yes, "$elemMatch"},
      {on_a("$all", array{document{{"$gt", 1}}}), {{"a", 3}}, unknown, "refused by the server"},
      {on_a("$elemMatch", above_one_below_four), {{"a", array{1, 9}}}, no, "one element is to do all"},
      {on_a("$elemMatch", above_one_below_four), {{"a", array{1, 2}}}, yes, "one does"},
      {on_a("$elemMatch", above_one_below_four), {{"a", 2}}, no, "no array"},
      {on_a("$elemMatch", document{{"$eq", 1}}), {{"a", array{value(array{1})}}}, no, "elements as they are"},
      {on_a("$elemMatch", document{{"$not", document{{"$eq", 1}}}}), {{"a", array{1, 2}}}, yes, "another element"},
      {on_a("$elemMatch", document{{"$regex", "x"}}), {{"a", array{"x"}}}, unknown, "an operator not modelled"},
      {on_a("$elemMatch", document{{"x", 1}, {"y", 2}}),
       {{"a", array{document{{"x", 1}}, document{{"y", 2}}}}},
       no,
       "one document is to do all"},
      {on_a("$elemMatch", document{{"x", 1}, {"y", 2}}), {{"a", array{document{{"x", 1}, {"y", 2}}}}}, yes, "one does"},
      {on_a("$elemMatch", document{{"x", 1}}), {{"a", array{5}}}, no, "no document"},
      {on_a("$elemMatch", document{{"0", 1}}),
       {{"a", array{value(array{1})}}},
       unknown,
       "an array taken for a document"},
      {on_a("$elemMatch", document{{"$or", array{document{{"x", 1}}, document{{"y", 1}}}}}),
       {{"a", array{document{{"y", 1}}}}},
       yes,
       "alternatives"},
      {on_a("$elemMatch", document{}), {{"a", array{document{}}}}, yes, "any document"},
      {on_a("$elemMatch", document{}), {{"a", array{1}}}, no, "but a document"},
      {on_a("$elemMatch", document{{"$elemMatch", document{{"$gt", 1}}}}),
       {{"a", array{value(array{1, 2})}}},
       yes,
       "nested"},
  });
}

TEST(matcher_filter, combinations) {
  const document is_one{{"a", 1}};
  const document odd{{"b", regex("x")}};
  const auto combined = [](std::string_view op, const document& x, const document& y) {
    return document{{op, array{x, y}}};
  };
  check({
      {combined("$and", is_one, {{"b", 2}}), {{"a", 1}, {"b", 2}}, yes, "both"},
      {combined("$or", is_one, {{"b", 2}}), {{"a", 0}, {"b", 2}}, yes, "either"},
      {combined("$nor", is_one, {{"b", 2}}), {{"a", 0}, {"b", 1}}, yes, "neither"},
      {combined("$and", is_one, odd), {{"a", 0}, {"b", "x"}}, no, "one no decides"},
      {combined("$and", is_one, odd), {{"a", 1}, {"b", "x"}}, unknown, "the other decides"},
      {combined("$or", is_one, odd), {{"a", 1}}, yes, "one yes decides"},
      {combined("$nor", is_one, odd), {{"a", 1}}, no, "one yes decides"},
      {combined("$nor", is_one, odd), {{"a", 0}}, unknown, "the other decides"},
      {{{"$or", array{}}}, is_one, unknown, "refused by the server"},
      {{{"$and", array{5}}}, is_one, unknown, "refused by the server"},
      {{{"$comment", "x"}, {"a", 1}}, is_one, yes, "a comment"},
      {{{"a", document{{"$comment", "x"}, {"$eq", 1}}}}, is_one, yes, "a comment"},
  });
}

TEST(matcher_filter, what_is_not_modelled_is_unknown) {
  const document from{{"a", "x"}, {"b", 1}};
  const std::vector<std::pair<const char*, document>> filters{
      {"regex", {{"a", regex("x")}}},
      {"$regex", on_a("$regex", "x")},
      {"$eq regex", on_a("$eq", regex("x"))},
      {"$mod", {{"b", document{{"$mod", array{2, 1}}}}}},
      {"bits", {{"b", document{{"$bitsAllSet", 1}}}}},
      {"geo", on_a("$geoWithin", document{})},
      {"$expr", {{"$expr", true}}},
      {"$where", {{"$where", "1"}}},
      {"$text", {{"$text", document{}}}},
      {"$jsonSchema", {{"$jsonSchema", document{}}}},
      {"unknown operator", on_a("$new", 1)},
      {"operator, then a name", {{"b", document{{"$gt", 0}, {"x", 1}}}}},
      {"DBRef", {{"a", document{{"$ref", "x"}, {"$id", 1}}}}},
      {"empty component", {{"a..b", 1}}},
      {"empty name", {{"", 1}}},
      {"positional", {{"a.$", 1}}},
      {"symbol", {{"a", text_of_type(bson_type::symbol, "x")}}},
      {"undefined", {{"b", undefined}}},
      {"decimal", {{"b", decimal(1, 0)}}},
  };
  for (const auto& [what, filter] : filters) {
    EXPECT_EQ(matches(filter.view(), from.view()), unknown) << what;
    EXPECT_EQ(matches(document{{"$nor", array{filter}}}.view(), from.view()), unknown) << what;
  }
  EXPECT_EQ(matches(document{{"a", "x"}}.view(), from.view(), string_order::collated), unknown);
  EXPECT_EQ(matches(document{{"b", 2}}.view(), from.view(), string_order::collated), no);
  EXPECT_EQ(matches(document{{"b", "x"}}.view(), from.view(), string_order::collated), no);
}

TEST(matcher_filter, hostile_input_is_unknown) {
  value deep = 1;
  for (int i = 0; i < max_match_depth; ++i) deep = document{{"a", deep}};
  const document from{{"a", deep}};
  EXPECT_EQ(matches(document{{"b", 1}}.view(), from.view()), unknown) << "deep document";
  EXPECT_EQ(matches(from.view(), document{{"b", 1}}.view()), unknown) << "deep filter";
  const document broken{{"a", raw_value{bson_type::string, {9, 0, 0, 0, 0}}}};
  EXPECT_EQ(matches(document{{"b", 1}}.view(), broken.view()), unknown) << "malformed document";
  EXPECT_EQ(matches(broken.view(), document{{"b", 1}}.view()), unknown) << "malformed filter";
  byte_buffer many;
  {
    protocol::bson_builder builder(many);
    for (int i = 0; i < 2'000; ++i) builder.append_int32(std::to_string(i), i);
  }
  const document filter = on_a("$in", raw_value{bson_type::array, many});
  byte_buffer negative;
  {
    protocol::bson_builder builder(negative);
    for (int i = 0; i < 2'000; ++i) builder.append_int32(std::to_string(i), -1 - i);
  }
  EXPECT_EQ(matches(filter.view(), document{{"a", raw_value{bson_type::array, negative}}}.view()), unknown)
      << "too much work";
}

// Any prefix or flipped byte: an answer, and no byte read outside (the sanitizers look).
TEST(matcher_filter, no_byte_sequence_is_read_outside) {
  std::mt19937 random(3);
  const document filter{{"a.b", document{{"$gt", 1}}}, {"$or", array{document{{"c", array{1}}}, document{{"d", "x"}}}}};
  const document from{{"a", array{document{{"b", 2}}}}, {"c", array{1}}, {"d", "x"}};
  for (int i = 0; i < 20'000; ++i) {
    auto x = filter.bytes();
    auto y = from.bytes();
    for (auto n = random() % 3; n > 0; --n) x[random() % x.size()] = static_cast<std::uint8_t>(random());
    for (auto n = random() % 3; n > 0; --n) y[random() % y.size()] = static_cast<std::uint8_t>(random());
    const auto f = bson_view::parse(x);
    const auto d = bson_view::parse(y);
    if (!f || !d) continue;
    EXPECT_LE(matches(*f, *d), unknown);
  }
}

class random_source {
 public:
  value scalar() {
    const std::vector<value> all{
        0, 1, 1.5, 2L, "x", "y", null, true, nan, date{1}, decimal(1, 0), undefined, document{{"b", 1}}};
    return all[random_() % all.size()];
  }
  value any(int depth) {
    switch (depth > 0 ? random_() % 5 : 4) {
      case 0:
        return array{any(depth - 1), any(depth - 1)};
      case 1:
        return array{};
      case 2:
        return from(depth - 1);
      default:
        return scalar();
    }
  }
  document from(int depth) {
    document out;
    for (const auto* name : {"a", "b", "0"}) {
      if (random_() % 3 != 0) out = with(out, name, any(depth));
    }
    return out;
  }
  document filter(int depth) {
    constexpr std::array paths{"a", "b", "a.b", "a.0", "b.a", "a.0.b"};
    constexpr std::array ops{"$eq", "$ne", "$gt", "$gte", "$lt", "$lte"};
    const auto* path = paths[random_() % paths.size()];
    switch (random_() % 9) {
      case 0:
        return {{path, scalar()}};
      case 1:
        return {{path, document{{"$in", array{scalar(), scalar()}}}}};
      case 2:
        return {{path, document{{"$exists", random_() % 2 == 0}}}};
      case 3:
        return {{path, document{{"$elemMatch", document{{"$gt", scalar()}}}}}};
      case 4:
        return {{path, document{{"$not", document{{"$lt", scalar()}}}}}};
      case 5:
        if (depth > 0) return {{"$or", array{filter(depth - 1), filter(depth - 1)}}};
        return {{path, document{{"$size", 2}}}};
      case 6:
        return {{path, document{{"$type", random_() % 2 == 0 ? "array" : "number"}}}};
      default:
        return {{path, document{{ops[random_() % ops.size()], scalar()}}}};
    }
  }

 private:
  std::mt19937 random_{17};
};

TEST(matcher_filter, agrees_with_itself) {
  random_source random;
  std::array<int, 3> seen{};
  for (int i = 0; i < 20'000; ++i) {
    const auto from = random.from(3);
    const auto f = random.filter(2);
    const auto g = random.filter(2);
    const auto ask = [&](const document& filter) { return matches(filter.view(), from.view()); };
    const auto x = ask(f);
    const auto y = ask(g);
    ++seen[static_cast<std::size_t>(x)];
    ASSERT_EQ(ask({{"$nor", array{f}}}), negated(x)) << i;
    ASSERT_EQ(ask({{"$and", array{f, g}}}), both(x, y)) << i;
    ASSERT_EQ(ask({{"$or", array{f, g}}}), either(x, y)) << i;
    ASSERT_EQ(ask({{"$nor", array{f, g}}}), negated(either(x, y))) << i;
    const auto operand = random.scalar();
    const auto pair = [&](const char* a, const char* b) {
      ASSERT_EQ(ask(on_a(a, operand)), negated(ask(on_a(b, operand)))) << i;
    };
    pair("$eq", "$ne");
    ASSERT_EQ(ask(on_a("$in", array{operand})), ask({{"a", document{{"$in", array{operand, operand}}}}})) << i;
    ASSERT_EQ(ask(on_a("$nin", array{operand})), negated(ask(on_a("$in", array{operand})))) << i;
    ASSERT_EQ(ask(on_a("$not", document{{"$gt", operand}})), negated(ask(on_a("$gt", operand)))) << i;
    ASSERT_EQ(ask(on_a("$lte", operand)), either(ask(on_a("$lt", operand)), ask(on_a("$eq", operand)))) << i;
  }
  for (const auto count : seen) EXPECT_GT(count, 500);
}

}  // namespace
}  // namespace mongocached::cache
