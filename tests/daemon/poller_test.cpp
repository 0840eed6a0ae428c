#include "daemon/poller.hpp"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/post.hpp>
#include <functional>

namespace mongocached::daemon {
namespace {

class Poller : public ::testing::Test, protected poll_target {
 protected:
  Poller() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
    EXPECT_TRUE(sockets.add(ends[0], *this, EPOLLIN));
    sockets.start();
  }
  ~Poller() override {
    for (const int fd : ends) ::close(fd);
  }
  void on_events(std::uint32_t events) override {
    ++told;
    if (told_of) told_of(events);
  }
  void stir() const { EXPECT_EQ(::write(ends[1], "x", 1), 1); }

  asio::io_context context{1};
  int batches = 0;
  poller sockets{context, [this] { ++batches; }};
  std::array<int, 2> ends{-1, -1};
  int told = 0;
  std::function<void(std::uint32_t)> told_of;
};

TEST_F(Poller, tells_what_is_ready_until_it_was_read) {
  stir();
  told_of = [this](std::uint32_t events) {
    EXPECT_EQ(events & EPOLLIN, unsigned{EPOLLIN});
    if (told == 3) sockets.stop();
  };
  context.run();
  EXPECT_EQ(told, 3);
  EXPECT_EQ(batches, 3);
}

TEST_F(Poller, stopped_while_it_waits_the_loop_ends) {
  context.poll();
  sockets.stop();
  context.run();
  EXPECT_EQ(told, 0);
}

// A wake-up that is on its way when the poller is stopped would otherwise have it wait again, for ever.
TEST_F(Poller, stopped_behind_a_wake_up_that_is_not_served_yet_the_loop_ends) {
  stir();
  asio::post(context, [this] { sockets.stop(); });
  context.run();
  EXPECT_LE(told, 1);
}

TEST_F(Poller, stopped_by_one_that_it_serves_the_loop_ends) {
  stir();
  told_of = [this](std::uint32_t) { sockets.stop(); };
  context.run();
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace mongocached::daemon
