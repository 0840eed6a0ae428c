#include "config/print.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "config/keys.hpp"
#include "temp_file.hpp"

namespace mongocached::config {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

const std::filesystem::path repository = MONGOCACHED_REPOSITORY;

std::string content(const std::filesystem::path& path) {
  std::ifstream stream{path, std::ios::binary};
  std::ostringstream out;
  out << stream.rdbuf();
  return out.str();
}

// MONGOCACHED_UPDATE_GENERATED=1 writes the generated files instead of comparing them: for whoever changes a key.
bool updates() {
  return std::getenv("MONGOCACHED_UPDATE_GENERATED") != nullptr;
}

TEST(print_config, says_of_each_key_where_it_came_from) {
  const test::temp_directory directory;
  options o;
  o.flags["upstream.uri"] = "mongodb://app:sesame@db.example";
  o.environment["MONGOCACHED_HTTP_TOKEN"] = "sesame";
  o.file = directory.file("c.toml",
                          "[cache]\nttl = \"60s\"\n[[collection]]\nnamespace = \"d.c\"\nmax_lag = "
                          "\"2s\"\n[[user]]\nname = \"app\"\npassword = \"sesame\"\n");
  const auto out = print_config(load(o));
  EXPECT_THAT(out, HasSubstr("uri = \"mongodb://app:***@db.example\"  # flag --upstream\n"));
  EXPECT_THAT(out, HasSubstr("token = \"***\"  # environment MONGOCACHED_HTTP_TOKEN\n"));
  EXPECT_THAT(out, HasSubstr("ttl = \"1m\"  # file " + *o.file + ":2\n"));
  EXPECT_THAT(out, HasSubstr("memory = \"256MiB\"  # default\n"));
  EXPECT_THAT(out, HasSubstr("\n[[collection]]\nnamespace = \"d.c\"  # file " + *o.file +
                             ":4\nmax_lag = \"2s\"  # file " + *o.file + ":5\n"));
  EXPECT_THAT(out, HasSubstr("\n[[user]]\nname = \"app\"  # file " + *o.file + ":7\npassword = \"***\"  # file " +
                             *o.file + ":8\nadmin = false  # default\n"));
  EXPECT_THAT(out, Not(HasSubstr("sesame")));
}

TEST(print_config, without_secrets_it_is_a_file_that_gives_the_same_settings) {
  const test::temp_directory directory;
  options o;
  o.flags = {{"upstream.uri", "mongodb://db.example"}, {"redis.uri", "redis://cache.example"}};
  o.file = directory.file(
      "c.toml",
      "[cache]\nmode = \"strict\"\nverify_share = 1\n[[collection]]\nnamespace = \"d.c*\"\nnegative_ttl = \"1h\"\n");
  const auto first = load(o);
  ASSERT_TRUE(first.ok());
  options again;
  again.file = directory.file("again.toml", print_config(first));
  const auto second = load(again);
  EXPECT_TRUE(second.ok());
  EXPECT_EQ(second.settings, first.settings);
}

TEST(sample, loads_without_faults) {
  const test::temp_directory directory;
  options o;
  o.file = directory.file("sample.toml", sample());
  const auto r = load(o);
  EXPECT_TRUE(r.ok());
  EXPECT_THAT(r.notes, IsEmpty());
}

// "#key = value" and "#[[section]]" are settings; "# text" is text.
TEST(sample, every_commented_line_is_a_setting_that_loads) {
  const test::temp_directory directory;
  std::istringstream in{sample()};
  std::string out;
  for (std::string line; std::getline(in, line);) {
    const bool is_setting = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    if (line.starts_with("#token_file")) continue;  // instead of token
    if (line.starts_with("#password_file")) line = "#password = \"x\"";
    out += (is_setting ? line.substr(1) : line) + "\n";
  }
  options o;
  o.file = directory.file("sample.toml", out);
  const auto r = load(o);
  for (const auto& f : r.faults) ADD_FAILURE() << f.line;
  settings expected;
  expected.upstream.uri = r.settings.upstream.uri;
  expected.collections = r.settings.collections;
  expected.users = r.settings.users;
  EXPECT_EQ(r.settings, expected);
  EXPECT_EQ(r.settings.collections.size(), 2U);
  EXPECT_EQ(r.settings.users.size(), 1U);
  for (const auto& k : keys()) EXPECT_EQ(r.origins.at(full_name(k)).from, source::file) << full_name(k);
}

TEST(sample, is_the_committed_file) {
  const auto path = repository / "config" / "mongocached.toml";
  if (updates()) std::ofstream{path, std::ios::binary} << sample();
  EXPECT_EQ(content(path), sample()) << "run with MONGOCACHED_UPDATE_GENERATED=1 to write it anew";
}

TEST(reference, is_what_the_documentation_holds) {
  constexpr std::string_view begin = "<!-- keys: generated from config/keys.cpp -->\n";
  constexpr std::string_view end = "<!-- end of keys -->\n";
  const auto path = repository / "docs" / "configuration.md";
  auto text = content(path);
  const auto from = text.find(begin);
  const auto to = text.find(end);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  const auto expected = text.substr(0, from + begin.size()) + "\n" + reference() + "\n" + text.substr(to);
  if (updates()) {
    std::ofstream{path, std::ios::binary} << expected;
    text = expected;
  }
  EXPECT_EQ(text, expected) << "run with MONGOCACHED_UPDATE_GENERATED=1 to write it anew";
}

TEST(describe, names_every_key_and_masks) {
  settings s;
  s.upstream.uri = uri{"mongodb://app:sesame@db.example"};
  s.http.token = secret{"sesame"};
  s.collections.resize(1);
  s.collections[0].pattern = "d.c";
  s.users = {{"app", secret{"sesame"}, true}};
  const auto out = describe(s);
  EXPECT_EQ(out.size(), keys().size() + 1 + 3);
  EXPECT_THAT(out, Contains(Pair("upstream.uri", "mongodb://app:***@db.example")));
  EXPECT_THAT(out, Contains(Pair("http.token", "***")));
  EXPECT_THAT(out, Contains(Pair("redis.uri", "none")));
  EXPECT_THAT(out, Contains(Pair("collection[1].namespace", "d.c")));
  EXPECT_THAT(out, Contains(Pair("user[1].password", "***")));
  EXPECT_THAT(out, Contains(Pair("user[1].admin", "true")));
}

TEST(key_table, every_key_says_what_it_means_and_its_default_is_allowed) {
  for (const auto& k : keys()) {
    EXPECT_FALSE(k.meaning.empty());
    EXPECT_TRUE(k.meaning.ends_with('.')) << full_name(k);
    EXPECT_FALSE(allowed(k.spec).empty());
    if (full_name(k) == "upstream.uri") continue;
    raw_value raw;
    raw.text = to_plain(k.spec, k.get(settings{}));
    EXPECT_TRUE(parse(k.spec, raw).result) << full_name(k);
  }
}

}  // namespace
}  // namespace mongocached::config
