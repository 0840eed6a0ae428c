#include <gtest/gtest.h>

#include "protocol/op_msg.hpp"
#include "random_documents.hpp"

namespace mongocached::protocol {
namespace {

TEST(crc32c, check_value) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283U);
}

// The vectors of RFC 3720, B.4.
TEST(crc32c, vectors_of_rfc_3720) {
  EXPECT_EQ(crc32c(byte_buffer(32, 0)), 0x8a9136aaU);
  EXPECT_EQ(crc32c(byte_buffer(32, 0xff)), 0x62a8ab43U);
  byte_buffer rising(32);
  for (std::size_t i = 0; i < rising.size(); ++i) rising[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(crc32c(rising), 0x46dd794eU);
}

TEST(crc32c, of_nothing_is_zero) {
  EXPECT_EQ(crc32c({}), 0U);
}

TEST(crc32c, instruction_and_table_agree_at_every_length) {
  test_support::random_source random(1);
  byte_buffer bytes;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(crc32c(bytes), crc32c_portable(bytes)) << bytes.size();
    bytes.push_back(static_cast<std::uint8_t>(random.bits()));
  }
}

}  // namespace
}  // namespace mongocached::protocol
