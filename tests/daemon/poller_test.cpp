#include "daemon/poller.hpp"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/post.hpp>
#include <functional>
#include <thread>

#include "daemon/outside_wait.hpp"

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

// Events that never end, so close together that the poller waits for them itself: the rest gets its turn.
TEST_F(Poller, goes_back_to_asio_though_there_is_always_something_ready) {
  stir();
  int turns = 0;
  std::function<void()> turn = [&] {
    if (++turns == 3) return sockets.stop();
    asio::post(context, turn);
  };
  asio::post(context, turn);
  context.run();
  EXPECT_EQ(turns, 3);
  EXPECT_GE(told, 2);
}

// What Asio would bring is waited for: not one batch more than before.
TEST_F(Poller, does_not_wait_by_itself_while_somebody_waits_for_something_else) {
  outside_wait waits;
  waits.begin();
  EXPECT_TRUE(outside_wait::any());
  stir();
  int told_at_turn = 0;
  told_of = [&](std::uint32_t) {
    if (told == 5) asio::post(context, [&] { told_at_turn = told; });
    if (told == 10) sockets.stop();
  };
  context.run();
  EXPECT_EQ(told_at_turn, 5);
  waits.end();
  waits.end();
  EXPECT_FALSE(outside_wait::any());
}

TEST_F(Poller, woken_by_another_thread_it_looks_at_what_was_posted) {
  stir();
  told_of = [this](std::uint32_t) {
    char byte = 0;
    EXPECT_EQ(::read(ends[0], &byte, 1), 1);
    if (told < 3) stir();
  };
  std::thread other([this] {
    asio::post(context, [this] { sockets.stop(); });
    sockets.wake();
  });
  context.run();
  other.join();
}

// A socket that was told stays in the kernel's list until the next look, and so ahead of the bell.
TEST_F(Poller, what_was_posted_comes_before_what_becomes_ready_after_the_wake_up) {
  int posted = 0;
  int done = 0;
  told_of = [&](std::uint32_t) {
    char byte = 0;
    EXPECT_EQ(::read(ends[0], &byte, 1), 1);
    EXPECT_EQ(done, posted);
    if (told == 20) return sockets.stop();
    if (told % 4 == 0) {
      asio::post(context, [&] { ++done; });
      ++posted;
      sockets.wake();
    }
    stir();
  };
  stir();
  context.run();
  EXPECT_EQ(told, 20);
}

}  // namespace
}  // namespace mongocached::daemon
