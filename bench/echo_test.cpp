// The echo server answers the same whatever way it waits and sends.
#include <gtest/gtest.h>

#include "bench/echo_check.hpp"

namespace mongocached::bench {
namespace {

class epoll_echo : public testing::TestWithParam<server_options> {};

TEST_P(epoll_echo, answers_messages_however_they_are_cut) {
  auto listener = listen_on_loopback(0);
  const auto port = local_port(listener);
  echo_handler handler(echo_reply_size);
  epoll_server<echo_handler> server(std::move(listener), handler, nullptr, GetParam());
  expect_echo(port, [&server] { server.run(); });
  EXPECT_EQ(server.zerocopy().sends > 0, GetParam().zerocopy);
}

server_options changed(auto member, auto value) {
  server_options o;
  o.*member = value;
  return o;
}

INSTANTIATE_TEST_SUITE_P(
    ways, epoll_echo,
    testing::Values(server_options{}, changed(&server_options::spin, std::chrono::microseconds(200)),
                    changed(&server_options::send_last, true), changed(&server_options::zerocopy, true),
                    changed(&server_options::no_delay, false), changed(&server_options::quick_ack, true)));

}  // namespace
}  // namespace mongocached::bench
