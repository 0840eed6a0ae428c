#include "config/renew.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/keys.hpp"

namespace mongocached::config {
namespace {

using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(keep_until_restart, what_a_reload_changes_is_taken) {
  const settings running;
  settings fresh;
  fresh.listen.max_in_flight = 7;
  fresh.http.token = secret{"sesame"};
  fresh.cache.mode = cache_mode::ttl;
  fresh.cache.ttl = seconds{1};
  fresh.log.slow = seconds{1};
  fresh.collections.resize(1);
  fresh.users.resize(1);
  const auto wanted = fresh;
  EXPECT_THAT(keep_until_restart(running, fresh), IsEmpty());
  EXPECT_EQ(fresh, wanted);
}

TEST(keep_until_restart, what_waits_is_named_and_stays_as_it_is) {
  settings running;
  running.upstream.uri = uri{"mongodb://a"};
  running.redis.uri = uri{"redis://a"};
  settings fresh = running;
  fresh.listen.address = {"0.0.0.0", 27018};
  fresh.listen.advertise = endpoint{"h", 1};
  fresh.upstream.uri = uri{"mongodb://app:sesame@b"};
  fresh.upstream.authz_ttl = seconds{1};
  fresh.redis.uri.reset();
  fresh.http.address.reset();
  fresh.cache.memory = 0;
  fresh.cache.ttl = seconds{1};
  fresh.log.format = log_format::json;
  auto wanted = running;
  wanted.cache.ttl = seconds{1};
  EXPECT_THAT(keep_until_restart(running, fresh),
              ElementsAre("listen.address", "listen.advertise", "upstream.uri", "upstream.authz_ttl", "redis.uri",
                          "http.address", "cache.memory", "log.format"));
  EXPECT_EQ(fresh, wanted);
}

// Contexts are made anew at a reload; connections with TLS and without are not told apart.
TEST(keep_until_restart, tls_changes_its_files_but_neither_comes_nor_goes) {
  settings running;
  running.listen.tls_cert = "a.pem";
  running.listen.tls_key = "a.key";
  settings fresh = running;
  fresh.listen.tls_cert = "b.pem";
  fresh.listen.tls_key = "b.key";
  EXPECT_THAT(keep_until_restart(running, fresh), IsEmpty());
  EXPECT_EQ(fresh.listen.tls_cert, "b.pem");
  settings none;
  EXPECT_THAT(keep_until_restart(running, none), ElementsAre("listen.tls_cert", "listen.tls_key"));
  EXPECT_EQ(none, running);
  fresh = running;
  EXPECT_THAT(keep_until_restart({}, fresh), ElementsAre("listen.tls_cert", "listen.tls_key"));
  EXPECT_EQ(fresh, settings{});
}

// A pool that lost its users would serve everybody on this machine.
TEST(keep_until_restart, users_of_another_auth_wait_for_it) {
  settings running;
  running.upstream.auth = auth_kind::pooled;
  running.users = {{"app", secret{"sesame"}}};
  settings fresh;
  EXPECT_THAT(keep_until_restart(running, fresh), ElementsAre("upstream.auth", "user"));
  EXPECT_EQ(fresh, running);
}

// Once it was judged beside the Redis that waited, and strict was in force without one.
TEST(check_in_force, strict_does_not_come_before_its_redis) {
  const settings running;
  result fresh;
  fresh.settings.upstream.uri = uri{"mongodb://a"};
  fresh.settings.redis.uri = uri{"redis://a"};
  fresh.settings.cache.mode = cache_mode::strict;
  EXPECT_THAT(keep_until_restart(running, fresh.settings), Contains("redis.uri"));
  fresh.settings.upstream.uri = uri{"mongodb://a"};
  check_in_force(fresh);
  ASSERT_EQ(fresh.faults.size(), 1U);
  EXPECT_EQ(fresh.faults.front().key, "cache.mode");
}

TEST(check_in_force, files_of_certificates_are_not_asked_for_again) {
  result fresh;
  fresh.settings.upstream.uri = uri{"mongodb://a"};
  fresh.settings.listen.tls_cert = fresh.settings.listen.tls_key = "/gone";
  check_in_force(fresh);
  EXPECT_TRUE(fresh.ok());
}

TEST(check_in_force, what_was_noted_is_not_noted_twice) {
  result fresh;
  fresh.settings.upstream.uri = uri{"mongodb://a"};
  fresh.settings.cache.memory = 0;
  fresh.notes = {"nothing is cached"};
  check_in_force(fresh);
  EXPECT_THAT(fresh.notes, ElementsAre("nothing is cached"));
}

TEST(keep_until_restart, nothing_that_is_kept_is_lost_on_the_way) {
  for (const auto& k : keys()) {
    settings s;
    k.assign(s, k.get(settings{}));
    EXPECT_EQ(s, settings{}) << full_name(k);
  }
}

}  // namespace
}  // namespace mongocached::config
