// The event loop of epoll_server.hpp on io_uring, for the same handlers: one thread, messages framed by their length.
// All that one turn prepares is submitted by the call that waits for the next.
//
// A connection has at most one receive and one send under way, and ends when neither is.
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "bench/epoll_server.hpp"
#include "bench/uring.hpp"

namespace mongocached::bench {

struct uring_connection {
  unique_fd fd;
  protocol::byte_buffer in = protocol::byte_buffer(16'384);
  std::size_t have = 0;  // bytes of `in` that are filled
  protocol::byte_buffer out;
  protocol::byte_buffer leaving;  // the kernel reads it
  std::size_t sent = 0;           // bytes of `leaving` that have left
  bool receives = false;
  bool sends = false;
};

template <class Handler>
class uring_server {
 public:
  uring_server(unique_fd listener, Handler& handler, const uring_options& options)
      : listener_(std::move(listener)), handler_(handler), multishot_(options.multishot), ring_(options) {
    if (multishot_) buffers_.emplace(ring_, options.entries);
    set_blocking(listener_.get());  // otherwise an accept is over at once, with EAGAIN
    accept();
  }

  void run() {
    while (stop_requested == 0) {
      ring_.submit_and_wait();
      ring_.for_each_completion([this](const io_uring_cqe& c) { handle(c); });
      // Whoever found no buffer asks again, now that this turn's are back.
      for (uring_connection* c : std::exchange(starved_, {})) receive(*c);
    }
  }

 private:
  // In the low bits of user_data, beside the connection's address; `accepted` has none.
  enum class operation : std::uint64_t { accepted = 0, received = 1, sent = 2 };
  static constexpr std::uint64_t operation_bits = 3;

  static std::uint64_t tag(uring_connection& c, operation o) noexcept {
    return reinterpret_cast<std::uintptr_t>(&c) | static_cast<std::uint64_t>(o);
  }

  void handle(const io_uring_cqe& c) {
    const auto o = static_cast<operation>(c.user_data & operation_bits);
    if (o == operation::accepted) return on_accept(c);
    auto& connection = *reinterpret_cast<uring_connection*>(c.user_data & ~operation_bits);
    if (o == operation::received) on_receive(connection, c);
    if (o == operation::sent) on_send(connection, c.res);
    if (!connection.receives && !connection.sends) end(connection);
  }

  void accept() {
    io_uring_sqe& e = ring_.prepare();
    if (multishot_) {
      io_uring_prep_multishot_accept(&e, listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    } else {
      io_uring_prep_accept(&e, listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    }
    e.user_data = static_cast<std::uint64_t>(operation::accepted);
  }

  void on_accept(const io_uring_cqe& c) {
    if (c.res >= 0) {
      const auto index = static_cast<std::size_t>(c.res);
      auto fresh = std::make_unique<uring_connection>();
      fresh->fd = unique_fd(c.res);
      set_no_delay(c.res);
      if (connections_.size() <= index) connections_.resize(index + 1);
      connections_[index] = std::move(fresh);
      receive(*connections_[index]);
    } else if (c.res != -EAGAIN && c.res != -EINTR && c.res != -ECONNABORTED) {
      errno = -c.res;
      fail_with_errno("accept");
    }
    if ((c.flags & IORING_CQE_F_MORE) == 0) accept();
  }

  void receive(uring_connection& c) {
    io_uring_sqe& e = ring_.prepare();
    if (multishot_) {
      io_uring_prep_recv_multishot(&e, c.fd.get(), nullptr, 0, 0);
      e.flags |= IOSQE_BUFFER_SELECT;
      e.buf_group = provided_buffers::group;
    } else {
      io_uring_prep_recv(&e, c.fd.get(), c.in.data() + c.have, c.in.size() - c.have, 0);
      e.ioprio |= IORING_RECVSEND_POLL_FIRST;  // what comes next is hardly there yet
    }
    e.user_data = tag(c, operation::received);
    c.receives = true;
  }

  void on_receive(uring_connection& c, const io_uring_cqe& done) {
    const bool more = (done.flags & IORING_CQE_F_MORE) != 0;
    c.receives = more;
    if (done.res == -ENOBUFS) {
      c.receives = true;
      starved_.push_back(&c);
      return;
    }
    if (done.res <= 0) return;
    const auto size = static_cast<std::size_t>(done.res);
    bool good = true;
    if (multishot_) {
      const unsigned id = provided_buffers::id_of(done);
      good = take_provided(c, buffers_->bytes(id, size));
      buffers_->give_back(id);
    } else {
      c.have += size;
      good = take_kept(c);
    }
    if (!good) return fail(c);
    send(c);
    if (!more) receive(c);
  }

  // Whole messages are read where they are; only the rest of a broken one is copied.
  [[nodiscard]] bool take_provided(uring_connection& c, protocol::byte_view bytes) {
    if (c.have == 0) {
      const taken t = take(c, bytes);
      if (!t.good) return false;
      bytes = bytes.subspan(t.used);
      if (bytes.empty()) return true;
    }
    if (c.in.size() < c.have + bytes.size()) c.in.resize(c.have + bytes.size());
    std::memcpy(c.in.data() + c.have, bytes.data(), bytes.size());
    c.have += bytes.size();
    return take_kept(c);
  }

  [[nodiscard]] bool take_kept(uring_connection& c) {
    const taken t = take(c, {c.in.data(), c.have});
    if (!t.good) return false;
    if (c.in.size() < t.next) c.in.resize(t.next);
    std::memmove(c.in.data(), c.in.data() + t.used, c.have - t.used);
    c.have -= t.used;
    return true;
  }

  [[nodiscard]] taken take(uring_connection& c, protocol::byte_view bytes) {
    return take_messages(bytes, [&](protocol::byte_view m) { handler_.on_message(c, m); });
  }

  void send(uring_connection& c) {
    if (c.sends || c.out.empty()) return;
    std::swap(c.out, c.leaving);
    c.sent = 0;
    send_rest(c);
  }

  void send_rest(uring_connection& c) {
    io_uring_sqe& e = ring_.prepare();
    io_uring_prep_send(&e, c.fd.get(), c.leaving.data() + c.sent, c.leaving.size() - c.sent, MSG_NOSIGNAL);
    e.user_data = tag(c, operation::sent);
    c.sends = true;
  }

  void on_send(uring_connection& c, int result) {
    c.sends = false;
    if (result <= 0) return fail(c);
    c.sent += static_cast<std::size_t>(result);
    if (c.sent < c.leaving.size()) return send_rest(c);
    c.leaving.clear();
    send(c);
  }

  // Its receive then finds the end.
  static void fail(uring_connection& c) { ::shutdown(c.fd.get(), SHUT_RDWR); }
  void end(uring_connection& c) { connections_[static_cast<std::size_t>(c.fd.get())].reset(); }

  unique_fd listener_;
  Handler& handler_;
  const bool multishot_;
  std::vector<std::unique_ptr<uring_connection>> connections_;  // by descriptor
  std::vector<uring_connection*> starved_;
  // Last, so that they go first: the kernel then has no hand in the connections' buffers.
  uring ring_;
  std::optional<provided_buffers> buffers_;
};

}  // namespace mongocached::bench
