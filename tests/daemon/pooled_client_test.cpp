#include "daemon/session/pooled_client.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/message_builders.hpp"

namespace mongocached::daemon {
namespace {

using namespace test_support;  // NOLINT: tests read as JSON

// A datagram socket has a peer without sending it anything.
bool is_local(const char* peer) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(9);
  ::inet_pton(AF_INET, peer, &address.sin_addr);
  static_cast<void>(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address));
  const bool out = is_local_peer(fd);
  ::close(fd);
  return out;
}

request request_of(const document& command, std::uint32_t flags, bool checksum = false) {
  request out;
  out.bytes = op_msg_message(command, {.flags = flags});
  if (checksum) out.bytes = with_checksum(out.bytes);
  protocol::op_msg parsed;
  EXPECT_EQ(protocol::parse_op_msg(out.bytes, parsed), protocol::op_msg_error::none);
  EXPECT_EQ(protocol::view_command(parsed, 1, out.command), protocol::command_error::none);
  return out;
}

protocol::op_msg parse(const request& r) {
  protocol::op_msg out;
  EXPECT_EQ(protocol::parse_op_msg(r.bytes, out), protocol::op_msg_error::none);
  return out;
}

TEST(LocalPeer, is_on_this_machine_I3) {
  EXPECT_TRUE(is_local("127.0.0.1"));
  EXPECT_TRUE(is_local("127.9.8.7"));
  EXPECT_FALSE(is_local("192.0.2.1"));
  EXPECT_FALSE(is_local_peer(-1));
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  EXPECT_TRUE(is_local_peer(pair[0]));
  ::close(pair[0]);
  ::close(pair[1]);
}

TEST(PrepareForPool, exhaust_is_taken_away_and_a_checksum_that_would_not_fit_with_it_U4) {
  const document command{{"getMore", 5L}, {"collection", "c"}, {"$db", "shop"}};
  for (const bool checksum : {false, true}) {
    auto r = request_of(command, protocol::op_msg_flags::exhaust_allowed, checksum);
    EXPECT_TRUE(prepare_for_pool(r));
    const auto sent = parse(r);
    EXPECT_EQ(sent.flags, 0U);
    EXPECT_TRUE(protocol::equal(sent.body.bytes(), command.bytes()));
  }
}

TEST(PrepareForPool, anything_else_stays_as_it_was) {
  auto r = request_of(document{{"ping", 1}, {"$db", "admin"}}, 0, true);
  const auto before = r.bytes;
  EXPECT_TRUE(prepare_for_pool(r));
  EXPECT_EQ(r.bytes, before);
}

TEST(ShortenMaxTime, what_was_waited_is_gone_U6) {
  const auto left = [](const document& command) {
    auto r = request_of(command, 0);
    shorten_max_time(r, std::chrono::milliseconds(300));
    return field_in(parse(r).body, "maxTimeMS").integer();
  };
  EXPECT_EQ(left(document{{"count", "c"}, {"maxTimeMS", 1000}, {"$db", "shop"}}), 700);
  EXPECT_EQ(left(document{{"count", "c"}, {"maxTimeMS", 1000L}, {"$db", "shop"}}), 700);
  EXPECT_EQ(left(document{{"count", "c"}, {"maxTimeMS", 200}, {"$db", "shop"}}), 1);
  EXPECT_EQ(left(document{{"getMore", 5L}, {"collection", "c"}, {"maxTimeMS", 1000}, {"$db", "shop"}}), 1000);
}

}  // namespace
}  // namespace mongocached::daemon
