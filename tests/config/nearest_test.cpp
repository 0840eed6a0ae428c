#include "config/nearest.hpp"

#include <gtest/gtest.h>

#include <array>

namespace mongocached::config {
namespace {

const std::array<std::string, 4> names{"address", "threads", "tls_cert", "tls_key"};

TEST(nearest, finds_the_name_with_fewest_edits) {
  EXPECT_EQ(nearest("adress", names), "address");
  EXPECT_EQ(nearest("therads", names), "threads");
  EXPECT_EQ(nearest("TLS_KEY", names), "tls_key");
  EXPECT_EQ(nearest("tls_certificate", names), "tls_cert");
}

TEST(nearest, always_names_one) {
  EXPECT_NE(nearest("", names), "");
  EXPECT_NE(nearest(std::string(1'000'000, 'q'), names), "");
}

TEST(nearest, of_nothing_is_nothing) {
  EXPECT_EQ(nearest("a", {}), "");
}

}  // namespace
}  // namespace mongocached::config
