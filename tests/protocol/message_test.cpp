#include "protocol/message.hpp"

#include <gtest/gtest.h>

#include "support/message_builders.hpp"

namespace mongocached::protocol {
namespace {

using namespace test_support;

byte_buffer header_of(std::int32_t length, opcode code = opcode::msg) {
  byte_buffer bytes(header_size);
  write_header(bytes.data(), {.length = length, .request_id = 7, .response_to = 9, .code = code});
  return bytes;
}

frame_error read(byte_view bytes, bool first = false, std::size_t ceiling = max_message_size) {
  const exact_copy copy(bytes);
  message_header header;
  return read_header(copy.view(), header, first, ceiling);
}

TEST(message, header_is_read_as_written) {
  message_header header;
  ASSERT_EQ(read_header(header_of(33), header), frame_error::none);
  EXPECT_EQ(header.length, 33);
  EXPECT_EQ(header.request_id, 7);
  EXPECT_EQ(header.response_to, 9);
  EXPECT_EQ(header.code, opcode::msg);
}

TEST(message, floor_is_the_header) {
  EXPECT_EQ(read(header_of(16)), frame_error::none);
  EXPECT_EQ(read(header_of(15)), frame_error::too_short);
}

TEST(message, negative_length_is_too_short) {
  EXPECT_EQ(read(header_of(-1)), frame_error::too_short);
}

TEST(message, ceiling_is_the_last_length_allowed) {
  EXPECT_EQ(read(header_of(48'000'000)), frame_error::none);
  EXPECT_EQ(read(header_of(48'000'001)), frame_error::too_long);
}

TEST(message, ceiling_is_a_parameter) {
  EXPECT_EQ(read(header_of(64), false, 64), frame_error::none);
  EXPECT_EQ(read(header_of(65), false, 64), frame_error::too_long);
}

TEST(message, any_opcode_is_framed) {
  EXPECT_EQ(read(header_of(16, static_cast<opcode>(99))), frame_error::none);
}

TEST(message, fewer_than_16_bytes_are_no_header) {
  const auto bytes = header_of(16);
  for (std::size_t size = 0; size < header_size; ++size) {
    EXPECT_EQ(read(byte_view(bytes).first(size)), frame_error::too_short);
  }
}

TEST(message, every_http_method_is_recognised) {
  for (const auto* line : {"GET / HTTP/1.1\r\n", "POST /x HTTP/1.1\r\n", "HEAD / HTTP/1.1\r\n", "PUT / HTTP/1.1\r\n ",
                           "OPTIONS * HTTP/1.1", "DELETE / HTTP/1.1\r", "PATCH / HTTP/1.1\r", "CONNECT a:1 HTTP/1.1",
                           "TRACE / HTTP/1.1\r", "PRI * HTTP/2.0\r\n"}) {
    EXPECT_EQ(read(as_bytes(line), true), frame_error::http_request) << line;
  }
}

TEST(message, http_inside_a_connection_is_only_too_long) {
  EXPECT_EQ(read(as_bytes("GET / HTTP/1.1\r\n"), false), frame_error::too_long);
}

// What `openssl s_client` sends first; the record length makes it 0x02000316 = 33 555 222 as a message length, below
// the ceiling.
constexpr std::uint8_t client_hello[] = {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01,
                                         0xfc, 0x03, 0x03, 0x5a, 0x11, 0xc7, 0x09, 0x3e};

TEST(message, tls_hello_is_recognised) {
  EXPECT_EQ(read(client_hello, true), frame_error::tls_hello);
}

TEST(message, tls_hello_inside_a_connection_is_a_length) {
  EXPECT_EQ(read(client_hello, false), frame_error::none);
}

TEST(message, message_with_the_length_of_a_tls_hello_is_a_message) {
  auto bytes = byte_buffer(std::begin(client_hello), std::end(client_hello));
  store_le(bytes.data() + 12, static_cast<std::int32_t>(opcode::msg));
  EXPECT_EQ(read(bytes, true), frame_error::none);
}

TEST(message, every_prefix_of_a_message_may_become_one) {
  const auto bytes = op_msg_message({{"ping", 1}, {"$db", "admin"}});
  for (std::size_t size = 0; size <= header_size; ++size) {
    const exact_copy copy(byte_view(bytes).first(size));
    EXPECT_EQ(probe_prefix(copy.view()), frame_error::none) << size;
  }
}

TEST(message, four_bytes_of_http_suffice) {
  EXPECT_EQ(probe_prefix(as_bytes("GET ")), frame_error::http_request);
}

TEST(message, four_bytes_tell_a_bad_length) {
  EXPECT_EQ(probe_prefix(byte_view(header_of(15)).first(4)), frame_error::too_short);
  EXPECT_EQ(probe_prefix(byte_view(header_of(48'000'001)).first(4)), frame_error::too_long);
}

TEST(message, three_bytes_tell_nothing) {
  EXPECT_EQ(probe_prefix(as_bytes("GET")), frame_error::none);
}

TEST(message, every_error_has_a_name) {
  for (int i = 0; i <= static_cast<int>(frame_error::tls_hello); ++i) {
    EXPECT_STRNE(name_of(static_cast<frame_error>(i)), "unknown");
  }
}

}  // namespace
}  // namespace mongocached::protocol
