#include "daemon/usable_settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace mongocached::daemon {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

std::vector<std::string> lines_of(const std::vector<config::fault>& faults) {
  std::vector<std::string> out;
  for (const auto& one : faults) out.push_back(one.line);
  return out;
}

config::result with(const std::string& upstream, const std::string& redis = "") {
  config::result out;
  out.settings.upstream.uri = config::uri(upstream);
  if (!redis.empty()) out.settings.redis.uri = config::uri(redis);
  return out;
}

TEST(ParseUris, good_ones_have_no_fault) {
  auto both = with("mongodb://a:1", "rediss://app:hunter2@h:6380/2");
  const auto upstream = parse_uris(both);
  ASSERT_TRUE(upstream);
  EXPECT_EQ(upstream->seeds.front().host, "a");
  EXPECT_THAT(both.faults, IsEmpty());
  EXPECT_THAT(both.notes, IsEmpty());
  auto no_redis = with("mongodb://a");
  EXPECT_TRUE(parse_uris(no_redis));
  EXPECT_THAT(no_redis.faults, IsEmpty());
}

TEST(ParseUris, what_the_driver_does_not_know_is_a_note) {
  auto unknown = with("mongodb://app:hunter2@a/?compressors=lz4&nonsense=1");
  EXPECT_TRUE(parse_uris(unknown));
  EXPECT_THAT(unknown.faults, IsEmpty());
  EXPECT_THAT(unknown.notes, UnorderedElementsAre(AllOf(StartsWith("upstream.uri: "), HasSubstr("lz4")),
                                                  AllOf(StartsWith("upstream.uri: "), HasSubstr("nonsense"))));
}

constexpr const char* external = "authSource=%24external&authMechanism=";

TEST(ParseUris, what_the_driver_can_log_in_by_is_taken) {
  for (const auto* mechanism : {"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "plain"}) {
    auto loaded = with(std::string("mongodb://app:hunter2@a/?authMechanism=") + mechanism);
    EXPECT_TRUE(parse_uris(loaded));
    EXPECT_THAT(loaded.faults, IsEmpty()) << mechanism;
  }
  auto aws = with(std::string("mongodb://key:hunter2@a/?") + external + "MONGODB-AWS");
  EXPECT_TRUE(parse_uris(aws));
  EXPECT_THAT(aws.faults, IsEmpty());
}

// Once the change stream was lost for ever.
TEST(ParseUris, what_the_driver_cannot_log_in_by_is_a_fault) {
  for (const auto* mechanism : {"GSSAPI", "MONGODB-X509", "MONGODB-CR", "MONGODB-OIDC"}) {
    auto loaded = with(std::string("mongodb://app@a/?") + external + mechanism);
    static_cast<void>(parse_uris(loaded));
    EXPECT_THAT(lines_of(loaded.faults), ElementsAre(StartsWith("upstream.uri: "))) << mechanism;
  }
}

// Once they were found out when the cluster had said which one it is, and ended the process under its clients.
TEST(ParseUris, a_redis_that_cannot_be_meant_is_a_fault) {
  for (const auto* text :
       {"redis://h:0", "redis://h/999999999999", "rediss://:hunter2@h/abc", "redis://h/0?ssl=true"}) {
    auto loaded = with("mongodb://a", text);
    EXPECT_TRUE(parse_uris(loaded));
    EXPECT_THAT(lines_of(loaded.faults),
                ElementsAre(AllOf(StartsWith("redis.uri = \"redis"), Not(HasSubstr("hunter2")))));
  }
}

TEST(ParseUris, both_faults_are_told) {
  auto loaded = with("mongodb://app:hunter2@a:99999", "redis://h:0");
  EXPECT_FALSE(parse_uris(loaded));
  const auto& faults = loaded.faults;
  EXPECT_THAT(faults, ElementsAre(Field(&config::fault::key, "upstream.uri"), Field(&config::fault::key, "redis.uri")));
  EXPECT_THAT(faults.front().line, Not(HasSubstr("hunter2")));
}

class TryTlsFiles : public ::testing::Test {
 protected:
  TryTlsFiles() : name_(std::filesystem::temp_directory_path() / ("no_certificate." + std::to_string(::getpid()))) {
    std::ofstream(name_) << "no certificate";
  }
  ~TryTlsFiles() override { std::filesystem::remove(name_); }

  const std::filesystem::path name_;
};

TEST_F(TryTlsFiles, without_tls_there_is_nothing_to_try) {
  config::result loaded;
  try_tls_files(loaded, {});
  EXPECT_THAT(loaded.faults, IsEmpty());
  EXPECT_THAT(loaded.notes, IsEmpty());
}

TEST_F(TryTlsFiles, a_login_by_certificate_needs_one) {
  const std::string uri = std::string("mongodb://a/?tls=true&") + external + "MONGODB-X509";
  auto without = with(uri);
  EXPECT_TRUE(parse_uris(without));
  EXPECT_THAT(lines_of(without.faults), ElementsAre(HasSubstr("MONGODB-X509 cannot be used")));
  auto given = with(uri + "&tlsCertificateKeyFile=" + name_.string());
  EXPECT_TRUE(parse_uris(given));
  EXPECT_THAT(given.faults, IsEmpty());
}

// Once the start ended with status 1, upon which a service manager starts anew for ever.
TEST_F(TryTlsFiles, what_cannot_be_loaded_is_a_fault_of_each_side) {
  config::result loaded;
  loaded.settings.listen.tls_cert = loaded.settings.listen.tls_key = name_;
  loaded.settings.redis.tls_ca = name_;
  upstream_uri upstream;
  upstream.tls.enabled = true;
  upstream.tls.ca_file = name_;
  try_tls_files(loaded, upstream);
  EXPECT_THAT(lines_of(loaded.faults),
              ElementsAre(StartsWith("listen.tls_cert "), StartsWith("upstream.uri: tlsCAFile "),
                          StartsWith("redis.tls_ca = \"")));
}

}  // namespace
}  // namespace mongocached::daemon
