// The event loop under the bare echo server and the stub upstream: one thread, level-triggered epoll, messages framed
// by the length in their first four bytes. The handler's code is inlined into the loop, so that the echo server stays a
// floor.
//
// A handler has
//   void on_message(connection&, byte_view message);  // appends replies to connection.out
//   int milliseconds_to_wait();                       // until on_tick is wanted; negative: never
//   void on_tick(epoll_server<handler>&);             // may use find() and flush()
// and everything runs on the thread that calls run(). With a context, clients must speak TLS.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <stdexcept>

#include "bench/channel.hpp"
#include "protocol/message.hpp"

namespace mongocached::bench {

// Set by SIGTERM and SIGINT, so that tools under a profiler or a sanitizer end in an orderly way.
inline volatile std::sig_atomic_t stop_requested = 0;

inline void stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop_requested = 1; };
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
}

struct connection {
  channel peer;
  std::uint64_t serial = 0;  // never used twice: tells a connection from a later one on the same descriptor
  protocol::byte_buffer in = protocol::byte_buffer(16'384);
  std::size_t have = 0;  // bytes of `in` that are filled
  protocol::byte_buffer out;
  std::size_t sent = 0;  // bytes of `out` that have left
  bool waits_for_room = false;
};

template <class Handler>
class epoll_server {
 public:
  epoll_server(unique_fd listener, Handler& handler, tls_context tls = nullptr)
      : listener_(std::move(listener)),
        tls_(std::move(tls)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        handler_(handler) {
    if (epoll_.get() < 0) fail_with_errno("epoll_create1");
    watch(EPOLL_CTL_ADD, listener_.get(), EPOLLIN);
  }

  void run() {
    std::array<epoll_event, 256> events{};
    while (stop_requested == 0) {
      const int timeout = handler_.milliseconds_to_wait();
      const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout);
      if (count < 0 && errno != EINTR) fail_with_errno("epoll_wait");
      for (int i = 0; i < count; ++i) handle(events[static_cast<std::size_t>(i)]);
      if (timeout >= 0) handler_.on_tick(*this);
    }
  }

  // Null if that connection has ended.
  [[nodiscard]] connection* find(int fd, std::uint64_t serial) noexcept {
    const auto index = static_cast<std::size_t>(fd);
    if (index >= connections_.size() || !connections_[index]) return nullptr;
    return connections_[index]->serial == serial ? connections_[index].get() : nullptr;
  }

  // Sends what is in `out`; ends the connection where that fails.
  void flush(connection& c) {
    if (!try_send(c)) end(c.peer.descriptor());
  }

 private:
  void watch(int operation, int fd, std::uint32_t interest) {
    epoll_event event{};
    event.events = interest;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), operation, fd, &event) != 0) fail_with_errno("epoll_ctl");
  }

  void handle(const epoll_event& event) {
    if (event.data.fd == listener_.get()) return accept_all();
    const auto index = static_cast<std::size_t>(event.data.fd);
    if (index >= connections_.size() || !connections_[index]) return;
    connection& c = *connections_[index];
    if ((event.events & EPOLLOUT) != 0 && !try_send(c)) return end(event.data.fd);
    if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !read(c)) end(event.data.fd);
  }

  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
        fail_with_errno("accept4");
      }
      auto c = std::make_unique<connection>();
      c->peer = channel(unique_fd(fd));
      if (tls_) c->peer.secure_as_server(tls_);
      c->serial = ++last_serial_;
      set_no_delay(fd);
      watch(EPOLL_CTL_ADD, fd, EPOLLIN);
      const auto index = static_cast<std::size_t>(fd);
      if (connections_.size() <= index) connections_.resize(index + 1);
      connections_[index] = std::move(c);
    }
  }

  [[nodiscard]] bool read(connection& c) {
    do {
      if (!read_once(c)) return false;
    } while (c.peer.holds_bytes());
    return try_send(c);
  }

  [[nodiscard]] bool read_once(connection& c) {
    const ssize_t n = c.peer.receive(c.in.data() + c.have, c.in.size() - c.have);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) return false;
    c.have += static_cast<std::size_t>(n);
    std::size_t at = 0;
    while (c.have - at >= protocol::header_size) {
      const auto length = protocol::load_le<std::uint32_t>(c.in.data() + at);
      if (length < protocol::header_size || length > protocol::max_message_size) return false;
      if (c.have - at < length) {
        if (c.in.size() < length) c.in.resize(length);
        break;
      }
      handler_.on_message(c, protocol::byte_view(c.in.data() + at, length));
      at += length;
    }
    if (at > 0) {
      std::memmove(c.in.data(), c.in.data() + at, c.have - at);
      c.have -= at;
    }
    return true;
  }

  [[nodiscard]] bool try_send(connection& c) {
    while (c.sent < c.out.size()) {
      const ssize_t n = c.peer.send(c.out.data() + c.sent, c.out.size() - c.sent);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) {
        if (!std::exchange(c.waits_for_room, true)) watch(EPOLL_CTL_MOD, c.peer.descriptor(), EPOLLIN | EPOLLOUT);
        return true;
      }
      if (n < 0) return false;
      c.sent += static_cast<std::size_t>(n);
    }
    c.out.clear();
    c.sent = 0;
    if (std::exchange(c.waits_for_room, false)) watch(EPOLL_CTL_MOD, c.peer.descriptor(), EPOLLIN);
    return true;
  }

  void end(int fd) { connections_[static_cast<std::size_t>(fd)].reset(); }

  unique_fd listener_;
  tls_context tls_;  // null: plain
  unique_fd epoll_;
  Handler& handler_;
  std::vector<std::unique_ptr<connection>> connections_;  // by descriptor
  std::uint64_t last_serial_ = 0;
};

}  // namespace mongocached::bench
