#include "cache/projection.hpp"

#include <limits>
#include <map>
#include <optional>

#include "policy_support.hpp"

namespace mongocached::cache {
namespace {

using verdict = projection::verdict;

verdict compiled(const document& spec) {
  projection p;
  return p.compile(spec.view());
}

// The projected document's bytes; "unmodelled" or "array" where there are none.
std::string projected(const document& spec, const document& from) {
  projection p;
  if (p.compile(spec.view()) == verdict::unmodelled) return "unmodelled";
  byte_buffer out{'x'};
  const bool done = p.apply(from.view(), out);
  EXPECT_EQ(out[0], 'x');
  EXPECT_TRUE(done || out.size() == 1);
  return done ? std::string(protocol::as_text(byte_view(out).subspan(1))) : "array";
}

std::string bytes(const document& d) {
  return std::string(protocol::as_text(d.bytes()));
}

const document shop_item{{"_id", 1},
                         {"name", "tea"},
                         {"price", document{{"net", 5}, {"gross", document{{"de", 6}, {"fr", 7}}}}},
                         {"tags", array{1, 2}},
                         {"stock", 9}};

TEST(projection, an_empty_specification_is_the_whole_document) {
  EXPECT_EQ(compiled(document{}), verdict::whole);
  EXPECT_EQ(projected(document{}, shop_item), bytes(shop_item));
}

struct sample {
  document spec;
  document result;
};

TEST(projection, keeps_what_is_included) {
  const std::vector<sample> samples{
      {{{"name", 1}}, {{"_id", 1}, {"name", "tea"}}},
      {{{"name", true}, {"_id", false}}, {{"name", "tea"}}},
      {{{"_id", 0}, {"name", 1}}, {{"name", "tea"}}},
      {{{"_id", 1}}, {{"_id", 1}}},
      {{{"_id", 1}, {"name", 1.5}}, {{"_id", 1}, {"name", "tea"}}},
      {{{"stock", -1L}, {"name", 1}}, {{"_id", 1}, {"name", "tea"}, {"stock", 9}}},  // the document's order
      {{{"missing", 1}}, {{"_id", 1}}},
      {{{"missing", 1}, {"_id", 0}}, document{}},
      {{{"tags", 1}, {"_id", 0}}, {{"tags", array{1, 2}}}},
      {{{"price.net", 1}, {"_id", 0}}, {{"price", document{{"net", 5}}}}},
      {{{"price.gross.fr", 1}, {"price.net", 1}, {"_id", 0}},
       {{"price", document{{"net", 5}, {"gross", document{{"fr", 7}}}}}}},
      {{{"price.missing", 1}, {"_id", 0}}, {{"price", document{}}}},
      {{{"price.net.deeper", 1}, {"_id", 0}}, {{"price", document{}}}},
      {{{"name.deeper", 1}, {"_id", 0}}, document{}},
  };
  for (const auto& [spec, result] : samples) EXPECT_EQ(projected(spec, shop_item), bytes(result));
}

TEST(projection, drops_what_is_excluded) {
  const document rest{{"_id", 1}, {"tags", array{1, 2}}, {"stock", 9}};
  const std::vector<sample> samples{
      {{{"name", 0}, {"price", 0}}, rest},
      {{{"name", false}, {"price", 0.0}, {"_id", 1}}, rest},
      {{{"_id", true}, {"name", 0L}, {"price", -0.0}}, rest},
      {{{"_id", 0}, {"price", 0}, {"stock", 0}, {"tags", 0}}, {{"name", "tea"}}},
      {{{"name", 0}, {"price.gross", 0}, {"tags", 0}, {"stock", 0}}, {{"_id", 1}, {"price", document{{"net", 5}}}}},
      {{{"name.deeper", 0}, {"price", 0}, {"tags", 0}, {"stock", 0}}, {{"_id", 1}, {"name", "tea"}}},
  };
  for (const auto& [spec, result] : samples) EXPECT_EQ(projected(spec, shop_item), bytes(result));
  EXPECT_EQ(projected({{"_id", 0}}, document{{"_id", 1}, {"a", 2}}), bytes(document{{"a", 2}}));
  EXPECT_EQ(projected({{"missing", 0}}, shop_item), bytes(shop_item));
}

TEST(projection, refuses_what_is_not_modelled) {
  const std::vector<std::pair<const char*, document>> refused{
      {"mixed", {{"a", 1}, {"b", 0}}},
      {"mixed, _id first", {{"_id", 1}, {"a", 1}, {"b", 0}}},
      {"_id twice", {{"_id", 1}, {"_id", 1}}},
      {"the same path twice", {{"a", 1}, {"a", 1}}},
      {"a path and what is under it", {{"a", 1}, {"a.b", 1}}},
      {"a path and what is over it", {{"a.b.c", 0}, {"a.b", 0}}},
      {"a path into _id", {{"_id.a", 1}}},
      {"positional", {{"a.$", 1}}},
      {"dollar", {{"$a", 1}}},
      {"dollar inside", {{"a.$b", 1}}},
      {"numeric part", {{"a.0", 1}}},
      {"numeric name", {{"12", 1}}},
      {"empty name", {{"", 1}}},
      {"trailing dot", {{"a.", 1}}},
      {"leading dot", {{".a", 1}}},
      {"two dots", {{"a..b", 1}}},
      {"operator", {{"a", document{{"$slice", 1}}}}},
      {"embedded document", {{"a", document{{"b", 1}}}}},
      {"field reference", {{"a", "$b"}}},
      {"text", {{"a", "x"}}},
      {"null", {{"a", null_value{}}}},
      {"array", {{"a", array{1}}}},
      {"NaN", {{"a", std::numeric_limits<double>::quiet_NaN()}}},
      {"decimal", {{"a", decimal(1, 0)}}},
  };
  for (const auto& [what, spec] : refused) EXPECT_EQ(compiled(spec), verdict::unmodelled) << what;
}

TEST(projection, a_path_through_an_array_is_left_to_the_server) {
  const document holder{{"_id", 1}, {"tags", array{document{{"a", 1}}}}, {"in", document{{"tags", array{}}}}};
  for (const auto* path : {"tags.a", "in.tags.a"}) {
    EXPECT_EQ(projected({{path, 1}}, holder), "array");
    EXPECT_EQ(projected({{path, 0}}, holder), "array");
  }
}

TEST(projection, an_odd_document_is_left_to_the_server) {
  EXPECT_EQ(projected({{"a", 1}}, document{{"a", 1}, {"_id", 1}}), "array") << "_id not in front";
  EXPECT_EQ(projected({{"a", 1}}, document{{"_id", 1}, {"a", 1}, {"a", 2}}), "array") << "a name twice";
  EXPECT_EQ(projected({{"a", 1}}, document{{"_id", 1}, {"b", raw_value{bson_type::string, {9, 0, 0, 0, 0}}}}), "array");
}

TEST(projection, is_reusable) {
  projection p;
  const document first{{"a", 1}, {"b", 1}};
  const document second{{"c", 0}};
  const document from{{"_id", 1}, {"a", 2}, {"c", 3}};
  byte_buffer out;
  EXPECT_EQ(p.compile(first.view()), verdict::modelled);
  EXPECT_EQ(p.compile(second.view()), verdict::modelled);
  ASSERT_TRUE(p.apply(from.view(), out));
  EXPECT_EQ(out, (document{{"_id", 1}, {"a", 2}}.bytes()));
  EXPECT_EQ(p.compile(document{}.view()), verdict::whole);
  out.clear();
  ASSERT_TRUE(p.apply(from.view(), out));
  EXPECT_EQ(out, from.bytes());
}

TEST(projection, its_size_is_bounded) {
  document wide;
  for (std::size_t i = 0; i < projection::max_nodes; ++i) wide = with(wide, "f" + std::to_string(i), 1);
  EXPECT_EQ(compiled(wide), verdict::unmodelled);
  std::string path = "a";
  for (std::size_t i = 1; i < projection::max_path_parts; ++i) path += ".a";
  EXPECT_EQ(compiled({{path, 1}}), verdict::modelled);
  EXPECT_EQ(compiled({{path + ".a", 1}}), verdict::unmodelled);
}

// Against a plain reading of the rules, on trees instead of bytes. A node is a number, an array or a document.
struct tree {
  enum class kind : std::uint8_t { number, array, document } what = kind::number;
  int number = 0;
  std::string name;  // in the node above
  std::vector<tree> fields;
};
using path = std::vector<std::string>;

tree random_tree(std::mt19937& random, int depth, const char* name = "") {
  tree out;
  out.name = name;
  const auto choice = random() % 8;
  out.number = static_cast<int>(random() % 100);
  if (depth == 0 || choice < 4) return out;
  out.what = choice == 7 ? tree::kind::array : tree::kind::document;
  for (const auto* child : {"a", "b", "c"}) {
    if (random() % 2 == 0) out.fields.push_back(random_tree(random, depth - 1, child));
  }
  return out;
}

value written(const tree& t) {
  if (t.what == tree::kind::number) return t.number;
  document out;
  for (const auto& field : t.fields) out = with(out, field.name, written(field));
  auto content = value(out);
  if (t.what == tree::kind::array) content.type = bson_type::array;
  return content;
}

// The tree without what the paths do not include, or with `keep` false, without what they exclude. Empty if one meets
// an array.
std::optional<tree> pruned(const tree& from, const std::vector<path>& paths, bool keep) {
  tree out{from.what, from.number, from.name, {}};
  for (const auto& field : from.fields) {
    bool whole = false;
    std::vector<path> deeper;
    for (const auto& p : paths) {
      if (p.front() != field.name) continue;
      if (p.size() == 1) whole = true;
      if (p.size() > 1) deeper.emplace_back(p.begin() + 1, p.end());
    }
    if (whole || deeper.empty()) {
      if (whole == keep) out.fields.push_back(field);
    } else if (field.what == tree::kind::array) {
      return std::nullopt;
    } else if (field.what == tree::kind::document) {
      const auto inner = pruned(field, deeper, keep);
      if (!inner) return std::nullopt;
      out.fields.push_back(*inner);
    } else if (!keep) {
      out.fields.push_back(field);
    }
  }
  return out;
}

bool collide(const path& a, const path& b) {
  return std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size())), b.begin());
}

