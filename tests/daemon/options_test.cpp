#include "daemon/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mongocached::daemon {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::StartsWith;
using testing::UnorderedElementsAre;

command_line parse(std::vector<const char*> words) {
  words.insert(words.begin(), "mongocached");
  return parse_command_line(static_cast<int>(words.size()), words.data(), "1.2.3");
}

TEST(options, nothing_given_sets_nothing) {
  const auto line = parse({});
  EXPECT_THAT(line.flags, IsEmpty());
  EXPECT_FALSE(line.config_file);
  EXPECT_FALSE(line.check_config);
  EXPECT_FALSE(line.print_config);
  EXPECT_FALSE(line.exit_status);
}

TEST(options, every_flag_reaches_its_key) {
  const auto line =
      parse({"--config", "a.toml", "--listen", "[::1]:0", "--upstream", "mongodb://a", "--redis", "none", "--http",
             "none", "--threads", "4", "--log-level", "debug", "--check-config", "--print-config"});
  EXPECT_FALSE(line.exit_status);
  EXPECT_EQ(line.config_file, "a.toml");
  EXPECT_TRUE(line.check_config);
  EXPECT_TRUE(line.print_config);
  EXPECT_THAT(line.flags, UnorderedElementsAre(Pair("listen.address", "[::1]:0"), Pair("upstream.uri", "mongodb://a"),
                                               Pair("redis.uri", "none"), Pair("http.address", "none"),
                                               Pair("listen.threads", "4"), Pair("log.level", "debug")));
}

TEST(options, a_value_may_stand_behind_an_equals_sign) {
  EXPECT_THAT(parse({"--upstream=mongodb://a/?replicaSet=rs0"}).flags,
              ElementsAre(Pair("upstream.uri", "mongodb://a/?replicaSet=rs0")));
}

TEST(options, the_last_of_two_equal_flags_wins) {
  EXPECT_THAT(parse({"--threads", "1", "--threads", "2"}).flags, ElementsAre(Pair("listen.threads", "2")));
}

TEST(options, values_are_left_for_the_settings_to_judge) {
  EXPECT_THAT(parse({"--threads", "-5"}).flags, ElementsAre(Pair("listen.threads", "-5")));
  EXPECT_THAT(parse({"--listen", ""}).flags, ElementsAre(Pair("listen.address", "")));
}

TEST(options, health_is_asked_by_one_of_two_paths) {
  EXPECT_FALSE(parse({}).health_check);
  EXPECT_EQ(parse({"--health-check", "readyz"}).health_check, "readyz");
  EXPECT_EQ(parse({"--health-check=healthz"}).health_check, "healthz");
  for (const auto* other : {"status", "", "/readyz"}) {
    const auto line = parse({"--health-check", other});
    EXPECT_EQ(line.exit_status, exit_failed) << other;
    EXPECT_THAT(line.faults, ElementsAre(HasSubstr("--health-check")));
  }
}

TEST(options, version_is_printed_with_status_0) {
  const auto line = parse({"--version"});
  EXPECT_EQ(line.exit_status, exit_clean);
  EXPECT_EQ(line.output, "mongocached 1.2.3\n");
}

TEST(options, help_names_every_flag_and_the_exit_status) {
  const auto line = parse({"--help"});
  EXPECT_EQ(line.exit_status, exit_clean);
  for (const auto* flag : {"--config FILE", "--listen HOST:PORT", "--upstream URI", "--redis URI|none",
                           "--http HOST:PORT|none", "--threads N", "--log-level", "--check-config", "--print-config",
                           "--health-check healthz|readyz", "--version", "--help", "Exit status"}) {
    EXPECT_THAT(line.output, HasSubstr(flag));
  }
}

TEST(options, an_unknown_flag_is_a_fault_that_names_the_nearest) {
  const auto line = parse({"--lisen", "127.0.0.1:1"});
  EXPECT_EQ(line.exit_status, exit_bad_usage);
  EXPECT_THAT(line.faults, ElementsAre("--lisen: no such flag; the nearest is --listen"));
}

TEST(options, all_faults_are_told_at_once) {
  const auto line = parse({"--lisen=x", "stray", "--colour", "--listen"});
  EXPECT_EQ(line.exit_status, exit_bad_usage);
  EXPECT_THAT(line.faults, Contains(StartsWith("--lisen: ")));
  EXPECT_THAT(line.faults, Contains(StartsWith("\"stray\": ")));
  EXPECT_THAT(line.faults, Contains(StartsWith("--colour: ")));
  EXPECT_THAT(line.faults, Contains(StartsWith("--listen: ")));
}

TEST(options, a_flag_without_its_value_is_a_fault) {
  const auto line = parse({"--listen"});
  EXPECT_EQ(line.exit_status, exit_bad_usage);
  EXPECT_THAT(line.faults, ElementsAre(HasSubstr("--listen")));
}

TEST(options, a_password_does_not_reach_a_fault) {
  const std::vector<std::vector<const char*>> lines{
      {"mongodb://app:sesame@db.example"},
      {"app:sesame@db.example"},
      {"--upstrem", "mongodb://app:sesame@db.example"},
      {"--upstrem=mongodb://app:sesame@db.example"},
      {"--password", "sesame"},
      {"--check-config=mongodb://app:sesame@db.example"},
      {"-p", "sesame"},
  };
  for (const auto& words : lines) {
    const auto line = parse(words);
    EXPECT_EQ(line.exit_status, exit_bad_usage) << words.front();
    for (const auto& fault : line.faults) EXPECT_THAT(fault, Not(HasSubstr("sesame")));
  }
}

TEST(options, a_fault_is_one_line) {
  for (const auto& fault : parse({"a\nb", "--c\nd"}).faults) EXPECT_THAT(fault, Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace mongocached::daemon
