#include "cache/matcher/path.hpp"

#include "policy_support.hpp"

namespace mongocached::cache {
namespace {

TEST(matcher_path, plain_paths) {
  for (const auto* plain : {"a", "a.b", "a.0.b", "0", "_id", "a b", "a$b"}) EXPECT_TRUE(is_plain_path(plain)) << plain;
  for (const auto* odd : {"", ".", "a.", ".a", "a..b", "$a", "a.$", "a.$[]", "a.$id"}) {
    EXPECT_FALSE(is_plain_path(odd)) << odd;
  }
}

struct touch_row {
  const char* a;
  const char* b;
  bool touch;
  const char* reason;
};

TEST(matcher_path, a_change_touches_by_prefix_both_ways_without_indices) {
  const std::vector<touch_row> rows{
      {"a", "a", true, "the same"},
      {"a", "b", false, "siblings"},
      {"a", "ab", false, "components, not letters"},
      {"a", "a.b", true, "inside"},
      {"a.b", "a", true, "around"},
      {"a.b", "a.c", false, "siblings inside"},
      {"a.0.b", "a.b", true, "any element"},
      {"a.0", "a.1", true, "an array may shift"},
      {"a.b", "a.3.b.c", true, "prefix behind an index"},
      {"a.3.c", "a.b", false, "siblings behind an index"},
      {"a.$.b", "a.b", true, "positional"},
      {"a.$[].b", "a.0.c", false, "all-positional"},
      {"a.$[x].b", "a.b.c", true, "filtered positional"},
      {"0", "b", true, "nothing but an index: anything"},
      {"", "b", true, "no path: anything"},
      {"a..b", "a.c", true, "odd: from there on anything"},
  };
  for (const auto& r : rows) {
    EXPECT_EQ(paths_touch(r.a, r.b), r.touch) << r.a << ' ' << r.b << ": " << r.reason;
    EXPECT_EQ(paths_touch(r.b, r.a), r.touch) << r.b << ' ' << r.a << ": " << r.reason;
  }
}

// The int32 values that a path leads to; '-' missing, 'A' array, 'D' document, '?' behind what is not sure.
std::string values_at(const document& from, std::string_view path, leaf_arrays leaves = leaf_arrays::traversed) {
  std::string seen;
  work_budget budget;
  const auto each = [&](const bson_element* v) {
    if (v == nullptr) seen += '-';
    if (v != nullptr)
      seen +=
          v->is(bson_type::array) ? "A" : (v->is(bson_type::document) ? "D" : std::to_string(v->integer().value_or(0)));
    return match::no;
  };
  EXPECT_EQ(any_value(from.view(), path, leaves, each, budget), match::no);
  // Whether a yes there would be believed.
  std::string sure;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    std::size_t at = 0;
    const auto yes = [&](const bson_element*) { return to_match(at++ == i); };
    const auto answer = any_value(from.view(), path, leaves, yes, budget);
    sure += seen[i];
    if (answer == match::unknown) sure += '?';
  }
  return sure;
}

TEST(matcher_path, leads_to_values) {
  const array documents{document{{"b", 1}}, document{{"c", 2}}, 7, array{document{{"b", 3}}}};
  const document d{{"a", documents}, {"e", array{}}, {"n", array{1, array{2, 3}}}, {"s", 5}, {"d", document{{"x", 6}}}};
  struct row {
    const char* path;
    const char* values;
    const char* reason;
  };
  const std::vector<row> rows{
      {"s", "5", "a field"},
      {"d", "D", "a document"},
      {"d.x", "6", "inside"},
      {"d.y", "-", "missing inside"},
      {"s.x", "-", "missing behind a scalar"},
      {"z.x", "-", "missing"},
      {"e", "A", "an empty array is itself"},
      {"e.x", "", "nothing, not even missing"},
      {"n", "1AA", "each element and the whole; nested elements not"},
      {"a.b", "1-", "documents in the array; scalars and nested arrays give nothing"},
      {"a.2", "-?-?-?7", "an index; documents might have that field"},
      {"n.1", "-?A2?3?", "an array by index: its elements perhaps"},
      {"a.0.b", "-?-?1-?", "through an index"},
      {"a.9", "-?-?-?", "no such index"},
      {"a.00", "-?-?-?", "not how an index is written"},
  };
  for (const auto& r : rows) EXPECT_EQ(values_at(d, r.path), r.values) << r.path << ": " << r.reason;
  EXPECT_EQ(values_at(d, "n", leaf_arrays::whole), "A");
  EXPECT_EQ(values_at(d, "n.1", leaf_arrays::whole), "-?A");
  EXPECT_EQ(values_at({{"a", document{{"0", 4}}}}, "a.0"), "4") << "a field may have a number for its name";
  EXPECT_EQ(values_at({{"a", array{5, document{{"1", 4}}}}}, "a.1"), "-?4D") << "a field and an index";
}

TEST(matcher_path, work_is_bounded) {
  value deep = 1;
  for (int i = 0; i < 30; ++i) deep = array{document{{"0", deep}}};
  std::string path = "a";
  for (int i = 0; i < 60; ++i) path += ".0";
  work_budget budget(10'000);
  const auto never = [](const bson_element*) { return match::no; };
  EXPECT_EQ(any_value(document{{"a", deep}}.view(), path, leaf_arrays::traversed, never, budget), match::unknown);
  EXPECT_FALSE(budget.spend(1));
}

}  // namespace
}  // namespace mongocached::cache
