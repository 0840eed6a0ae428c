// The floor of a relay: one thread, level-triggered epoll, an upstream connection for each client, and bytes copied
// from one to the other without a look at them.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <memory>

#include "bench/epoll_server.hpp"

namespace {

using namespace mongocached;

// One of the two sockets of a client, and what its peer could not be sent yet.
struct side {
  bench::unique_fd fd;
  int peer = -1;
  protocol::byte_buffer waiting;  // received here, to be sent to the peer; nothing more is read meanwhile
};

class relay {
 public:
  relay(bench::unique_fd listener, bench::endpoint upstream)
      : listener_(std::move(listener)), upstream_(std::move(upstream)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_.get() < 0) bench::fail_with_errno("epoll_create1");
    watch(EPOLL_CTL_ADD, listener_.get(), EPOLLIN);
  }

  void run() {
    std::array<epoll_event, 256> events{};
    while (bench::stop_requested == 0) {
      const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
      if (count < 0 && errno != EINTR) bench::fail_with_errno("epoll_wait");
      for (int i = 0; i < count; ++i) handle(events[static_cast<std::size_t>(i)]);
      ended_.clear();
    }
  }

 private:
  void watch(int operation, int fd, std::uint32_t interest) {
    epoll_event event{};
    event.events = interest;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), operation, fd, &event) != 0) bench::fail_with_errno("epoll_ctl");
  }

  void handle(const epoll_event& event) {
    if (event.data.fd == listener_.get()) return accept_all();
    side* s = sides_[static_cast<std::size_t>(event.data.fd)].get();
    if (s == nullptr) return;
    bool good = true;
    if ((event.events & EPOLLOUT) != 0) good = send_waiting(*sides_[static_cast<std::size_t>(s->peer)]);
    if (good && (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) good = s->waiting.empty() && copy(*s);
    if (!good) end(*s);
  }

  void accept_all() {
    for (;;) {
      bench::unique_fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (client.get() < 0) {
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
        bench::fail_with_errno("accept4");
      }
      bench::set_no_delay(client.get());
      auto server = bench::connect_to(upstream_);
      bench::set_non_blocking(server.get());
      const int one = client.get();
      const int other = server.get();
      add(std::move(client), other);
      add(std::move(server), one);
    }
  }

  void add(bench::unique_fd fd, int peer) {
    const auto index = static_cast<std::size_t>(fd.get());
    watch(EPOLL_CTL_ADD, fd.get(), EPOLLIN);
    if (sides_.size() <= index) sides_.resize(index + 1);
    sides_[index] = std::make_unique<side>(side{std::move(fd), peer, {}});
  }

  [[nodiscard]] bool copy(side& from) {
    const ssize_t got = ::recv(from.fd.get(), bytes_.data(), bytes_.size(), 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    const ssize_t left = ::send(from.peer, bytes_.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL);
    if (left < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (left == got) return true;
    from.waiting.assign(bytes_.begin() + std::max<ssize_t>(left, 0), bytes_.begin() + got);
    watch_both(from);
    return true;
  }

  [[nodiscard]] bool send_waiting(side& from) {
    const ssize_t left = ::send(from.peer, from.waiting.data(), from.waiting.size(), MSG_NOSIGNAL);
    if (left < 0) return errno == EAGAIN || errno == EINTR;
    from.waiting.erase(from.waiting.begin(), from.waiting.begin() + left);
    if (!from.waiting.empty()) return true;
    watch_both(from);
    return true;
  }

  void watch_both(const side& one) {
    const side& other = *sides_[static_cast<std::size_t>(one.peer)];
    for (const auto& [s, peer] : {std::pair(&one, &other), std::pair(&other, &one)}) {
      const std::uint32_t reads = s->waiting.empty() ? EPOLLIN : 0U;
      const std::uint32_t writes = peer->waiting.empty() ? 0U : EPOLLOUT;
      watch(EPOLL_CTL_MOD, s->fd.get(), reads | writes);
    }
  }

  // Both sockets stay open until this turn's events are dealt with, so that none of them is taken for another.
  void end(side& s) {
    const int fds[] = {s.fd.get(), s.peer};
    for (const int fd : fds) {
      watch(EPOLL_CTL_DEL, fd, 0);
      ended_.push_back(std::move(sides_[static_cast<std::size_t>(fd)]));
    }
  }

  bench::unique_fd listener_;
  bench::endpoint upstream_;
  bench::unique_fd epoll_;
  std::array<std::uint8_t, 65'536> bytes_{};
  std::vector<std::unique_ptr<side>> sides_;  // by descriptor
  std::vector<std::unique_ptr<side>> ended_;
};

int run(int argc, char** argv) {
  std::uint16_t port = 0;
  std::string upstream;
  CLI::App app{"bare epoll relay: copies bytes between each client and an upstream connection of its own"};
  app.add_option("--port", port, "port on 127.0.0.1; 0: any free one, printed as `ready PORT`");
  app.add_option("--upstream", upstream, "HOST:PORT, HOST being an IPv4 address")->required();
  CLI11_PARSE(app, argc, argv);

  const auto target = bench::parse_endpoint(upstream);
  bench::stop_on_signals();
  auto listener = bench::listen_on_loopback(port);
  bench::announce_ready(bench::local_port(listener));
  relay(std::move(listener), target).run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "relay_server: %s\n", e.what());
    return 1;
  }
}
