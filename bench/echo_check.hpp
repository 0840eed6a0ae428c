// What a test asks of an echo server on either loop: replies to messages however they are cut.
#pragma once

#include <gtest/gtest.h>

#include <thread>

#include "bench/echo_handler.hpp"
#include "bench/epoll_server.hpp"

namespace mongocached::bench {

inline constexpr std::uint32_t echo_reply_size = 50'000;  // several reads and, with io_uring, several buffers

inline protocol::byte_buffer message_of(std::uint32_t id, std::uint32_t size) {
  protocol::byte_buffer m(size);
  protocol::store_le(m.data(), size);
  protocol::store_le(m.data() + 4, id);
  return m;
}

// `serve` runs a server on `port` until stop_requested is set and something wakes it; it is called on a thread of its
// own.
template <class F>
void expect_echo(std::uint16_t port, F&& serve) {
  stop_requested = 0;
  std::thread loop(serve);
  {
    channel server(connect_to({"127.0.0.1", port}));
    protocol::byte_buffer bytes;
    for (std::uint32_t id = 1; id <= 40; ++id) {
      const auto m = message_of(id, 16 + 997 * id);
      bytes.insert(bytes.end(), m.begin(), m.end());
    }
    std::thread sender([&] {  // in pieces that end within headers, within messages and behind them
      for (std::size_t at = 0; at < bytes.size(); at += 4099) {
        send_all(server, bytes.data() + at, std::min<std::size_t>(4099, bytes.size() - at));
      }
    });
    protocol::byte_buffer reply(echo_reply_size);
    for (std::uint32_t id = 1; id <= 40; ++id) {
      receive_all(server, reply.data(), reply.size());
      EXPECT_EQ(protocol::load_le<std::uint32_t>(reply.data()), echo_reply_size);
      EXPECT_EQ(protocol::load_le<std::uint32_t>(reply.data() + 8), id);
    }
    sender.join();
    // A length that no message can have ends the connection, and only it.
    channel broken(connect_to({"127.0.0.1", port}));
    const auto bad = message_of(1, 16);
    protocol::byte_buffer wrong(bad);
    protocol::store_le(wrong.data(), std::uint32_t{3});
    send_all(broken, wrong.data(), wrong.size());
    std::uint8_t byte = 0;
    EXPECT_ANY_THROW(receive_all(broken, &byte, 1));
    send_all(server, bad.data(), bad.size());
    receive_all(server, reply.data(), reply.size());
    stop_requested = 1;
  }  // closing them wakes the loop
  loop.join();
  stop_requested = 0;
}

}  // namespace mongocached::bench
