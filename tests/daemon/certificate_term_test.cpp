#include "daemon/certificate_term.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <boost/asio/ssl/context.hpp>
#include <filesystem>

#include "support/self_signed.hpp"

namespace mongocached::daemon {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;
namespace ssl = boost::asio::ssl;

const certificate_term year_2026{std::chrono::sys_days(std::chrono::year(2026) / 1 / 1),
                                 std::chrono::sys_days(std::chrono::year(2027) / 1 / 1)};

std::string note_at(std::chrono::sys_seconds now) {
  return note_of_term("x", year_2026, now);
}

TEST(CertificateTerm, a_good_certificate_is_not_worth_a_word) {
  EXPECT_EQ(note_at(year_2026.begins), "");
  EXPECT_EQ(note_at(year_2026.ends - std::chrono::days(14)), "");
}

TEST(CertificateTerm, the_last_two_weeks_are_told) {
  EXPECT_EQ(note_at(year_2026.ends - std::chrono::days(14) + 1s), "x: the certificate expires at 2027-01-01T00:00:00Z");
  EXPECT_EQ(note_at(year_2026.ends), "x: the certificate expires at 2027-01-01T00:00:00Z");
}

TEST(CertificateTerm, what_is_not_valid_now_is_told) {
  EXPECT_EQ(note_at(year_2026.ends + 1s), "x: the certificate expired at 2027-01-01T00:00:00Z");
  EXPECT_EQ(note_at(year_2026.begins - 1s), "x: the certificate is not valid before 2026-01-01T00:00:00Z");
}

TEST(CertificateTerm, without_a_certificate_there_is_none) {
  ssl::context context(ssl::context::tls_client);
  EXPECT_FALSE(term_of(nullptr));
  EXPECT_FALSE(term_of(&context));
  EXPECT_THAT(certificate_notes(&context, nullptr), IsEmpty());
}

TEST(CertificateTerm, is_read_from_what_is_shown) {
  std::string folder = std::filesystem::temp_directory_path() / "certificate_term_XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  test_support::make_certificate(folder, "hours", "DNS:localhost");
  ssl::context context(ssl::context::tls_server);
  context.use_certificate_chain_file(folder + "/hours.pem");
  std::filesystem::remove_all(folder);
  const auto term = term_of(&context);
  ASSERT_TRUE(term);
  EXPECT_EQ(term->ends - term->begins, 2h);
  EXPECT_THAT(certificate_notes(&context, &context),
              ElementsAre(StartsWith("listen.tls_cert: the certificate expires at "),
                          StartsWith("upstream.uri: tlsCertificateKeyFile: the certificate expires at ")));
}

}  // namespace
}  // namespace mongocached::daemon