std::vector<path> random_paths(std::mt19937& random) {
  std::vector<path> out;
  for (int i = 0; i < 4; ++i) {
    path p;
    for (auto n = 1 + random() % 3; n > 0; --n) p.emplace_back(1, static_cast<char>('a' + random() % 3));
    if (std::none_of(out.begin(), out.end(), [&](const path& other) { return collide(p, other); })) out.push_back(p);
  }
  return out;
}

TEST(projection, agrees_with_a_plain_reading_of_the_rules) {
  std::mt19937 random(11);
  std::map<std::string, int> seen;
  for (int i = 0; i < 20'000; ++i) {
    auto root = random_tree(random, 4);
    root.what = tree::kind::document;
    const auto paths = random_paths(random);
    const bool keep = random() % 2 == 0;
    document spec;
    for (const auto& p : paths) {
      std::string dotted;
      for (const auto& part : p) dotted += (dotted.empty() ? "" : ".") + part;
      spec = with(spec, dotted, keep ? 1 : 0);
    }
    const bool id = random() % 2 == 0;
    if (!id) spec = with(spec, "_id", 0);
    const tree seven{tree::kind::number, 7, "_id", {}};
    auto expected = pruned(root, paths, keep);
    if (expected && id) expected->fields.insert(expected->fields.begin(), seven);
    root.fields.insert(root.fields.begin(), seven);
    const auto result = projected(spec, document(written(root).bytes));
    const auto wanted = expected ? bytes(document(written(*expected).bytes)) : "array";
    ASSERT_EQ(result, wanted) << i;
    ++seen[expected ? "modelled" : "array"];
  }
  EXPECT_GT(seen["modelled"], 5'000);
  EXPECT_GT(seen["array"], 1'000);
}

}  // namespace
}  // namespace mongocached::cache
