#include "cache/document_id.hpp"

#include <limits>

#include "policy_support.hpp"

namespace mongocached::cache {
namespace {

constexpr auto least = std::numeric_limits<std::int64_t>::min();
constexpr auto most = std::numeric_limits<std::int64_t>::max();

std::string form(const value& content) {
  byte_buffer out;
  return append_canonical_id(out, owned_element(content).get()) ? std::string(protocol::as_text(out)) : "refused";
}

TEST(document_id, every_number_that_compares_equal_is_one_key) {
  const auto five = form(5);
  for (const auto& same : {value(5L), value(5.0), decimal(5, 0), decimal(50, -1), decimal(500000, -5)}) {
    EXPECT_EQ(form(same), five);
  }
  EXPECT_EQ(form(-7), form(decimal(7, 0, true)));
  EXPECT_EQ(form(1000), form(decimal(1, 3)));
  EXPECT_EQ(form(most), form(decimal(static_cast<std::uint64_t>(most), 0)));
  EXPECT_EQ(form(least), form(decimal(static_cast<std::uint64_t>(1) << 63, 0, true)));
  EXPECT_EQ(form(least), form(-0x1p63));
}

TEST(document_id, every_zero_is_one_key) {
  for (const auto& zero :
       {value(0L), value(0.0), value(-0.0), decimal(0, 0), decimal(0, 0, true), decimal(0, 6000), decimal(0, -6176)}) {
    EXPECT_EQ(form(zero), form(0));
  }
}

TEST(document_id, numbers_beyond_a_double_s_precision_stay_apart) {
  const auto big = std::int64_t{1} << 53;
  EXPECT_EQ(form(big), form(0x1p53));
  EXPECT_NE(form(big + 1), form(0x1p53));
  EXPECT_NE(form(most), form(most - 1));
}

TEST(document_id, types_that_never_compare_equal_have_different_keys) {
  const std::vector<value> all{
      1, 1.5, "1", true, date{1}, timestamp{1}, some_object_id, binary{0, {1}}, document{{"a", 1}}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < all.size(); ++j) EXPECT_EQ(form(all[i]) == form(all[j]), i == j) << i << ' ' << j;
  }
}

TEST(document_id, binary_subtype_and_length_count) {
  EXPECT_NE(form(binary{0, {1, 2}}), form(binary{4, {1, 2}}));
  EXPECT_NE(form(binary{0, {1, 2}}), form(binary{0, {1, 2, 0}}));
}

TEST(document_id, strings_are_their_bytes) {
  using namespace std::string_view_literals;
  EXPECT_NE(form("a"), form("A"));
  EXPECT_NE(form("\xc3\xa4"), form("a\xcc\x88"));
  EXPECT_NE(form("a\0b"sv), form("a"));
}

TEST(document_id, embedded_documents_compare_by_names_order_and_values) {
  EXPECT_EQ(form(document{{"a", 5}, {"b", "x"}}), form(document{{"a", 5.0}, {"b", "x"}}));
  EXPECT_EQ(form(document{{"a", document{{"b", decimal(50, -1)}}}}), form(document{{"a", document{{"b", 5L}}}}));
  EXPECT_NE(form(document{{"a", 1}, {"b", 2}}), form(document{{"b", 2}, {"a", 1}}));
  EXPECT_NE(form(document{{"a", 1}}), form(document{{"b", 1}}));
  EXPECT_NE(form(document{{"a", document{}}}), form(document{}));
  EXPECT_NE(form(document{{"a", document{{"b", 1}}}}), form(document{{"a", document{}}, {"b", 1}}));
}

TEST(document_id, refuses_what_is_not_modelled) {
  const std::vector<std::pair<const char*, value>> refused{
      {"null", null_value{}},
      {"undefined", raw_value{bson_type::undefined, {}}},
      {"array", array{1}},
      {"regex", regex("a")},
      {"code", text_of_type(bson_type::code, "f()")},
      {"symbol", text_of_type(bson_type::symbol, "a")},
      {"minKey", raw_value{bson_type::min_key, {}}},
      {"maxKey", raw_value{bson_type::max_key, {}}},
      {"NaN", std::numeric_limits<double>::quiet_NaN()},
      {"infinity", std::numeric_limits<double>::infinity()},
      {"double beyond int64", 0x1p63},
      {"double below int64", -0x1.0000000000001p63},
      {"decimal 0.5", decimal(5, -1)},
      {"decimal 2^63", decimal(static_cast<std::uint64_t>(1) << 63, 0)},
      {"decimal 10^19", decimal(1, 19)},
      {"decimal 1E6000", decimal(1, 6000)},
      {"decimal 1E-6176", decimal(1, -6176)},
      {"decimal NaN", decimal_bits(0x7c00000000000000, 0)},
      {"decimal infinity", decimal_bits(0x7800000000000000, 0)},
      {"decimal with a large coefficient", decimal_bits(0x6000000000000000, 5)},
      {"decimal of 35 digits", decimal_bits(0x3040000000000000 | 0x1ffffffffffff, 0)},
      {"operator", document{{"$gt", 1}}},
      {"DBRef", document{{"$ref", "a"}, {"$id", 1}}},
  };
  for (const auto& [what, content] : refused) {
    EXPECT_EQ(form(content), "refused") << what;
    EXPECT_EQ(form(document{{"a", 1}, {"b", content}}), "refused") << what << ", nested";
  }
}

TEST(document_id, tells_which_values_without_a_form_may_equal_one_that_has_one) {
  const auto may_equal = [](const value& content) {
    const owned_element element(content);
    return may_equal_modelled(element.get());
  };
  EXPECT_TRUE(may_equal(decimal(5, -1)));
  EXPECT_TRUE(may_equal(text_of_type(bson_type::symbol, "a")));
  EXPECT_TRUE(may_equal(document{{"a", 1}, {"b", document{{"c", decimal(5, -1)}}}}));
  EXPECT_FALSE(may_equal(null_value{}));
  EXPECT_FALSE(may_equal(0x1p63)) << "the decimal that it equals has no form either";
  EXPECT_FALSE(may_equal(raw_value{bson_type::min_key, {}}));
  EXPECT_FALSE(may_equal(document{{"$ref", "a"}, {"$id", 1}}));
}

TEST(document_id, leaves_the_buffer_as_it_was_when_it_refuses) {
  byte_buffer out{1, 2};
  const owned_element bad(document{{"a", 1}, {"b", null_value{}}});
  EXPECT_FALSE(append_canonical_id(out, bad.get()));
  EXPECT_EQ(out, (byte_buffer{1, 2}));
}

TEST(document_id, refuses_malformed_and_too_deep_documents) {
  EXPECT_EQ(form(raw_value{bson_type::document, {8, 0, 0, 0, 1, 'a', 0, 0}}), "refused");
  document nested{{"a", 1}};
  for (int i = 0; i < protocol::max_depth - 1; ++i) nested = document{{"a", nested}};
  EXPECT_NE(form(nested), "refused");
  EXPECT_EQ(form(document{{"a", nested}}), "refused");
}

TEST(document_id, finds_strings_at_any_depth) {
  EXPECT_TRUE(holds_string(owned_element("a").get()));
  EXPECT_TRUE(holds_string(owned_element(document{{"a", 1}, {"b", document{{"c", "x"}}}}).get()));
  EXPECT_FALSE(holds_string(owned_element(document{{"a", 1}}).get()));
  EXPECT_FALSE(holds_string(owned_element(some_object_id).get()));
}

int order(const value& a, const value& b) {
  const owned_element x(a);
  const owned_element y(b);
  const auto forth = compare_ids(x.get(), y.get());
  EXPECT_EQ(forth<0, compare_ids(y.get(), x.get())> 0);
  return forth < 0 ? -1 : (forth > 0 ? 1 : 0);
}

void expect_ascending(const std::vector<value>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = 0; j < values.size(); ++j) {
      EXPECT_EQ(order(values[i], values[j]), (i > j) - (i < j)) << i << ' ' << j;
    }
  }
}

