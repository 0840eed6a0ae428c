#include "protocol/op_query.hpp"

#include <gtest/gtest.h>

#include "random_documents.hpp"
#include "support/message_builders.hpp"

namespace mongocached::protocol {
namespace {

using namespace test_support;

const byte_buffer hello = op_query_message({{"isMaster", 1}, {"helloOk", true}}, {.request_id = 3, .flags = 4});

bool accepts_query(const byte_buffer& message) {
  const exact_copy copy(message);
  op_query out;
  return parse_op_query(copy.view(), out);
}

bool accepts_reply(const byte_buffer& message) {
  const exact_copy copy(message);
  op_reply out;
  return parse_op_reply(copy.view(), out);
}

byte_buffer ok_reply() {
  byte_buffer message;
  append_op_reply(message, 11, 3, document{{"ok", 1}}.view());
  return message;
}

void append(byte_buffer& message, const document& more) {
  message.insert(message.end(), more.bytes().begin(), more.bytes().end());
  fix_length(message);
}

TEST(op_query, fields_are_read) {
  op_query out;
  ASSERT_TRUE(parse_op_query(hello, out));
  EXPECT_EQ(out.flags, 4U);
  EXPECT_EQ(out.full_collection_name, "admin.$cmd");
  EXPECT_EQ(out.number_to_skip, 0);
  EXPECT_EQ(out.number_to_return, -1);
  EXPECT_EQ(field_in(out.query, "isMaster").integer(), 1);
}

TEST(op_query, wrapped_command_is_unwrapped) {
  for (const auto* wrapper : {"$query", "query"}) {
    op_query out;
    const auto message = op_query_message({{wrapper, document{{"isMaster", 1}}}, {"$readPreference", document{}}});
    ASSERT_TRUE(parse_op_query(message, out));
    EXPECT_EQ(field_in(out.query, "isMaster").integer(), 1) << wrapper;
  }
}

TEST(op_query, wrapper_that_is_no_document_is_left_alone) {
  op_query out;
  const auto message = op_query_message({{"query", 5}});
  ASSERT_TRUE(parse_op_query(message, out));
  EXPECT_EQ(field_in(out.query, "query").integer(), 5);
}

TEST(op_query, field_selector_is_allowed) {
  auto message = hello;
  append(message, document{{"a", 1}});
  EXPECT_TRUE(accepts_query(message));
}

TEST(op_query, a_third_document_is_refused) {
  auto message = hello;
  append(message, document{{"a", 1}});
  append(message, document{{"b", 1}});
  EXPECT_FALSE(accepts_query(message));
}

TEST(op_query, another_opcode_is_refused) {
  EXPECT_FALSE(accepts_query(op_msg_message({{"ping", 1}})));
}

TEST(op_query, every_truncation_is_refused) {
  for (std::size_t size = 0; size < hello.size(); ++size) {
    auto bytes = byte_buffer(hello.begin(), hello.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(accepts_query(bytes)) << size;
    if (size < 4) continue;
    fix_length(bytes);
    EXPECT_FALSE(accepts_query(bytes)) << size << " with that length";
  }
}

TEST(op_query, damaged_messages_are_read_within_bounds) {
  random_source random(1);
  int accepted = 0;
  for (int i = 0; i < 5000; ++i) {
    auto message = hello;
    damage(message, random);
    accepted += accepts_query(message) ? 1 : 0;
  }
  EXPECT_GT(accepted, 0);
}

TEST(op_reply, reply_is_read_as_built) {
  const auto message = ok_reply();
  message_header header;
  ASSERT_EQ(read_header(message, header), frame_error::none);
  EXPECT_EQ(header.request_id, 11);
  EXPECT_EQ(header.response_to, 3);
  op_reply out;
  ASSERT_TRUE(parse_op_reply(message, out));
  EXPECT_EQ(out.flags, 8U);
  EXPECT_EQ(field_in(out.document, "ok").integer(), 1);
}

TEST(op_reply, reply_without_document_is_refused) {
  auto message = ok_reply();
  message.resize(header_size + 20);
  store_le(message.data() + header_size + 16, std::int32_t{0});
  fix_length(message);
  EXPECT_FALSE(accepts_reply(message));
}

TEST(op_reply, number_returned_must_be_the_number_there) {
  auto message = ok_reply();
  store_le(message.data() + header_size + 16, std::int32_t{2});
  EXPECT_FALSE(accepts_reply(message));
  append(message, document{});
  EXPECT_TRUE(accepts_reply(message));
  append(message, document{});
  EXPECT_FALSE(accepts_reply(message));
}

TEST(op_reply, another_opcode_is_refused) {
  EXPECT_FALSE(accepts_reply(hello));
}

TEST(op_reply, every_truncation_is_refused) {
  const auto whole = ok_reply();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    auto bytes = byte_buffer(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(accepts_reply(bytes)) << size;
    if (size < 4) continue;
    fix_length(bytes);
    EXPECT_FALSE(accepts_reply(bytes)) << size << " with that length";
  }
}

}  // namespace
}  // namespace mongocached::protocol
