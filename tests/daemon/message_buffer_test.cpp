#include "daemon/message_buffer.hpp"

#include <gtest/gtest.h>

namespace mongocached::daemon {
namespace {

using protocol::as_bytes;
using protocol::as_text;

TEST(message_buffer, is_empty_at_first) {
  EXPECT_TRUE(message_buffer().empty());
}

TEST(message_buffer, holds_what_was_appended_in_order) {
  message_buffer buffer;
  buffer.append(as_bytes("ab"));
  buffer.append(as_bytes("cd"));
  EXPECT_EQ(as_text(buffer.data()), "abcd");
}

TEST(message_buffer, forgets_what_was_consumed) {
  message_buffer buffer;
  buffer.append(as_bytes("abcd"));
  buffer.consume(3);
  EXPECT_EQ(as_text(buffer.data()), "d");
}

TEST(message_buffer, keeps_the_rest_when_it_makes_room) {
  message_buffer buffer;
  buffer.append(as_bytes("abcd"));
  buffer.consume(3);
  buffer.append(as_bytes("efghijklm"));
  EXPECT_EQ(as_text(buffer.data()), "defghijklm");
}

TEST(message_buffer, counts_only_what_was_committed) {
  message_buffer buffer;
  EXPECT_GE(buffer.prepare(100).size(), 100U);
  EXPECT_TRUE(buffer.empty());
  buffer.commit(7);
  EXPECT_EQ(buffer.size(), 7U);
}

TEST(message_buffer, reuses_its_room_rather_than_growing) {
  message_buffer buffer;
  const auto* first = buffer.prepare(64).data();
  for (int i = 0; i < 1000; ++i) {
    buffer.append(protocol::byte_buffer(48));
    buffer.consume(48);
  }
  EXPECT_EQ(buffer.prepare(64).data(), first);
}

TEST(message_buffer, releases_nothing_while_it_holds_something) {
  message_buffer buffer;
  buffer.append(as_bytes("ab"));
  buffer.release();
  EXPECT_EQ(as_text(buffer.data()), "ab");
}

TEST(message_buffer, can_be_used_after_its_memory_was_released) {
  message_buffer buffer;
  buffer.append(as_bytes("ab"));
  buffer.consume(2);
  buffer.release();
  buffer.append(as_bytes("cd"));
  EXPECT_EQ(as_text(buffer.data()), "cd");
}

}  // namespace
}  // namespace mongocached::daemon
