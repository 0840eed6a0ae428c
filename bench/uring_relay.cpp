// The bare relay of relay_server.cpp on io_uring: a multishot receive on each socket, into provided buffers, of which
// the send to the other socket takes the bytes as they lie.
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <deque>
#include <exception>
#include <memory>
#include <optional>

#include "bench/epoll_server.hpp"
#include "bench/uring.hpp"

namespace {

using namespace mongocached;
using buffers = bench::provided_buffers;

// A buffer with bytes that are to be sent.
struct piece {
  unsigned id;
  std::size_t from;
  std::size_t to;
};

// One of the two sockets of a client, and what is on its way out of it.
struct side {
  bench::unique_fd fd;
  side* peer = nullptr;
  std::deque<piece> leaving;  // the first is being sent
  bool receives = false;
  bool failed = false;
};

struct pair {
  side client;
  side server;
};

class relay {
 public:
  relay(bench::unique_fd listener, bench::endpoint upstream, const bench::uring_options& options)
      : listener_(std::move(listener)), upstream_(std::move(upstream)), ring_(options) {
    buffers_.emplace(ring_, options.entries);
    bench::set_blocking(listener_.get());
    accept();
  }

  void run() {
    while (bench::stop_requested == 0) {
      ring_.submit_and_wait();
      ring_.for_each_completion([this](const io_uring_cqe& c) { handle(c); });
      for (side* s : std::exchange(starved_, {})) receive(*s);
    }
  }

 private:
  enum class operation : std::uint64_t { accepted = 0, received = 1, sent = 2 };
  static constexpr std::uint64_t operation_bits = 3;

  static std::uint64_t tag(side& s, operation o) noexcept {
    return reinterpret_cast<std::uintptr_t>(&s) | static_cast<std::uint64_t>(o);
  }

  void handle(const io_uring_cqe& c) {
    const auto o = static_cast<operation>(c.user_data & operation_bits);
    if (o == operation::accepted) return on_accept(c);
    side& s = *reinterpret_cast<side*>(c.user_data & ~operation_bits);
    if (o == operation::received) on_receive(s, c);
    if (o == operation::sent) on_send(s, c.res);
    end_if_idle(s);
  }

  void accept() {
    io_uring_sqe& e = ring_.prepare();
    io_uring_prep_multishot_accept(&e, listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    e.user_data = static_cast<std::uint64_t>(operation::accepted);
  }

  void on_accept(const io_uring_cqe& c) {
    if (c.res >= 0) {
      auto fresh = std::make_unique<pair>();
      fresh->client.fd = bench::unique_fd(c.res);
      fresh->server.fd = bench::connect_to(upstream_);
      bench::set_no_delay(c.res);
      fresh->client.peer = &fresh->server;
      fresh->server.peer = &fresh->client;
      receive(fresh->client);
      receive(fresh->server);
      pairs_.push_back(std::move(fresh));
    } else if (c.res != -EAGAIN && c.res != -EINTR && c.res != -ECONNABORTED) {
      errno = -c.res;
      bench::fail_with_errno("accept");
    }
    if ((c.flags & IORING_CQE_F_MORE) == 0) accept();
  }

  void receive(side& s) {
    io_uring_sqe& e = ring_.prepare();
    io_uring_prep_recv_multishot(&e, s.fd.get(), nullptr, 0, 0);
    e.flags |= IOSQE_BUFFER_SELECT;
    e.buf_group = buffers::group;
    e.user_data = tag(s, operation::received);
    s.receives = true;
  }

  void on_receive(side& s, const io_uring_cqe& done) {
    s.receives = (done.flags & IORING_CQE_F_MORE) != 0;
    if (done.res == -ENOBUFS) {
      s.receives = true;
      starved_.push_back(&s);
      return;
    }
    if (done.res <= 0) return fail(s);
    s.peer->leaving.push_back({buffers::id_of(done), 0, static_cast<std::size_t>(done.res)});
    if (s.peer->leaving.size() == 1) send_first(*s.peer);
    if (!s.receives) receive(s);
  }

  void send_first(side& s) {
    const piece& p = s.leaving.front();
    const auto bytes = buffers_->bytes(p.id, p.to).subspan(p.from);
    io_uring_sqe& e = ring_.prepare();
    io_uring_prep_send(&e, s.fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    e.user_data = tag(s, operation::sent);
  }

  void on_send(side& s, int result) {
    piece& p = s.leaving.front();
    if (result <= 0) fail(s);
    p.from = result > 0 ? p.from + static_cast<std::size_t>(result) : p.to;
    if (p.from == p.to) {
      buffers_->give_back(p.id);
      s.leaving.pop_front();
    }
    if (!s.leaving.empty()) send_first(s);
  }

  // Everything under way on either socket then comes to its end.
  static void fail(side& s) {
    for (side* each : {&s, s.peer}) {
      if (!std::exchange(each->failed, true)) ::shutdown(each->fd.get(), SHUT_RDWR);
    }
  }

  void end_if_idle(side& s) {
    const auto idle = [](const side& each) { return each.failed && !each.receives && each.leaving.empty(); };
    if (!idle(s) || !idle(*s.peer)) return;
    std::erase_if(pairs_, [&](const auto& p) { return &p->client == &s || &p->server == &s; });
  }

  bench::unique_fd listener_;
  bench::endpoint upstream_;
  std::vector<std::unique_ptr<pair>> pairs_;
  std::vector<side*> starved_;
  // Last, so that they go first: the kernel then has no hand in the buffers.
  bench::uring ring_;
  std::optional<buffers> buffers_;
};

int run(int argc, char** argv) {
  std::uint16_t port = 0;
  std::string upstream;
  bench::uring_options options;
  CLI::App app{"bare io_uring relay: passes bytes between each client and an upstream connection; status 77 without"};
  app.add_option("--port", port, "port on 127.0.0.1; 0: any free one, printed as `ready PORT`");
  app.add_option("--upstream", upstream, "HOST:PORT, HOST being an IPv4 address")->required();
  app.add_flag("--sqpoll", options.sqpoll, "a thread of the kernel takes submissions");
  CLI11_PARSE(app, argc, argv);

  const auto target = bench::parse_endpoint(upstream);
  bench::stop_on_signals();
  auto listener = bench::listen_on_loopback(port);
  const auto listens_at = bench::local_port(listener);
  relay r(std::move(listener), target, options);
  bench::announce_ready(listens_at);
  r.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const bench::no_uring& e) {
    std::fprintf(stderr, "uring_relay: %s\n", e.what());
    return bench::exit_without_uring;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "uring_relay: %s\n", e.what());
    return 1;
  }
}
