#include "config/load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <set>

#include "config/keys.hpp"
#include "temp_file.hpp"

namespace mongocached::config {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr const char* some_upstream = "mongodb://db.example:27018";

options minimal() {
  options out;
  out.flags["upstream.uri"] = some_upstream;
  return out;
}

std::vector<std::string> lines(const result& r) {
  std::vector<std::string> out;
  out.reserve(r.faults.size());
  for (const auto& f : r.faults) out.push_back(f.line);
  return out;
}

class load_test : public testing::Test {
 protected:
  // A run with this file and an upstream from the command line.
  result from_file(std::string_view toml) {
    auto o = minimal();
    o.file = directory.file("c.toml", toml);
    return load(o);
  }

  test::temp_directory directory;
};

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
uri = "redis://:sesame@cache.example:6379/0"
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
              cert,
              cert,
              cert,
              "/run/m.sock",
              3s,
              pose_kind::replica_set,
              endpoint{"cache.example", 27017}};
  e.upstream = {uri{some_upstream}, 2s, auth_kind::pooled, 9, 10s};
  e.redis = {uri{"redis://:sesame@cache.example:6379/0"}, 30ms, "blue"};
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

TEST_F(load_test, a_fault_names_key_value_place_and_what_is_allowed) {
  auto o = minimal();
  o.file = directory.file("c.toml", "[cache]\nttl = \"5 minutes\"\n");
  EXPECT_THAT(lines(load(o)), ElementsAre("cache.ttl = \"5 minutes\" (" + *o.file +
                                          ":2): has an unknown unit; allowed: a duration from 1ms to "
                                          "365d, such as \"5s\" (ns, us, ms, s, m, h, d)"));
}

TEST_F(load_test, all_faults_of_all_sources_are_told_at_once) {
  auto o = minimal();
  o.flags["listen.threads"] = "many";
  o.environment["MONGOCACHED_CACHE_MEMORY"] = "lots";
  o.environment["MONGOCACHED_CACHE_MEMROY"] = "1MiB";
  o.file =
      directory.file("c.toml", "[cache]\nmemory = 5\nmode = \"fast\"\nnone = 1\n[lisen]\naddress = 1\nthreads = 2\n");
  EXPECT_THAT(lines(load(o)), SizeIs(7));
}

TEST_F(load_test, a_wrong_value_is_a_fault_even_where_a_stronger_source_wins) {
  auto o = minimal();
  o.flags["log.level"] = "info";
  o.environment["MONGOCACHED_LOG_LEVEL"] = "loud";
  EXPECT_THAT(lines(load(o)), ElementsAre(StartsWith("log.level = \"loud\" (MONGOCACHED_LOG_LEVEL)")));
}

TEST_F(load_test, an_unknown_key_names_the_nearest) {
  EXPECT_THAT(lines(from_file("[cache]\nmax_entrys = 1\n")),
              ElementsAre(AllOf(StartsWith("cache.max_entrys ("), HasSubstr("nearest is cache.max_entry"))));
  EXPECT_THAT(lines(from_file("[listen]\nttl = 1\n")), ElementsAre(HasSubstr("nearest is cache.ttl")));
  EXPECT_THAT(lines(from_file("level = 1\n")),
              ElementsAre(AllOf(StartsWith("level ("), HasSubstr("nearest is log.level"))));
  EXPECT_THAT(lines(from_file("[cahce]\nttl = 1\nmode = 2\n")),
              ElementsAre(AllOf(StartsWith("cahce ("), HasSubstr("nearest is [cache]"))));
  EXPECT_THAT(lines(from_file("[[collection]]\nnamespace = \"d.c\"\nttll = 1\n")),
              ElementsAre(AllOf(StartsWith("collection[1].ttll ("), HasSubstr("nearest is collection.ttl"))));
}

TEST_F(load_test, an_unknown_environment_name_of_ours_names_the_nearest) {
  auto o = minimal();
  o.environment["MONGOCACHED_UPSTREAM_URL"] = "mongodb://app:sesame@db.example";
  o.environment["OTHER_NAME"] = "x";
  EXPECT_THAT(
      lines(load(o)),
      ElementsAre("MONGOCACHED_UPSTREAM_URL (environment): no such key; the nearest is MONGOCACHED_UPSTREAM_URI"));
  o.environment = {{"MONGOCACHED_HTTP_TOKN_FILE", "x"}, {"MONGOCACHED_LISTEN_PORT", "27017"}};
  EXPECT_THAT(lines(load(o)),
              ElementsAre(HasSubstr("MONGOCACHED_HTTP_TOKEN_FILE"), StartsWith("MONGOCACHED_LISTEN_PORT")));
}

