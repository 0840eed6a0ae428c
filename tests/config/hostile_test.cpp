// What no operator writes, and what must not happen even then: a crash, a fault of two lines, a password on the screen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/keys.hpp"
#include "config/load.hpp"
#include "config/print.hpp"
#include "temp_file.hpp"

namespace mongocached::config {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;
using testing::Not;

constexpr const char* password = "sesame";

// Everything that a run may show.
std::vector<std::string> shown(const result& r) {
  std::vector<std::string> out = r.notes;
  for (const auto& f : r.faults) {
    out.push_back(f.key);
    out.push_back(f.line);
  }
  for (const auto& [name, text] : describe(r.settings)) out.push_back(text);
  out.push_back(print_config(r));
  return out;
}

void expect_clean(const result& r) {
  for (const auto& text : shown(r)) EXPECT_THAT(text, Not(HasSubstr(password)));
  for (const auto& f : r.faults) {
    EXPECT_THAT(f.line, Not(HasSubstr("\n")));
    EXPECT_TRUE(is_utf8(f.line)) << f.line;
    EXPECT_LT(f.line.size(), 2000U);
  }
}

// Passwords as they are, and as they go wrong.
const std::vector<std::string> uris{
    "mongodb://app:sesame@db.example",
    "mongodb://app:se@sesame@db.example",
    "mongodb://app:a/sesame@db.example",
    "mongodb://app:sesame",
    "mongodb://app:sesame@",
    "mongodb:/app:sesame@db.example",
    "mongodb://app:a sesame@db.example",
    "app:sesame@db.example",
    "redis://:sesame@cache.example:6379/0",
    "redis://sesame@cache.example",
    "redis:sesame@cache.example",
    "http://app:sesame@db.example",
    "mongodb://app:a\nsesame@db.example",
    "mongodb://app:a\0sesame@db"s,
    "mongodb://app:\xffsesame@db",
    "mongodb://app:a\"sesame@db",
    "mongodb://app:sesame@localhost:27017",
    "mongodb+srv://app:sesame@c0.example/?tlsCertificateKeyFilePassword=sesame",
    "mongodb://app:" + std::string(5000, 'x') + "sesame@db.example",
};

std::vector<std::string> secrets() {
  std::vector<std::string> out{"sesame",
                               "",
                               "sesame\n",
                               "sesame\0x"s,
                               "\xffsesame",
                               "sesame with spaces",
                               "sesame\"'\\",
                               "ünïcode sesame",
                               std::string(70'000, 'x') + "sesame"};
  out.insert(out.end(), uris.begin(), uris.end());
  return out;
}

bool may_hold_a_password(value_kind kind) {
  return is_secret(kind) || kind == value_kind::upstream_uri || kind == value_kind::redis_uri;
}

TEST(hostile, no_password_is_shown_from_any_source_of_any_secret_key) {
  const test::temp_directory directory;
  for (const auto& k : keys()) {
    if (!may_hold_a_password(k.spec.kind)) continue;
    for (const auto& text : secrets()) {
      if (!is_secret(k.spec.kind) && text.find("://") == std::string::npos && text.find('@') == std::string::npos)
        continue;
      options o;
      o.flags[full_name(k)] = text;
      expect_clean(load(o));
      o = {};
      o.environment[environment_name(k)] = text;
      expect_clean(load(o));
      o = {};
      o.environment[environment_name(k) + "_FILE"] = directory.file("value", text);
      expect_clean(load(o));
      o = {};
      o.file = directory.file(
          "c.toml", "[" + std::string{k.section} + "]\n" + std::string{k.name} + " = " + in_quotes(text) + "\n");
      expect_clean(load(o));
    }
  }
}

TEST(hostile, no_uri_is_shown_with_its_password_whatever_key_it_was_put_in) {
  for (const auto& k : keys()) {
    for (const auto* text : {"mongodb://app:sesame@db.example", "redis://:sesame@cache.example"}) {
      options o;
      o.environment[environment_name(k)] = text;
      expect_clean(load(o));
      o = {};
      o.environment[environment_name(k) + "_FILE"] = text;
      expect_clean(load(o));
    }
  }
}

TEST(hostile, no_password_of_a_user_is_shown) {
  const test::temp_directory directory;
  for (const auto& text : secrets()) {
    for (const auto* key : {"password", "password_file", "pasword"}) {
      if (key == "password_file"s && text.find("://") == std::string::npos) continue;  // a path is shown
      options o;
      o.file = directory.file("c.toml", "[[user]]\nname = \"a\"\n" + std::string{key} + " = " + in_quotes(text) + "\n");
      expect_clean(load(o));
    }
  }
}

TEST(hostile, what_the_toml_parser_stumbles_over_is_not_shown) {
  const test::temp_directory directory;
  for (const auto* value : {"sesame", "'sesame", "\"sesame", "\"x\" sesame", "\"\\sesame\"", "12sesame", "\"\"\"sesame",
                            "[sesame]", "{a=sesame}", "0xsesame", "1979-05-sesame", "'it's sesame'", "\"a\"sesame\"",
                            "tsesame", "infsesame", "nasesame", "sesame\nsesame = 1"}) {
    options o;
    o.file = directory.file("c.toml", "[[user]]\npassword = "s + value + "\n[upstream]\nuri = "s + value + "\n");
    const auto r = load(o);
    EXPECT_FALSE(r.ok()) << value;
    expect_clean(r);
  }
}

TEST(hostile, a_secret_of_the_wrong_type_is_not_shown) {
  const test::temp_directory directory;
  for (const auto* value : {"12345678", "1.2345678", "[\"sesame\"]", "{ a = \"sesame\" }"}) {
    options o;
    o.file =
        directory.file("c.toml", "[http]\ntoken = "s + value + "\n[[user]]\nname = \"a\"\npassword = "s + value + "\n");
    const auto r = load(o);
    EXPECT_FALSE(r.ok());
    expect_clean(r);
    for (const auto& f : r.faults) EXPECT_THAT(f.line, Not(HasSubstr("2345678")));
  }
}

TEST(hostile, deep_files_are_refused_without_harm) {
  const test::temp_directory directory;
  std::string dots = "a";
  for (int i = 0; i < 100'000; ++i) dots += ".a";
  for (const auto& text : {std::string(100'000, '['), "a = " + std::string(100'000, '['), dots + " = 1",
                           "[" + dots + "]", "[[" + dots + "]]", "x = { " + dots + " = 1 }",
                           "x = \"\\\n" + dots + " = 1\n", "x = 'a' # '\n" + dots + " = 1"}) {
    options o;
    o.file = directory.file("c.toml", text);
    EXPECT_FALSE(load(o).ok());
  }
}

TEST(hostile, names_of_any_kind_make_one_line) {
  const test::temp_directory directory;
  for (const auto* text :
       {"\"a\\nb\" = 1\n", "[\"\"]\n\"\" = 1\n", "[cache]\n\"\\u0000\" = 1\n", "[\"c\\u001bache\"]\nx = 1\n",
        "[[\"a.b\"]]\n", "[cache.ttl]\n", "\xff = 1\n", "[[collection]]\n\"a\\nb\" = 1\n", "\"\" = 1\n"}) {
    options o;
    o.file = directory.file("c.toml", text);
    const auto r = load(o);
    EXPECT_FALSE(r.ok());
    expect_clean(r);
  }
  options o;
  o.environment["MONGOCACHED_\n\xff"] = "x";
  o.environment["MONGOCACHED_"] = "x";
  o.environment["MONGOCACHED__FILE"] = "x";
  o.flags["no\nsuch"] = "x";
  expect_clean(load(o));
}

TEST(hostile, many_collections_are_read_in_time) {
  const test::temp_directory directory;
  std::string text;
  for (int i = 0; i < 5000; ++i)
    text += "[[collection]]\nnamespace = \"db.c" + std::to_string(i) + "\"\nttl = \"1s\"\n";
  options o;
  o.flags["upstream.uri"] = "mongodb://db.example";
  o.file = directory.file("c.toml", text);
  const auto r = load(o);
  EXPECT_TRUE(r.ok());
  EXPECT_EQ(r.settings.collections.size(), 5000U);
}

}  // namespace
}  // namespace mongocached::config
