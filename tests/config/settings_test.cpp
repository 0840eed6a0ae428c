#include "config/settings.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace mongocached::config {
namespace {

using namespace std::chrono_literals;

collection_rule rule(std::string pattern, duration ttl) {
  collection_rule out;
  out.pattern = std::move(pattern);
  out.ttl = ttl;
  return out;
}

TEST(settings, a_namespace_without_a_rule_has_the_values_of_cache) {
  settings s;
  s.collections = {rule("db.other", 1s)};
  EXPECT_EQ(s.cache_for("db.c"), s.cache);
}

TEST(settings, the_most_specific_rule_counts_in_whatever_order) {
  settings s;
  s.collections = {rule("db.*", 1s), rule("db.movies", 4s), rule("db.mov*", 2s), rule("db.movies*", 3s)};
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(s.cache_for("db.x").ttl, 1s);
    EXPECT_EQ(s.cache_for("db.move").ttl, 2s);
    EXPECT_EQ(s.cache_for("db.movies2").ttl, 3s);
    EXPECT_EQ(s.cache_for("db.movies").ttl, 4s);
    EXPECT_EQ(s.cache_for("dbx.movies").ttl, s.cache.ttl);
    std::reverse(s.collections.begin(), s.collections.end());
  }
}

TEST(settings, what_the_rule_leaves_out_comes_from_cache_and_not_from_a_wider_rule) {
  settings s;
  s.cache.max_lag = 7s;
  s.collections = {rule("db.*", 1s), rule("db.c", 2s)};
  s.collections[0].enabled = false;
  const auto got = s.cache_for("db.c");
  EXPECT_TRUE(got.enabled);
  EXPECT_EQ(got.max_lag, 7s);
  EXPECT_EQ(got.ttl, 2s);
}

TEST(settings, every_key_of_a_rule_counts) {
  settings s;
  collection_rule r;
  r.pattern = "db.c";
  r.enabled = false;
  r.memory = 0;
  r.max_entry = 1;
  r.ttl = 2s;
  r.negative_ttl = 3s;
  r.mode = cache_mode::strict;
  r.max_lag = 4s;
  r.serve_stale_on_error = 5s;
  r.verify_share = 1;
  s.collections = {r};
  EXPECT_EQ(s.cache_for("db.c"), (cache_settings{false, 0, 1, 2s, 3s, cache_mode::strict, 4s, 5s, 1}));
}

TEST(settings, loopback_is_told_by_spelling) {
  for (const auto* host : {"127.0.0.1", "127.1.2.3", "::1", "localhost"})
    EXPECT_TRUE((endpoint{host, 1}.is_loopback())) << host;
  for (const auto* host : {"0.0.0.0", "::", "10.0.0.1", "db.example", "127.example.com"})
    EXPECT_FALSE((endpoint{host, 1}.is_loopback())) << host;
}

TEST(settings, an_ipv6_endpoint_is_printed_in_brackets) {
  EXPECT_EQ(to_string(endpoint{"::1", 27017}), "[::1]:27017");
  EXPECT_EQ(to_string(endpoint{"db.example", 1}), "db.example:1");
}

}  // namespace
}  // namespace mongocached::config