// A Kubernetes service called mongocached puts such names into every pod of its namespace; ours must start all the
// same.
TEST_F(load_test, what_a_service_called_mongocached_puts_into_the_environment_is_no_fault) {
  auto o = minimal();
  o.environment = {{"MONGOCACHED_SERVICE_HOST", "10.0.0.1"},
                   {"MONGOCACHED_SERVICE_PORT", "27017"},
                   {"MONGOCACHED_SERVICE_PORT_HTTP", "9217"},
                   {"MONGOCACHED_PORT", "tcp://10.0.0.1:27017"},
                   {"MONGOCACHED_PORT_27017_TCP", "tcp://10.0.0.1:27017"},
                   {"MONGOCACHED_PORT_27017_TCP_ADDR", "10.0.0.1"},
                   {"MONGOCACHED_METRICS_SERVICE_HOST", "10.0.0.2"}};
  EXPECT_THAT(lines(load(o)), IsEmpty());
}

TEST_F(load_test, wrong_brackets_are_told) {
  EXPECT_THAT(lines(from_file("[[cache]]\nttl = \"1s\"\n")), ElementsAre(HasSubstr("allowed: [cache]")));
  EXPECT_THAT(lines(from_file("[collection]\nnamespace = \"d.c\"\n")),
              ElementsAre(HasSubstr("allowed: [[collection]]")));
  EXPECT_THAT(lines(from_file("cache = 1\n")), ElementsAre(HasSubstr("allowed: [cache]")));
  EXPECT_THAT(lines(from_file("user = [1, 2]\n")), ElementsAre(HasSubstr("allowed: [[user]]")));
}

TEST_F(load_test, a_value_of_the_wrong_type_is_a_fault) {
  for (const auto* toml :
       {"[listen]\nthreads = \"4\"\n", "[listen]\nthreads = 1.5\n", "[listen]\naddress = 1\n",
        "[listen]\naddress = []\n", "[listen]\naddress = { host = \"a\" }\n", "[cache]\nenabled = 1\n",
        "[cache]\nenabled = \"true\"\n", "[cache]\nttl = 1979-05-27\n", "[cache]\nttl = 07:32:00\n",
        "[cache]\nmode = true\n", "[cache]\nverify_share = \"0.1\"\n", "[listen.address]\nhost = \"a\"\n"}) {
    EXPECT_THAT(lines(from_file(toml)), ElementsAre(HasSubstr("allowed: "))) << toml;
  }
}

TEST_F(load_test, an_element_needs_its_keys) {
  EXPECT_THAT(
      lines(from_file("[[collection]]\n[[collection]]\nttl = \"1s\"\n")),
      ElementsAre(StartsWith("collection[1].namespace is not set"), StartsWith("collection[2].namespace is not set")));
  EXPECT_THAT(lines(from_file("[[user]]\n")),
              ElementsAre(StartsWith("user[1].name is not set"), StartsWith("user[1].password is not set")));
  EXPECT_THAT(lines(from_file("[[user]]\nname = \"\"\npassword = \"\"\n")),
              ElementsAre(StartsWith("user[1].name = \"\""), StartsWith("user[1].password = ***")));
}

TEST_F(load_test, the_memory_of_a_collection_can_only_be_0) {
  EXPECT_THAT(lines(from_file("[[collection]]\nnamespace = \"d.c\"\nmemory = \"1MiB\"\n")),
              ElementsAre(StartsWith("collection[1].memory = \"1MiB\"")));
}

TEST_F(load_test, a_file_that_is_no_toml_is_told_with_its_line) {
  auto o = minimal();
  o.file = directory.file("c.toml", "[cache]\nttl = \"1s\"\nmode == \n");
  EXPECT_THAT(lines(load(o)), ElementsAre(StartsWith(*o.file + ":3: no TOML: ")));
}

TEST_F(load_test, a_file_that_cannot_be_read_is_told) {
  auto o = minimal();
  for (const auto& path : {directory.path(), directory.path() + "/none", std::string{}, std::string{"a\0b", 3},
                           std::string(100'000, 'x')}) {
    o.file = path;
    EXPECT_THAT(lines(load(o)), ElementsAre(AllOf(StartsWith("--config = "), HasSubstr("allowed: "))));
  }
  o.file = directory.file("big.toml", std::string((1 << 20) + 1, '\n'));
  EXPECT_THAT(lines(load(o)), ElementsAre(HasSubstr("is longer than 1MiB")));
}

TEST_F(load_test, a_file_with_the_marks_of_other_editors_is_read) {
  EXPECT_THAT(lines(from_file("\xef\xbb\xbf[cache]\r\nttl = \"1s\"\r\n")), IsEmpty());
  EXPECT_THAT(lines(from_file("")), IsEmpty());
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
