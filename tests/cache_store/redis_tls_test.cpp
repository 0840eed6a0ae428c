// rediss://: the certificate must be one we trust, and name the host we asked for.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <memory>

#include "store_harness.hpp"

namespace mongocached::cache {
namespace {

using test::redis_server;

// Writes <folder>/<name>.pem and .key: a certificate that signs itself, for `host` ("DNS:..." or "IP:...").
void make_certificate(const std::string& folder, const std::string& name, const std::string& host) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  auto* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(certificate.get(), subject);
  auto* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, host.c_str());
  X509_add_ext(certificate.get(), names, -1);
  X509_EXTENSION_free(names);
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  const auto write = [&](const char* ending, auto&& what) {
    FILE* file = std::fopen((folder + "/" + name + ending).c_str(), "w");
    what(file);
    std::fclose(file);
  };
  write(".pem", [&](FILE* file) { PEM_write_X509(file, certificate.get()); });
  write(".key", [&](FILE* file) { PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
}

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
}

}  // namespace
}  // namespace mongocached::cache
