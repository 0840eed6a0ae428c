// What is left unread is told of again, what was read is not, whichever way the socket is registered.
#include "daemon/polled_socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

namespace mongocached::daemon {
namespace {

using state = polled_socket::result::state;

class PolledSocket : public ::testing::Test {
 protected:
  PolledSocket() {
    std::array<int, 2> ends{-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
    peer = ends[1];
    socket = std::make_shared<polled_socket>(sockets, ends[0], [this] { on_readable(); });
    sockets.start();
    EXPECT_TRUE(socket->open());
  }
  ~PolledSocket() override {
    socket->close();
    ::close(peer);
  }
  PolledSocket(const PolledSocket&) = delete;
  PolledSocket& operator=(const PolledSocket&) = delete;

  void on_readable() {
    ++told;
    if (holds_back) return socket->reading(false);
    take();
  }
  void take() {
    std::string piece(room, '\0');
    const auto got = socket->receive({reinterpret_cast<std::uint8_t*>(piece.data()), room});
    how = got.how;
    taken += piece.substr(0, got.size);
    if (how == state::ended || how == state::failed) socket->close();
  }
  void peer_writes(std::string_view text) const {
    EXPECT_EQ(::write(peer, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // Until nothing is ready any more; a socket that is told of for ever fails the test.
  void run() {
    for (int quiet = 0, turns = 0; quiet < 2; ++turns) {
      ASSERT_LT(turns, 100);
      context.restart();
      quiet = context.poll() == 0 ? quiet + 1 : 0;
    }
  }
  task<void> read_awaited() {
    while (how != state::ended) {
      co_await socket->readable();
      ++resumed;
      take();
    }
  }
  task<void> write_all(std::size_t size) {
    const protocol::byte_buffer bytes(size, 'y');
    while (written < size) {
      const auto got = socket->send(protocol::byte_view(bytes).subspan(written));
      if (got.how == state::failed) co_return;
      written += got.size;
      if (written < size) co_await socket->writable();
    }
  }
  void go(task<void> what) {
    spawn(std::move(what), [](const std::exception_ptr&) { ADD_FAILURE(); });
  }

  asio::io_context context{1};
  poller sockets{context, [] {}};
  int peer = -1;
  std::shared_ptr<polled_socket> socket;
  std::size_t room = 16;
  bool holds_back = false;
  int told = 0;
  int resumed = 0;
  std::size_t written = 0;
  std::string taken;
  state how = state::would_block;
};

TEST_F(PolledSocket, what_was_read_is_told_of_once) {
  peer_writes("once");
  run();
  EXPECT_EQ(taken, "once");
  EXPECT_EQ(told, 1);
  peer_writes(" more");
  run();
  EXPECT_EQ(taken, "once more");
  EXPECT_EQ(told, 2);
}

TEST_F(PolledSocket, what_does_not_fit_is_told_of_again) {
  room = 3;
  peer_writes("in four pieces");
  run();
  EXPECT_EQ(taken, "in four pieces");
  EXPECT_EQ(told, 5);
}

// The last piece fills the room: whether more is there, only the next look tells.
TEST_F(PolledSocket, what_just_fits_is_told_of_until_nothing_is_left) {
  room = 4;
  peer_writes("four");
  run();
  EXPECT_EQ(taken, "four");
  peer_writes("five5");
  run();
  EXPECT_EQ(taken, "fourfive5");
}

TEST_F(PolledSocket, what_came_while_held_back_is_told_of_afterwards) {
  holds_back = true;
  peer_writes("later");
  run();
  EXPECT_EQ(told, 1);
  peer_writes(" and later");
  run();
  EXPECT_EQ(told, 1);
  holds_back = false;
  socket->reading(true);
  run();
  EXPECT_EQ(taken, "later and later");
}

TEST_F(PolledSocket, the_end_behind_the_last_bytes_is_told_of) {
  peer_writes("last words");
  ASSERT_EQ(::shutdown(peer, SHUT_WR), 0);
  run();
  EXPECT_EQ(taken, "last words");
  EXPECT_EQ(how, state::ended);
}

TEST_F(PolledSocket, the_end_that_came_while_held_back_is_told_of_afterwards) {
  holds_back = true;
  peer_writes("x");
  ASSERT_EQ(::shutdown(peer, SHUT_RDWR), 0);
  run();
  holds_back = false;
  socket->reading(true);
  run();
  EXPECT_EQ(taken, "x");
  EXPECT_FALSE(socket->is_open());
}

TEST_F(PolledSocket, who_awaits_gets_what_came_before_and_what_comes_then) {
  holds_back = true;  // nobody awaited the first
  room = 3;
  peer_writes("before");
  run();
  go(read_awaited());
  run();
  EXPECT_EQ(taken, "before");
  peer_writes(" and then");
  run();
  EXPECT_EQ(taken, "before and then");
  const int until_here = resumed;
  run();
  EXPECT_EQ(resumed, until_here);
  ASSERT_EQ(::shutdown(peer, SHUT_RDWR), 0);
  run();
  EXPECT_EQ(how, state::ended);
}

// What arrives meanwhile waits, and does not wake the thread over and over.
TEST_F(PolledSocket, who_awaits_room_to_send_gets_it_each_time) {
  constexpr std::size_t much = 4U << 20U;
  go(write_all(much));
  peer_writes("unread");
  run();
  std::size_t got = 0;
  protocol::byte_buffer piece(1U << 16U);
  while (got < much) {
    const auto here = ::read(peer, piece.data(), piece.size());
    if (here < 0) {
      ASSERT_EQ(errno, EAGAIN);
      run();
      continue;
    }
    got += static_cast<std::size_t>(here);
  }
  run();
  EXPECT_EQ(written, much);
  EXPECT_EQ(taken, "unread");
}

TEST_F(PolledSocket, who_awaits_room_is_told_that_the_peer_left) {
  go(write_all(4U << 20U));
  run();
  ::close(std::exchange(peer, -1));
  run();
  EXPECT_LT(written, 4U << 20U);
}

}  // namespace
}  // namespace mongocached::daemon
