// The echo on io_uring answers what the one on epoll does.
#include "bench/uring_server.hpp"

#include <gtest/gtest.h>

#include "bench/echo_check.hpp"

namespace mongocached::bench {
namespace {

class uring_echo : public testing::TestWithParam<uring_options> {};

TEST_P(uring_echo, answers_messages_however_they_are_cut) {
  try {
    uring probe(GetParam());
    const provided_buffers also(probe, GetParam().entries);
  } catch (const no_uring& e) {
    GTEST_SKIP() << e.what();
  }
  auto listener = listen_on_loopback(0);
  const auto port = local_port(listener);
  expect_echo(port, [&listener] {  // the ring belongs to the thread that makes it
    echo_handler handler(echo_reply_size);
    uring_server<echo_handler>(std::move(listener), handler, GetParam()).run();
  });
}

// Few buffers, so that receives find none.
INSTANTIATE_TEST_SUITE_P(ways, uring_echo,
                         testing::Values(uring_options{.sqpoll = false, .multishot = true, .entries = 4},
                                         uring_options{.sqpoll = false, .multishot = false, .entries = 4},
                                         uring_options{.sqpoll = true, .multishot = true, .entries = 64}));

}  // namespace
}  // namespace mongocached::bench
