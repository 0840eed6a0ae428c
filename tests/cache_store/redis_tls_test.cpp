// rediss://: the certificate must be one we trust, and name the host we asked for.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "store_harness.hpp"
#include "support/self_signed.hpp"

namespace mongocached::cache {
namespace {

using test::redis_server;
using test_support::make_certificate;

class RedisTls : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/redis_tls_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder = pattern;
    make_certificate(folder, "good", "DNS:localhost");
    make_certificate(folder, "other", "DNS:localhost");
    make_certificate(folder, "address", "IP:127.0.0.1");
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::unique_ptr<redis_server> serve(const std::string& name) {
    return std::make_unique<redis_server>(
        std::vector<std::string>{"--tls-cert-file", folder + "/" + name + ".pem", "--tls-key-file",
                                 folder + "/" + name + ".key", "--tls-auth-clients", "no", "--tls-ca-cert-file",
                                 folder + "/" + name + ".pem"},
        redis_server::tls);
  }
  redis_options options(const redis_server& server, const std::string& host, const std::string& trusted) {
    auto out = options_for("rediss://" + host + ":" + std::to_string(server.port()));
    if (!trusted.empty()) out.tls_ca_file = folder + "/" + trusted + ".pem";
    return out;
  }
  void expect_refused(redis_options given) {
    store_harness at(std::move(given));
    EXPECT_TRUE(at.run_until([&] { return at.hub.state().find("TLS: ") != std::string::npos; })) << at.hub.state();
    EXPECT_FALSE(at.hub.up());
  }

  std::string folder;
};

TEST_F(RedisTls, ATrustedCertificateOfTheRightName) {
  const auto server = serve("good");
  store_harness at(options(*server, "localhost", "good"));
  ASSERT_TRUE(at.run_until_up()) << at.hub.state();
  const auto k = at.key("1");
  const std::string bytes(200'000, 'x');
  EXPECT_TRUE(at.put(k, bytes));
  EXPECT_EQ(at.value(k), bytes);
}

TEST_F(RedisTls, ATrustedCertificateOfTheRightAddress) {
  const auto server = serve("address");
  store_harness at(options(*server, "127.0.0.1", "address"));
  ASSERT_TRUE(at.run_until_up()) << at.hub.state();
}

TEST_F(RedisTls, TheWrongNameIsRefused) {
  const auto good = serve("good");
  expect_refused(options(*good, "127.0.0.1", "good"));
  const auto address = serve("address");
  expect_refused(options(*address, "localhost", "address"));
}

TEST_F(RedisTls, AnUntrustedCertificateIsRefused) {
  const auto server = serve("good");
  expect_refused(options(*server, "localhost", "other"));
  expect_refused(options(*server, "localhost", ""));
}

TEST_F(RedisTls, APlainRedisIsRefused) {
  const redis_server server;
  auto given = options(server, "localhost", "good");
  given.timeout = milliseconds(20);
  expect_refused(given);
}

TEST_F(RedisTls, UnreadableTrustIsToldAtTheStart) {
  redis_options given = options_for("rediss://localhost");
  given.tls_ca_file = folder + "/missing.pem";
  EXPECT_THROW(redis_hub(given, {}), std::invalid_argument);
  EXPECT_THROW(try_redis_trust(given.tls_ca_file), std::invalid_argument);
  EXPECT_THROW(try_redis_trust(folder + "/good.key"), std::invalid_argument);
  EXPECT_NO_THROW(try_redis_trust(folder + "/good.pem"));
}

}  // namespace
}  // namespace mongocached::cache