TEST(document_id, orders_each_class_as_the_server_does) {
  expect_ascending({least, -0x1.8p53, -2, -1.5, -1, -0.5, -1e-200, -1e-300, decimal(0, 3, true), 1e-300, 0.5,
                    decimal(10, -1), 1.5, 2L, decimal(20, 0), 9007199254740992.0, 9007199254740993L, most});
  expect_ascending({"", "A", "a", "aa", "b", "\x7f", "\xc3\xa4"});
  expect_ascending({binary{0, {}}, binary{0, {9}}, binary{4, {1}}, binary{0, {0, 0}}, binary{0, {0, 1}}});
  expect_ascending({date{-5}, date{0}, date{7}});
  expect_ascending({timestamp{0}, timestamp{7}, timestamp{0xffffffffffffffff}});
  expect_ascending({false, true});
  expect_ascending({object_id{{0}}, object_id{{0, 1}}, object_id{{0x80}}});
  expect_ascending({document{}, document{{"a", 1}}, document{{"a", 1}, {"b", 0}}, document{{"a", 2.5}},
                    document{{"b", 0}}, document{{"a", "x"}}, document{{"a", document{{"a", 1}}}}});
}

// Random values known by what they mean rather than by their bytes, written in a random BSON form. A number is counted
// in quarters, so that integers and fractions mix; its forms are int32, int64, double and decimals of several
// exponents.
struct meaning {
  id_class kind = id_class::number;
  std::int64_t number = 0;
  std::string text;
  std::vector<std::pair<std::string, meaning>> fields;

  bool operator==(const meaning&) const = default;
};

using random_engine = std::mt19937_64;

