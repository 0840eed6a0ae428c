#include "daemon/control/upstream_uri.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/control/driver_runtime.hpp"

namespace mongocached::daemon {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class UpstreamUri : public ::testing::Test {
 protected:
  std::optional<upstream_uri> parse(const std::string& text) { return parse_upstream_uri(text, error_); }
  std::string refusal(const std::string& text) {
    EXPECT_FALSE(parse(text)) << text;
    return error_;
  }

  driver_runtime runtime_{nullptr};
  std::string error_;
};

TEST_F(UpstreamUri, SeedsAreSortedAndLowerCase) {
  const auto uri = parse("mongodb://B.example:27018,a.example,[::1]:1/?replicaSet=rs0");
  ASSERT_TRUE(uri) << error_;
  ASSERT_EQ(uri->seeds.size(), 3U);
  EXPECT_EQ(uri->seeds[0].host, "::1");
  EXPECT_EQ(uri->seeds[0].port, 1);
  EXPECT_EQ(uri->seeds[1].host, "a.example");
  EXPECT_EQ(uri->seeds[1].port, 27017);
  EXPECT_EQ(uri->seeds[2].host, "b.example");
  EXPECT_EQ(uri->replica_set, "rs0");
  EXPECT_FALSE(uri->tls.enabled);
  EXPECT_TRUE(uri->warnings.empty());
}

TEST_F(UpstreamUri, MonitoringNeedsNoCredentials) {
  const auto uri = parse("mongodb://us%40er:p%3Aw@h/db?authSource=x&authMechanism=SCRAM-SHA-256&w=1");
  ASSERT_TRUE(uri) << error_;
  EXPECT_EQ(uri->username, "us@er");
  EXPECT_EQ(uri->password.reveal(), "p:w");
  EXPECT_EQ(uri->auth_source, "x");
  EXPECT_EQ(uri->auth_mechanism, "SCRAM-SHA-256");
  EXPECT_EQ(uri->monitoring_text, "mongodb://h/?w=1");
}

TEST_F(UpstreamUri, AuthSourceDefaultsToTheDatabaseThenAdmin) {
  EXPECT_EQ(parse("mongodb://u:p@h/db")->auth_source, "db");
  EXPECT_FALSE(parse("mongodb+srv://u:p@a.b.c/db?tls=false")->auth_source_given);
  EXPECT_TRUE(parse("mongodb+srv://u:p@a.b.c/db?tls=false&AuthSource=x")->auth_source_given);
  EXPECT_EQ(parse("mongodb://u:p@h/")->auth_source, "admin");
  EXPECT_EQ(parse("mongodb://h/db")->auth_source, "");
}

TEST_F(UpstreamUri, CompressorsAreThoseOfTheStandardOptions) {
  using protocol::compressor;
  const auto uri = parse("mongodb://h/?compressors=zstd,snappy,zlib&zlibCompressionLevel=9");
  ASSERT_TRUE(uri) << error_;
  EXPECT_THAT(uri->compression.compressors.all(),
              ::testing::ElementsAre(compressor::zstd, compressor::snappy, compressor::zlib));
  EXPECT_EQ(uri->compression.zlib_level, 9);
  EXPECT_THAT(uri->warnings, IsEmpty());
  EXPECT_TRUE(parse("mongodb://h/")->compression.compressors.empty());
  EXPECT_EQ(parse("mongodb://h/?compressors=zlib")->compression.zlib_level, protocol::default_zlib_level);
  EXPECT_THAT(parse("mongodb://h/?Compressors=ZLIB%2Csnappy,zlib")->compression.compressors.all(),
              ::testing::ElementsAre(compressor::zlib, compressor::snappy));
}

TEST_F(UpstreamUri, ACompressorThatNobodyKnowsIsLeftOutWithAWarning) {
  const auto uri = parse("mongodb://h/?compressors=lz4,zlib");
  ASSERT_TRUE(uri) << error_;
  EXPECT_THAT(uri->compression.compressors.all(), ::testing::ElementsAre(protocol::compressor::zlib));
  EXPECT_THAT(uri->warnings, ::testing::Contains(HasSubstr("lz4")));
  EXPECT_THAT(refusal("mongodb://h/?compressors=zlib&zlibCompressionLevel=10"), HasSubstr("between -1 and 9"));
}

TEST_F(UpstreamUri, TlsFilesAreReadFromElsewhere) {
  const std::string named =
      "mongodb://u:p%40w@a:1,b/db?TLSCAFile=/dev/null&w=1&sslClientCertificateKeyFile=%2Fdev%2Fnull";
  auto uri = parse(named);
  ASSERT_TRUE(uri) << error_;
  read_tls_files_from(*uri, "/proc/self/fd/7", "/proc/self/fd/8");
  EXPECT_EQ(uri->text.reveal(),
            "mongodb://u:p%40w@a:1,b/db?tlscafile=/proc/self/fd/7&w=1&sslclientcertificatekeyfile=/proc/self/fd/8");
  EXPECT_EQ(uri->monitoring_text,
            "mongodb://a:1,b/?tlscafile=/proc/self/fd/7&w=1&sslclientcertificatekeyfile=/proc/self/fd/8");
  EXPECT_EQ(uri->tls.ca_file, "/proc/self/fd/7");
  EXPECT_EQ(uri->tls.certificate_key_file, "/proc/self/fd/8");
}

TEST_F(UpstreamUri, WithoutOtherTlsFilesItStaysAsItIs) {
  auto uri = parse("mongodb://h:1/?tls=true");
  ASSERT_TRUE(uri) << error_;
  const auto before = *uri;
  read_tls_files_from(*uri, "", "");
  EXPECT_EQ(uri->text.reveal(), before.text.reveal());
  EXPECT_EQ(uri->monitoring_text, before.monitoring_text);
  EXPECT_EQ(uri->tls.ca_file, "");
}

TEST_F(UpstreamUri, TlsOptions) {
  EXPECT_TRUE(parse("mongodb://h/?tls=true")->tls.enabled);
  EXPECT_TRUE(parse("mongodb://h/?ssl=true")->tls.enabled);
  const auto one = parse("mongodb://h/?tls=true&tlsAllowInvalidHostnames=true");
  EXPECT_TRUE(one->tls.allow_invalid_hostnames);
  EXPECT_FALSE(one->tls.allow_invalid_certificates);
  const auto all = parse("mongodb://h/?tls=true&tlsInsecure=true");
  EXPECT_TRUE(all->tls.allow_invalid_hostnames);
  EXPECT_TRUE(all->tls.allow_invalid_certificates);
}

TEST_F(UpstreamUri, SrvUsesTlsAndNamesNoSeeds) {
  const auto uri = parse("mongodb+srv://u:p@Cluster0.example.net/");
  ASSERT_TRUE(uri) << error_;
  EXPECT_TRUE(uri->srv);
  EXPECT_EQ(uri->srv_name, "cluster0.example.net");
  EXPECT_TRUE(uri->seeds.empty());
  EXPECT_TRUE(uri->tls.enabled);
  EXPECT_EQ(uri->monitoring_text, "mongodb+srv://Cluster0.example.net/");
}

TEST_F(UpstreamUri, RefusalsAreOneClearLine) {
  EXPECT_EQ(refusal(""), "is not set; it names the cluster, such as mongodb://host:27017");
  EXPECT_EQ(refusal("redis://h"), "must begin with mongodb:// or mongodb+srv://");
  EXPECT_THAT(refusal("mongodb://%2Ftmp%2Fsocket.sock/"), HasSubstr("Unix socket"));
  EXPECT_THAT(refusal("mongodb://h/?loadBalanced=true"), HasSubstr("loadBalanced=true is not supported"));
  EXPECT_THAT(refusal("mongodb+srv://h/"), HasSubstr("at least three parts"));
  EXPECT_THAT(refusal("mongodb://a,b/?directConnection=true"), Not(IsEmpty()));
  EXPECT_THAT(refusal("mongodb://h/?tls=true&tlsCAFile=/no/such/file.pem"), HasSubstr("cannot be read"));
  EXPECT_THAT(refusal(std::string("mongodb://h\0/", 12)), HasSubstr("NUL"));
}

TEST_F(UpstreamUri, NoErrorHoldsAPassword) {
  for (const char* const text :
       {"mongodb://user:hunter2/x@h/", "mongodb://user:hunter2@h:port/", "mongodb://user:hunter2:x@h",
        "mongodb://user:hunter2@", "mongodb://user:hunter2@h:99999/", "mongodb://user:%hunter2@h/",
        "mongodb://u:hunter2@a,b/?directConnection=true", "mongodb://u:hunter2?x@h",
        "mongodb+srv://u:hunter2@a.b.c:27017/", "mongodb://h/?tlsCertificateKeyFilePassword=hunter2&tls=x",
        "u:hunter2@h", "mongodb://u:hunter2@h/?w=hunter2&journal=maybe"}) {
    const auto uri = parse(text);
    if (!uri) {
      EXPECT_THAT(error_, Not(HasSubstr("hunter2"))) << text;
    } else {
      EXPECT_THAT(uri->monitoring_text, Not(HasSubstr("hunter2@"))) << text;
      for (const std::string& line : uri->warnings) EXPECT_THAT(line, Not(HasSubstr("hunter2"))) << text;
    }
  }
}

TEST_F(UpstreamUri, UnknownOptionsAreWarnings) {
  const auto uri = parse("mongodb://h/?nonsense=1");
  ASSERT_TRUE(uri);
  ASSERT_EQ(uri->warnings.size(), 1U);
  EXPECT_THAT(uri->warnings[0], HasSubstr("nonsense"));
}

}  // namespace
}  // namespace mongocached::daemon
