#include "config/load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <set>

#include "config/keys.hpp"
#include "load_fixture.hpp"

namespace mongocached::config {
namespace {

using namespace std::chrono_literals;
using test::lines;
using test::load_test;
using test::minimal;
using test::some_upstream;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

TEST_F(load_test, the_upstream_is_all_that_must_be_given) {
  const auto r = load(minimal());
  EXPECT_THAT(lines(r), IsEmpty());
  EXPECT_THAT(r.notes, IsEmpty());
  settings expected;
  expected.upstream.uri = uri{some_upstream};
  EXPECT_EQ(r.settings, expected);
}

TEST_F(load_test, without_an_upstream_there_is_one_fault) {
  EXPECT_THAT(lines(load({})),
              ElementsAre("upstream.uri is not set; allowed: \"mongodb://...\" or \"mongodb+srv://...\""));
}

TEST_F(load_test, every_key_of_the_file_is_read) {
  const auto cert = directory.file("cert.pem", "c");
  const auto r = from_file(R"(
[listen]
address = "0.0.0.0:27019"
threads = 4
max_connections = 5
max_in_flight = 6
max_buffered = "64MiB"
buffer_timeout = "2s"
tls_cert = ")" + cert + R"("
tls_key = ")" + cert + R"("
tls_client_ca = ")" + cert +
                           R"("
unix_socket = "/run/m.sock"
drain_timeout = "3s"
pose = "replica_set"
advertise = "cache.example:27017"
[upstream]
uri = "mongodb+srv://c0.example"
connect_timeout = "2s"
auth = "pooled"
pool_size = 9
authz_ttl = "10s"
[redis]
uri = "rediss://:sesame@cache.example:6379/0"
tls_ca = ")" + cert + R"("
timeout = "30ms"
key_prefix = "blue"
[http]
address = "[::1]:9000"
token = "opensesame"
[cache]
enabled = false
memory = "1GiB"
max_entry = "2MiB"
ttl = "1h"
negative_ttl = 0
mode = "strict"
max_lag = "500ms"
serve_stale_on_error = "1m"
verify_share = 0.5
[log]
level = "debug"
format = "json"
slow = "1s"
[[collection]]
namespace = "db.c"
mode = "ttl"
enabled = true
[[collection]]
namespace = "db.d*"
memory = "0"
[[user]]
name = "app"
password = "x"
[[user]]
name = "root"
password = "y"
admin = true
)");
  EXPECT_THAT(lines(r), IsEmpty());
  settings e;
  e.listen = {{"0.0.0.0", 27019},
              4,
              5,
              6,
              64ULL << 20,
              2s,
              cert,
              cert,
              cert,
              "/run/m.sock",
              3s,
              pose_kind::replica_set,
              endpoint{"cache.example", 27017}};
  e.upstream = {uri{some_upstream}, 2s, auth_kind::pooled, 9, 10s};
  e.redis = {uri{"rediss://:sesame@cache.example:6379/0"}, cert, 30ms, "blue"};
  e.http = {endpoint{"::1", 9000}, secret{"opensesame"}};
  e.cache = {false, 1ULL << 30, 2ULL << 20, 1h, 0s, cache_mode::strict, 500ms, 1min, 0.5};
  e.log = {log_level::debug, log_format::json, 1s};
  e.collections.resize(2);
  e.collections[0].pattern = "db.c";
  e.collections[0].mode = cache_mode::ttl;
  e.collections[0].enabled = true;
  e.collections[1].pattern = "db.d*";
  e.collections[1].memory = 0;
  e.users = {{"app", secret{"x"}, false}, {"root", secret{"y"}, true}};
  EXPECT_EQ(r.settings, e);
}

TEST_F(load_test, a_flag_wins_over_the_environment_over_the_file_over_the_default) {
  auto o = minimal();
  EXPECT_EQ(load(o).origins.at("log.level").from, source::default_value);
  o.file = directory.file("c.toml", "\n[log]\nlevel = \"error\"\n");
  auto r = load(o);
  EXPECT_EQ(r.settings.log.level, log_level::error);
  EXPECT_EQ(r.origins.at("log.level").where, *o.file + ":3");
  o.environment["MONGOCACHED_LOG_LEVEL"] = "warn";
  r = load(o);
  EXPECT_EQ(r.settings.log.level, log_level::warn);
  EXPECT_EQ(r.origins.at("log.level").where, "MONGOCACHED_LOG_LEVEL");
  o.flags["log.level"] = "trace";
  r = load(o);
  EXPECT_EQ(r.settings.log.level, log_level::trace);
  EXPECT_EQ(r.origins.at("log.level").where, "--log-level");
}

TEST_F(load_test, every_key_is_taken_from_its_environment_name_and_from_a_file) {
  for (const auto& k : keys()) {
    if (full_name(k) == "upstream.uri") continue;
    auto direct = minimal();
    direct.environment[environment_name(k)] = to_plain(k.spec, k.get(settings{}));
    EXPECT_THAT(lines(load(direct)), IsEmpty()) << full_name(k);
    EXPECT_EQ(load(direct).origins.at(full_name(k)).where, environment_name(k));

    auto by_file = minimal();
    by_file.environment[environment_name(k) + "_FILE"] =
        directory.file("value", to_plain(k.spec, k.get(settings{})) + "\n");
    EXPECT_THAT(lines(load(by_file)), IsEmpty()) << full_name(k);
    EXPECT_EQ(load(by_file).origins.at(full_name(k)).where, environment_name(k) + "_FILE");
  }
}

TEST_F(load_test, no_environment_name_stands_for_two_keys) {
  std::set<std::string> names;
  for (const auto& k : keys()) {
    EXPECT_TRUE(names.insert(environment_name(k)).second);
    EXPECT_TRUE(names.insert(environment_name(k) + "_FILE").second);
  }
}

TEST_F(load_test, one_newline_at_the_end_of_a_value_file_does_not_count) {
  auto o = minimal();
  for (const auto* content : {"sesame", "sesame\n", "sesame\r\n"}) {
    o.environment["MONGOCACHED_HTTP_TOKEN_FILE"] = directory.file("token", content);
    EXPECT_EQ(load(o).settings.http.token.reveal(), "sesame");
  }
  o.environment["MONGOCACHED_HTTP_TOKEN_FILE"] = directory.file("token", "sesame\n\n");
  EXPECT_THAT(lines(load(o)), ElementsAre(AllOf(StartsWith("http.token = *** (MONGOCACHED_HTTP_TOKEN_FILE): "),
                                                Not(HasSubstr("sesame")))));
}

TEST_F(load_test, a_value_and_its_file_variant_together_are_a_fault) {
  auto o = minimal();
  o.environment["MONGOCACHED_HTTP_TOKEN"] = "sesame";
  o.environment["MONGOCACHED_HTTP_TOKEN_FILE"] = directory.file("token", "sesame");
  EXPECT_THAT(lines(load(o)),
              ElementsAre("http.token (MONGOCACHED_HTTP_TOKEN): MONGOCACHED_HTTP_TOKEN_FILE is set as well; "
                          "allowed: one of the two"));
  EXPECT_THAT(lines(from_file("[http]\ntoken = \"sesame\"\ntoken_file = \"/x\"\n")),
              ElementsAre(AllOf(HasSubstr("one of the two"), Not(HasSubstr("sesame")))));
}

TEST_F(load_test, secrets_of_the_file_may_stand_in_files_of_their_own) {
  const auto path = directory.file("secret", "sesame\n");
  const auto r =
      from_file("[http]\ntoken_file = \"" + path +
                "\"\n[upstream]\nauth = \"pooled\"\n[[user]]\nname = \"app\"\npassword_file = \"" + path + "\"\n");
  EXPECT_THAT(lines(r), IsEmpty());
  EXPECT_EQ(r.settings.http.token.reveal(), "sesame");
  EXPECT_EQ(r.settings.users.at(0).password.reveal(), "sesame");
}

TEST_F(load_test, a_value_file_that_cannot_be_read_is_a_fault) {
  auto o = minimal();
  for (const auto& path : {directory.path(), directory.path() + "/none", std::string{},
                           directory.file("big", std::string(100'000, 'x'))}) {
    o.environment["MONGOCACHED_HTTP_TOKEN_FILE"] = path;
    EXPECT_THAT(lines(load(o)), ElementsAre(StartsWith("http.token (MONGOCACHED_HTTP_TOKEN_FILE = "))) << path;
  }
}

TEST(environment_from, keeps_only_our_names) {
  const std::array<const char*, 5> environ{"PATH=/bin", "MONGOCACHED_LOG_LEVEL=a=b", "MONGOCACHED_BROKEN",
                                           "MONGOCACHED_REDIS_URI=", nullptr};
  EXPECT_THAT(environment_from(environ.data()),
              ElementsAre(testing::Pair("MONGOCACHED_LOG_LEVEL", "a=b"), testing::Pair("MONGOCACHED_REDIS_URI", "")));
  EXPECT_THAT(environment_from(nullptr), IsEmpty());
}

TEST(flags, each_names_a_key_that_exists) {
  EXPECT_THAT(flags(), SizeIs(6));
  for (const auto& f : flags()) {
    EXPECT_THAT(f.flag, StartsWith("--"));
    EXPECT_TRUE(load({}).origins.contains(f.key));
  }
}

}  // namespace
}  // namespace mongocached::config