std::int64_t below(random_engine& random, std::int64_t bound) {
  return std::uniform_int_distribution<std::int64_t>(0, bound - 1)(random);
}

meaning random_meaning(random_engine& random, int depth) {
  meaning out;
  out.kind = static_cast<id_class>(below(random, 8));
  switch (out.kind) {
    case id_class::number:
      out.number = below(random, 4) == 0 ? (std::int64_t{1} << 55) + below(random, 3) * 4 : below(random, 24) - 12;
      break;
    case id_class::document:
      for (auto n = depth > 0 ? below(random, 4) : 0; n > 0; --n) {
        out.fields.emplace_back(std::string(1, static_cast<char>('a' + below(random, 2))),
                                random_meaning(random, depth - 1));
      }
      break;
    case id_class::string:
    case id_class::binary:
      out.text = std::string(static_cast<std::size_t>(below(random, 3)), static_cast<char>('a' + below(random, 2)));
      break;
    default:
      out.number = below(random, 2);
  }
  return out;
}

value write_number(random_engine& random, std::int64_t quarters) {
  if (quarters % 4 != 0) return static_cast<double>(quarters) / 4;
  const auto whole = quarters / 4;
  const auto size = static_cast<std::uint64_t>(whole < 0 ? -whole : whole);
  switch (below(random, 4)) {
    case 0:
      if (whole == static_cast<int>(whole)) return static_cast<int>(whole);
      return whole;
    case 1:
      if (std::abs(whole) <= (std::int64_t{1} << 53) || whole % 2 == 0) return static_cast<double>(whole);
      return whole;
    case 2:
      return decimal(size * 100, -2, whole < 0);
    default:
      return whole % 10 == 0 ? decimal(size / 10, 1, whole < 0) : decimal(size, 0, whole < 0);
  }
}

value write(random_engine& random, const meaning& m) {
  switch (m.kind) {
    case id_class::number:
      return write_number(random, m.number);
    case id_class::string:
      return m.text;
    case id_class::binary:
      return binary{0, byte_buffer(m.text.begin(), m.text.end())};
    case id_class::object_id:
      return object_id{{static_cast<std::uint8_t>(m.number)}};
    case id_class::boolean:
      return m.number != 0;
    case id_class::date:
      return date{m.number};
    case id_class::timestamp:
      return timestamp{static_cast<std::uint64_t>(m.number)};
    case id_class::document: {
      document out;
      for (const auto& [name, field] : m.fields) out = with(out, name, write(random, field));
      return out;
    }
  }
  return null_value{};
}

int naive_order(const meaning& a, const meaning& b) {
  const auto sign = [](auto x, auto y) { return x < y ? -1 : (y < x ? 1 : 0); };
  if (a.kind != b.kind) return sign(a.kind, b.kind);
  if (a.kind == id_class::binary && a.text.size() != b.text.size()) return sign(a.text.size(), b.text.size());
  if (a.kind == id_class::binary || a.kind == id_class::string) return sign(a.text, b.text);
  if (a.kind != id_class::document) return sign(a.number, b.number);
  for (std::size_t i = 0; i < std::min(a.fields.size(), b.fields.size()); ++i) {
    const auto& [left_name, left] = a.fields[i];
    const auto& [right_name, right] = b.fields[i];
    if (left.kind != right.kind) return sign(left.kind, right.kind);
    if (left_name != right_name) return sign(left_name, right_name);
    if (const auto order = naive_order(left, right)) return order;
  }
  return sign(a.fields.size(), b.fields.size());
}

TEST(document_id, keys_are_equal_exactly_when_the_values_are) {
  random_engine random(20240101);
  int equal_pairs = 0;
  for (int i = 0; i < 30'000; ++i) {
    const auto a = random_meaning(random, 2);
    const auto b = below(random, 3) == 0 ? a : random_meaning(random, 2);
    const owned_element x(write(random, a));
    const owned_element y(write(random, b));
    byte_buffer left;
    byte_buffer right;
    ASSERT_TRUE(append_canonical_id(left, x.get()));
    ASSERT_TRUE(append_canonical_id(right, y.get()));
    ASSERT_EQ(left == right, a == b) << i;
    equal_pairs += a == b ? 1 : 0;
    if (a.kind != b.kind) continue;
    const auto order = compare_ids(x.get(), y.get());
    ASSERT_EQ((order > 0) - (order < 0), naive_order(a, b)) << i;
  }
  EXPECT_GT(equal_pairs, 10'000);
}

// A form that is the front of another one could be confused with it once something stands behind it.
TEST(document_id, no_form_is_the_front_of_another) {
  random_engine random(7);
  std::vector<std::string> forms;
  for (int i = 0; i < 300; ++i) forms.push_back(form(write(random, random_meaning(random, 2))));
  for (const auto& a : forms) {
    for (const auto& b : forms) EXPECT_TRUE(a == b || !b.starts_with(a));
  }
}

}  // namespace
}  // namespace mongocached::cache
