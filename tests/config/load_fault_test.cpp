// Every way in which settings can be wrong, and what is said then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "load_fixture.hpp"

namespace mongocached::config {
namespace {

using test::lines;
using test::minimal;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

using load_fault_test = test::load_test;

TEST_F(load_fault_test, a_fault_names_key_value_place_and_what_is_allowed) {
  auto o = minimal();
  o.file = directory.file("c.toml", "[cache]\nttl = \"5 minutes\"\n");
  EXPECT_THAT(lines(load(o)), ElementsAre("cache.ttl = \"5 minutes\" (" + *o.file +
                                          ":2): has an unknown unit; allowed: a duration from 1ms to "
                                          "365d, such as \"5s\" (ns, us, ms, s, m, h, d)"));
}

// Once allowed, and refused by what was to use it, under clients that were being served.
TEST_F(load_fault_test, redis_is_not_given_less_than_a_millisecond) {
  EXPECT_TRUE(from_file("[redis]\ntimeout = \"1ms\"\n").ok());
  EXPECT_THAT(lines(from_file("[redis]\ntimeout = \"999us\"\n")),
              ElementsAre(AllOf(StartsWith("redis.timeout = \"999us\""), HasSubstr("is too small"))));
}

TEST_F(load_fault_test, all_faults_of_all_sources_are_told_at_once) {
  auto o = minimal();
  o.flags["listen.threads"] = "many";
  o.environment["MONGOCACHED_CACHE_MEMORY"] = "lots";
  o.environment["MONGOCACHED_CACHE_MEMROY"] = "1MiB";
  o.file =
      directory.file("c.toml", "[cache]\nmemory = 5\nmode = \"fast\"\nnone = 1\n[lisen]\naddress = 1\nthreads = 2\n");
  EXPECT_THAT(lines(load(o)), SizeIs(7));
}

TEST_F(load_fault_test, a_wrong_value_is_a_fault_even_where_a_stronger_source_wins) {
  auto o = minimal();
  o.flags["log.level"] = "info";
  o.environment["MONGOCACHED_LOG_LEVEL"] = "loud";
  EXPECT_THAT(lines(load(o)), ElementsAre(StartsWith("log.level = \"loud\" (MONGOCACHED_LOG_LEVEL)")));
}

TEST_F(load_fault_test, an_unknown_key_names_the_nearest) {
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

TEST_F(load_fault_test, an_unknown_environment_name_of_ours_names_the_nearest) {
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
TEST_F(load_fault_test, what_a_service_called_mongocached_puts_into_the_environment_is_no_fault) {
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

TEST_F(load_fault_test, wrong_brackets_are_told) {
  EXPECT_THAT(lines(from_file("[[cache]]\nttl = \"1s\"\n")), ElementsAre(HasSubstr("allowed: [cache]")));
  EXPECT_THAT(lines(from_file("[collection]\nnamespace = \"d.c\"\n")),
              ElementsAre(HasSubstr("allowed: [[collection]]")));
  EXPECT_THAT(lines(from_file("cache = 1\n")), ElementsAre(HasSubstr("allowed: [cache]")));
  EXPECT_THAT(lines(from_file("user = [1, 2]\n")), ElementsAre(HasSubstr("allowed: [[user]]")));
}

TEST_F(load_fault_test, a_value_of_the_wrong_type_is_a_fault) {
  for (const auto* toml :
       {"[listen]\nthreads = \"4\"\n", "[listen]\nthreads = 1.5\n", "[listen]\naddress = 1\n",
        "[listen]\naddress = []\n", "[listen]\naddress = { host = \"a\" }\n", "[cache]\nenabled = 1\n",
        "[cache]\nenabled = \"true\"\n", "[cache]\nttl = 1979-05-27\n", "[cache]\nttl = 07:32:00\n",
        "[cache]\nmode = true\n", "[cache]\nverify_share = \"0.1\"\n", "[listen.address]\nhost = \"a\"\n"}) {
    EXPECT_THAT(lines(from_file(toml)), ElementsAre(HasSubstr("allowed: "))) << toml;
  }
}

TEST_F(load_fault_test, limits_below_their_floor_are_faults) {
  for (const auto* toml : {"max_in_flight = 0", "max_in_flight = -1", "max_buffered = \"0\"",
                           "max_buffered = \"1023KiB\"", "max_buffered = 5", "buffer_timeout = \"11m\""}) {
    EXPECT_THAT(lines(from_file(std::string("[listen]\n") + toml + "\n")), ElementsAre(HasSubstr("allowed: "))) << toml;
  }
}

TEST_F(load_fault_test, an_element_needs_its_keys) {
  EXPECT_THAT(
      lines(from_file("[[collection]]\n[[collection]]\nttl = \"1s\"\n")),
      ElementsAre(StartsWith("collection[1].namespace is not set"), StartsWith("collection[2].namespace is not set")));
  EXPECT_THAT(lines(from_file("[[user]]\n")), ElementsAre(StartsWith("user[1].name is not set")));
  EXPECT_THAT(lines(from_file("[upstream]\nauth = \"pooled\"\n[[user]]\nname = \"a\"\n")),
              ElementsAre(StartsWith("user[1].password is not set")));
  EXPECT_THAT(lines(from_file("[[user]]\nname = \"\"\npassword = \"\"\n")),
              ElementsAre(StartsWith("user[1].name = \"\""), StartsWith("user[1].password = ***")));
}

TEST_F(load_fault_test, the_memory_of_a_collection_can_only_be_0) {
  EXPECT_THAT(lines(from_file("[[collection]]\nnamespace = \"d.c\"\nmemory = \"1MiB\"\n")),
              ElementsAre(StartsWith("collection[1].memory = \"1MiB\"")));
}

TEST_F(load_fault_test, a_file_that_is_no_toml_is_told_with_its_line) {
  auto o = minimal();
  o.file = directory.file("c.toml", "[cache]\nttl = \"1s\"\nmode == \n");
  EXPECT_THAT(lines(load(o)), ElementsAre(StartsWith(*o.file + ":3: no TOML: ")));
}

TEST_F(load_fault_test, a_file_that_cannot_be_read_is_told) {
  auto o = minimal();
  for (const auto& path : {directory.path(), directory.path() + "/none", std::string{}, std::string{"a\0b", 3},
                           std::string(100'000, 'x')}) {
    o.file = path;
    EXPECT_THAT(lines(load(o)), ElementsAre(AllOf(StartsWith("--config = "), HasSubstr("allowed: "))));
  }
  o.file = directory.file("big.toml", std::string((1 << 20) + 1, '\n'));
  EXPECT_THAT(lines(load(o)), ElementsAre(HasSubstr("is longer than 1MiB")));
}

TEST_F(load_fault_test, a_file_with_the_marks_of_other_editors_is_read) {
  EXPECT_THAT(lines(from_file("\xef\xbb\xbf[cache]\r\nttl = \"1s\"\r\n")), IsEmpty());
  EXPECT_THAT(lines(from_file("")), IsEmpty());
}

}  // namespace
}  // namespace mongocached::config
