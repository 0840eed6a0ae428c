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
#include <chrono>
#include <csignal>
#include <memory>
#include <stdexcept>

#include "bench/channel.hpp"
#include "bench/framing.hpp"
#include "bench/net.hpp"
#include "bench/zerocopy_queue.hpp"

namespace mongocached::bench {

// Set by SIGTERM and SIGINT, so that tools under a profiler or a sanitizer end in an orderly way.
inline volatile std::sig_atomic_t stop_requested = 0;

inline void stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop_requested = 1; };
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
}

// Other ways to wait and to send, to see what they would give (docs/performance.md).
struct server_options {
  std::chrono::microseconds spin{};  // asks for events so long before it blocks
  int busy_poll_us = 0;              // SO_BUSY_POLL of each connection; 0: as the system has it
  bool send_last = false;            // replies leave behind the last event of a wait, not behind their own
  bool zerocopy = false;             // MSG_ZEROCOPY
  bool no_delay = true;              // TCP_NODELAY
  bool quick_ack = false;            // TCP_QUICKACK, again before each read: the kernel forgets it
};

struct connection {
  channel peer;
  std::uint64_t serial = 0;  // never used twice: tells a connection from a later one on the same descriptor
  protocol::byte_buffer in = protocol::byte_buffer(16'384);
  std::size_t have = 0;  // bytes of `in` that are filled
  protocol::byte_buffer out;
  std::size_t sent = 0;  // bytes of `out` that have left
  bool waits_for_room = false;
  std::unique_ptr<zerocopy_queue> zerocopy;  // null: sends copy
};

template <class Handler>
class epoll_server {
 public:
  epoll_server(unique_fd listener, Handler& handler, tls_context tls = nullptr, server_options options = {})
      : listener_(std::move(listener)),
        tls_(std::move(tls)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        handler_(handler),
        options_(options) {
    if (epoll_.get() < 0) fail_with_errno("epoll_create1");
    watch(EPOLL_CTL_ADD, listener_.get(), EPOLLIN);
  }

  void run() {
    event_list events{};
    while (stop_requested == 0) {
      const int timeout = handler_.milliseconds_to_wait();
      const int count = wait(events, timeout);
      for (int i = 0; i < count; ++i) handle(events[static_cast<std::size_t>(i)]);
      send_collected();
      if (timeout >= 0) handler_.on_tick(*this);
    }
  }

  [[nodiscard]] const zerocopy_counts& zerocopy() const noexcept { return zerocopy_; }

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
  using event_list = std::array<epoll_event, 256>;

  int wait(event_list& events, int timeout) {
    if (options_.spin > std::chrono::microseconds::zero()) {
      const auto end = std::chrono::steady_clock::now() + options_.spin;
      do {
        if (const int count = poll(events, 0); count != 0) return count;
      } while (std::chrono::steady_clock::now() < end && stop_requested == 0);
    }
    return poll(events, timeout);
  }

  int poll(event_list& events, int timeout) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout);
    if (count < 0 && errno != EINTR) fail_with_errno("epoll_wait");
    return count;
  }

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
    // Told by EPOLLERR, which without anything else is no fault then.
    const bool told = c.zerocopy && (event.events & EPOLLERR) != 0 && c.zerocopy->collect(event.data.fd);
    if (told && (event.events & ~EPOLLERR) == 0) return;
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
      prepare(*c);
      watch(EPOLL_CTL_ADD, fd, EPOLLIN);
      const auto index = static_cast<std::size_t>(fd);
      if (connections_.size() <= index) connections_.resize(index + 1);
      connections_[index] = std::move(c);
    }
  }

  void prepare(connection& c) {
    const int fd = c.peer.descriptor();
    if (options_.no_delay) set_no_delay(fd);
    if (options_.busy_poll_us > 0) set_busy_poll(fd, options_.busy_poll_us);
    if (options_.zerocopy) c.zerocopy = std::make_unique<zerocopy_queue>(fd, zerocopy_);
  }

  [[nodiscard]] bool read(connection& c) {
    do {
      if (!read_once(c)) return false;
    } while (c.peer.holds_bytes());
    if (!options_.send_last) return try_send(c);
    collected_.push_back(c.peer.descriptor());
    return true;
  }

  [[nodiscard]] bool read_once(connection& c) {
    if (options_.quick_ack) set_quick_ack(c.peer.descriptor());
    const ssize_t n = c.peer.receive(c.in.data() + c.have, c.in.size() - c.have);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) return false;
    c.have += static_cast<std::size_t>(n);
    const auto t = take_messages({c.in.data(), c.have}, [&](protocol::byte_view m) { handler_.on_message(c, m); });
    if (!t.good) return false;
    if (c.in.size() < t.next) c.in.resize(t.next);
    if (t.used > 0) {
      std::memmove(c.in.data(), c.in.data() + t.used, c.have - t.used);
      c.have -= t.used;
    }
    return true;
  }

  void send_collected() {
    for (const int fd : collected_) {
      auto& c = connections_[static_cast<std::size_t>(fd)];
      if (c && !try_send(*c)) end(fd);
    }
    collected_.clear();
  }

  // Bytes taken, or -1 and errno.
  ssize_t send_some(connection& c) {
    const auto* from = c.out.data() + c.sent;
    const std::size_t size = c.out.size() - c.sent;
    if (!c.zerocopy) return c.peer.send(from, size);
    const ssize_t n = ::send(c.peer.descriptor(), from, size, MSG_NOSIGNAL | MSG_ZEROCOPY);
    if (n > 0) c.zerocopy->count_send();
    // Too much is under way to be remembered.
    return n < 0 && errno == ENOBUFS ? ::send(c.peer.descriptor(), from, size, MSG_NOSIGNAL) : n;
  }

  [[nodiscard]] bool try_send(connection& c) {
    while (c.sent < c.out.size()) {
      const ssize_t n = send_some(c);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) {
        // What the kernel reads in place must not grow, so nothing is asked meanwhile.
        const std::uint32_t interest = c.zerocopy ? EPOLLOUT : EPOLLIN | EPOLLOUT;
        if (!std::exchange(c.waits_for_room, true)) watch(EPOLL_CTL_MOD, c.peer.descriptor(), interest);
        return true;
      }
      if (n < 0) return false;
      c.sent += static_cast<std::size_t>(n);
    }
    if (c.zerocopy && c.sent > 0) c.out = c.zerocopy->exchange(std::move(c.out));
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
  const server_options options_;
  zerocopy_counts zerocopy_;
  std::vector<int> collected_;                            // descriptors of connections with replies to send
  std::vector<std::unique_ptr<connection>> connections_;  // by descriptor
  std::uint64_t last_serial_ = 0;
};

}  // namespace mongocached::bench
