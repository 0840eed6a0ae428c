#include "cache/query_shape.hpp"

#include "policy_support.hpp"
#include "protocol/utf8.hpp"
#include "support/scrubbed_values.hpp"

namespace mongocached::cache {
namespace {

std::string shape_of(const document& body) {
  const parsed_command command(body);
  return std::string(query_shape(command.view()).text());
}

std::string filter_of(const document& filter) {
  const auto shape = shape_of({{"find", "things"}, {"filter", filter}, {"$db", "shop"}});
  const std::string before = "find {filter: ";
  EXPECT_TRUE(shape.starts_with(before)) << shape;
  return shape.ends_with('}') ? shape.substr(before.size(), shape.size() - before.size() - 1) : shape;
}

// What people are shown: UTF-8, no control characters, of bounded length.
void expect_presentable(std::string_view text) {
  EXPECT_LE(text.size(), query_shape::longest_text);
  while (!text.empty()) {
    const auto next = protocol::decode_utf8(text);
    ASSERT_GT(next.size, 0U);
    ASSERT_FALSE(protocol::is_control(next.code)) << text;
    text.remove_prefix(next.size);
  }
}

TEST(query_shape, a_find_shows_names_and_operators) {
  EXPECT_EQ(shape_of({{"find", "things"},
                      {"filter", document{{"year", document{{"$gte", 1990}}}, {"cast", document{{"$in", array{"a"}}}}}},
                      {"sort", document{{"imdb.rating", -1}}},
                      {"projection", document{{"title", 1}, {"_id", 0}}},
                      {"limit", 5},
                      {"hint", document{{"year", 1}}},
                      {"lsid", document{{"id", binary{4, byte_buffer(16)}}}},
                      {"comment", "who asks"},
                      {"maxTimeMS", 5},
                      {"unheardOf", "secret"},
                      {"$db", "shop"}}),
            "find {filter: {year: {$gte: ?}, cast: {$in: [?]}}, sort: {imdb.rating: ?}, "
            "projection: {title: ?, _id: ?}, limit, hint: {year: ?}, unheardOf}");
}

TEST(query_shape, other_reads_show_what_they_have) {
  EXPECT_EQ(shape_of({{"aggregate", "things"},
                      {"pipeline", array{document{{"$match", document{{"a", "secret"}}}}, document{{"$group", 1}}, 7}},
                      {"cursor", document()},
                      {"allowDiskUse", true},
                      {"$db", "shop"}}),
            "aggregate {pipeline: [$match, $group, ?], allowDiskUse}");
  EXPECT_EQ(shape_of({{"count", "things"}, {"query", document{{"a", 1}}}, {"skip", 3}, {"$db", "shop"}}),
            "count {query: {a: ?}, skip}");
  EXPECT_EQ(shape_of({{"distinct", "things"}, {"key", "a"}, {"query", document()}, {"$db", "shop"}}),
            "distinct {key, query: {}}");
  EXPECT_EQ(shape_of({{"find", "things"}, {"$db", "shop"}}), "find {}");
}

TEST(query_shape, arrays_show_what_is_different_in_them) {
  EXPECT_EQ(filter_of({{"a", document{{"$in", array{1, "b", true, null_value{}}}}}}), "{a: {$in: [?]}}");
  EXPECT_EQ(filter_of({{"a", array{}}}), "{a: []}");
  const document x{{"x", 1}};
  const document y{{"y", 1}};
  EXPECT_EQ(filter_of({{"$or", array{x, x, y, x}}}), "{$or: [{x: ?}, {y: ?}, {x: ?}]}");
  EXPECT_EQ(filter_of({{"$or", array{1, x, x, 2, 3}}}), "{$or: [?, {x: ?}, ?]}");
  EXPECT_EQ(filter_of({{"a", array{array{1}, array{2, 3}}}, {"b", 1}}), "{a: [[?]], b: ?}");
}

TEST(query_shape, no_literal_of_any_type_is_shown) {
  const std::vector<value> literals{1,
                                    2L,
                                    3.5,
                                    true,
                                    "secret",
                                    some_object_id,
                                    null_value{},
                                    date{7},
                                    timestamp{7},
                                    binary{0, byte_buffer(3, 's')},
                                    regex("secret"),
                                    decimal(7, 0),
                                    text_of_type(bson_type::code, "secret"),
                                    text_of_type(bson_type::symbol, "secret")};
  for (const auto& literal : literals) EXPECT_EQ(filter_of({{"a", literal}}), "{a: ?}");
  EXPECT_EQ(shape_of({{"find", "t"}, {"filter", "secret"}, {"hint", "secret_1"}, {"$db", "shop"}}),
            "find {filter: ?, hint: ?}");
}

TEST(query_shape, names_are_made_safe) {
  EXPECT_EQ(filter_of({{"a b", 1}}), R"({"a b": ?})");
  EXPECT_EQ(filter_of({{"", 1}}), R"({"": ?})");
  EXPECT_EQ(filter_of({{"a\": ?, \\", 1}}), R"({"a\": ?, \\": ?})");
  EXPECT_EQ(filter_of({{"line\nbreak\x7f", 1}}), R"({"line\u000abreak\u007f": ?})");
  EXPECT_EQ(filter_of({{"turn\u202eround", 1}}), R"({"turn\u202eround": ?})");
  EXPECT_EQ(filter_of({{"caf\u00e9", 1}}), "{\"caf\u00e9\": ?}");
  EXPECT_EQ(filter_of({{"broken\xc3(", 1}}), "{\"broken\ufffd(\": ?}");
}

TEST(query_shape, long_names_are_cut_between_characters) {
  const std::string fits(query_shape::longest_name, 'n');
  EXPECT_EQ(filter_of({{fits, 1}}), "{" + fits + ": ?}");
  EXPECT_EQ(filter_of({{fits + "x", 1}}), "{\"" + fits + "...\": ?}");
  const auto odd = fits.substr(1) + "\u00e9";
  EXPECT_EQ(filter_of({{odd, 1}}), "{\"" + fits.substr(1) + "...\": ?}");
}

TEST(query_shape, what_is_too_much_is_cut) {
  byte_buffer wide;
  {
    protocol::bson_builder builder(wide);
    for (int i = 0; i < 1000; ++i) builder.append_int32("f" + std::to_string(i), i);
  }
  const auto shape = filter_of(document(wide));
  EXPECT_LE(shape.size(), query_shape::longest_text);
  EXPECT_GT(shape.size(), query_shape::longest_text - 20);
  EXPECT_TRUE(shape.ends_with("..."));

  document deep{{"a", 1}};
  for (int i = 0; i < 50; ++i) deep = document{{"a", deep}};
  const auto nested = filter_of(deep);
  EXPECT_NE(nested.find("{a: ...}"), std::string::npos) << nested;

  byte_buffer many;
  {
    protocol::bson_builder builder(many);
    for (int i = 0; i < 5000; ++i) builder.append_int32(std::to_string(i), i);
  }
  EXPECT_EQ(filter_of({{"a", raw_value{bson_type::array, many}}, {"b", 1}}), "{a: [?], b: ?}");

  // Short names in arrays within arrays: the number of elements is what ends it.
  value inner = array{1};
  for (int i = 0; i < 5; ++i) inner = array{inner, inner, inner, inner, inner};
  const auto square = filter_of({{"a", inner}});
  EXPECT_NE(square.find("..."), std::string::npos) << square;
}

TEST(query_shape, belongs_to_reads_of_users_collections_only) {
  const std::vector<document> without{
      {{"hello", 1}, {"$db", "admin"}},
      {{"find", "x"}, {"$db", "admin"}},
      {{"find", "x"}, {"$db", "local"}},
      {{"find", "x"}, {"$db", "config"}},
      {{"find", "system.views"}, {"$db", "shop"}},
      {{"getMore", 5L}, {"collection", "things"}, {"$db", "shop"}},
      {{"endSessions", array{}}, {"$db", "shop"}},
      {{"listCollections", 1}, {"$db", "shop"}},
      {{"insert", "things"}, {"$db", "shop"}},
  };
  for (const auto& body : without) {
    const parsed_command command(body);
    EXPECT_FALSE(has_shape(command.view()));
    EXPECT_EQ(query_shape(command.view()).text(), "");
  }
}

TEST(query_shape, the_namespace_stands_apart) {
  const parsed_command one({{"find", "things"}, {"$db", "shop"}});
  EXPECT_EQ(query_shape(one.view()).ns(), "shop.things");
  const parsed_command whole({{"aggregate", 1}, {"pipeline", array{}}, {"$db", "shop"}});
  EXPECT_EQ(query_shape(whole.view()).ns(), "shop");
  const parsed_command odd({{"find", "a\nb"}, {"$db", "shop"}});
  EXPECT_EQ(query_shape(odd.view()).ns(), R"(shop."a\u000ab")");
  const parsed_command large({{"find", std::string(100'000, 'x')}, {"$db", "shop"}});
  EXPECT_LE(query_shape(large.view()).ns().size(), query_shape::longest_namespace);
  EXPECT_NE(query_shape(one.view()).hash(), query_shape(odd.view()).hash());
}

// Random commands: their names are drawn from one alphabet, their values from another.
class random_command {
 public:
  explicit random_command(unsigned seed) : random_(seed) {}

  document make() {
    const std::array commands{"find", "aggregate", "count", "distinct"};
    const std::array arguments{"filter", "query", "sort", "projection", "hint", "min", "pipeline", "let", "collation"};
    byte_buffer bytes;
    {
      protocol::bson_builder builder(bytes);
      append(builder, commands[below(commands.size())], "things");
      for (auto left = below(6); left > 0; --left) append(builder, arguments[below(arguments.size())], any(4));
      const auto key = name();
      append(builder, key, any(2));
      append(builder, "$db", "shop");
    }
    return document(bytes);
  }

 private:
  static void append(protocol::bson_builder& to, std::string_view name, const value& content) {
    to.append_value(content.type, name, content.bytes);
  }
  std::size_t below(std::size_t bound) { return random_() % bound; }
  // Never `$db`, which has to be a string.
  std::string name() {
    std::string out = below(3) == 0 ? "$" : "";
    for (auto left = 3 + below(8); left > 0; --left) out += static_cast<char>('a' + below(13));
    return out;
  }
  // Of letters that no name has.
  std::string text() {
    std::string out(1 + below(12), ' ');
    for (auto& c : out) c = static_cast<char>('Q' + below(10));
    return out;
  }
  value scalar() {
    switch (below(8)) {
      case 0:
        return static_cast<int>(random_());
      case 1:
        return static_cast<double>(random_());
      case 2:
        return regex(text());
      case 3:
        return binary{0, byte_buffer(below(20), 'Q')};
      case 4:
        return some_object_id;
      case 5:
        return text_of_type(bson_type::code, text());
      default:
        return text();
    }
  }
  value any(int depth) {
    if (depth == 0 || below(3) == 0) return scalar();
    const bool is_array = below(3) == 0;
    byte_buffer bytes;
    {
      protocol::bson_builder builder(bytes);
      const auto size = below(5);
      for (std::size_t i = 0; i < size; ++i) {
        const auto key = is_array ? std::to_string(i) : name();
        append(builder, key, any(depth - 1));
      }
    }
    return raw_value{is_array ? bson_type::array : bson_type::document, bytes};
  }

  std::mt19937 random_;
};

// Nothing of a value is shown: not its text, nor anything that depends on it.
TEST(query_shape, values_never_show_in_it) {
  random_command commands(11);
  std::size_t nested = 0;
  for (int round = 0; round < 5000; ++round) {
    const auto body = commands.make();
    const auto shape = shape_of(body);
    expect_presentable(shape);
    EXPECT_EQ(shape.find_first_of("QRSTUVWXYZ"), std::string::npos) << shape;
    EXPECT_EQ(shape.find_first_of("0123456789"), std::string::npos) << shape;
    EXPECT_EQ(shape_of(document(test_support::with_other_values(body.bytes()))), shape);
    if (shape.find("{$") != std::string::npos) ++nested;
  }
  EXPECT_GT(nested, 100U) << "the commands do hold something to show";
}

TEST(query_shape, a_document_that_breaks_off_shows_what_is_there) {
  byte_buffer broken = document{{"a", 1}, {"bb", "text"}}.bytes();
  broken[11] = 0x77;  // the second element's type
  EXPECT_EQ(filter_of({{"f", raw_value{bson_type::document, broken}}, {"g", 1}}), "{f: {a: ?}, g: ?}");
}

}  // namespace
}  // namespace mongocached::cache
