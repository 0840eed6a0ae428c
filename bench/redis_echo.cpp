// The floor of a hit in Redis: one thread that answers every framed message with one fixed reply, as the bare echo
// does, but only once Redis has answered a GET for it. All requests of one wait for events go to Redis in one write on
// one connection. It parses nothing, neither the message nor Redis' reply, whose size it knows: so no server that asks
// Redis for each request can be faster on this machine.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <deque>
#include <exception>

#include "bench/echo_handler.hpp"
#include "bench/epoll_server.hpp"

namespace {

using namespace mongocached;

constexpr std::string_view get_command = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";

// Who waits for Redis' next reply. The connection may be gone by then.
struct asker {
  int fd;
  std::uint64_t serial;
};

class redis_echo {
 public:
  redis_echo(bench::unique_fd listener, bench::unique_fd redis, std::uint32_t reply_size, std::size_t redis_reply_size)
      : listener_(std::move(listener)),
        redis_(std::move(redis)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        echo_(reply_size),
        redis_reply_size_(redis_reply_size) {
    if (epoll_.get() < 0) bench::fail_with_errno("epoll_create1");
    watch(EPOLL_CTL_ADD, listener_.get(), EPOLLIN);
    watch(EPOLL_CTL_ADD, redis_.get(), EPOLLIN);
  }

  void run() {
    std::array<epoll_event, 256> events{};
    while (bench::stop_requested == 0) {
      const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
      if (count < 0 && errno != EINTR) bench::fail_with_errno("epoll_wait");
      for (int i = 0; i < count; ++i) handle(events[static_cast<std::size_t>(i)].data.fd);
      ask_redis();
    }
  }

 private:
  void watch(int operation, int fd, std::uint32_t interest) {
    epoll_event event{};
    event.events = interest;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), operation, fd, &event) != 0) bench::fail_with_errno("epoll_ctl");
  }

  void handle(int fd) {
    if (fd == listener_.get()) return accept_all();
    if (fd == redis_.get()) return take_replies();
    auto& c = clients_[static_cast<std::size_t>(fd)];
    if (c && !read(*c)) c.reset();
  }

  void accept_all() {
    for (;;) {
      bench::unique_fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (client.get() < 0) {
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
        bench::fail_with_errno("accept4");
      }
      bench::set_no_delay(client.get());
      watch(EPOLL_CTL_ADD, client.get(), EPOLLIN);
      const auto index = static_cast<std::size_t>(client.get());
      if (clients_.size() <= index) clients_.resize(index + 1);
      clients_[index] = std::make_unique<bench::connection>();
      clients_[index]->peer = bench::channel(std::move(client));
      clients_[index]->serial = ++last_serial_;
    }
  }

  // Each whole message puts its reply into `out`, from where it goes once Redis has spoken.
  [[nodiscard]] bool read(bench::connection& c) {
    const ssize_t n = c.peer.receive(c.in.data() + c.have, c.in.size() - c.have);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) return false;
    c.have += static_cast<std::size_t>(n);
    const auto taken = bench::take_messages({c.in.data(), c.have}, [&](protocol::byte_view message) {
      echo_.on_message(c, message);
      asking_.insert(asking_.end(), get_command.begin(), get_command.end());
      askers_.push_back({c.peer.descriptor(), c.serial});
    });
    if (!taken.good || taken.next > c.in.size()) return false;
    std::memmove(c.in.data(), c.in.data() + taken.used, c.have - taken.used);
    c.have -= taken.used;
    return true;
  }

  void ask_redis() {
    if (asking_.empty()) return;
    // One wait gathers some kilobytes at most, which the kernel takes at once.
    const ssize_t n = ::send(redis_.get(), asking_.data(), asking_.size(), MSG_NOSIGNAL);
    if (n != static_cast<ssize_t>(asking_.size())) bench::fail_with_errno("send to Redis");
    asking_.clear();
  }

  void take_replies() {
    const ssize_t n = ::recv(redis_.get(), bytes_.data(), bytes_.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) bench::fail_with_errno("receive from Redis");
    for (arrived_ += static_cast<std::size_t>(n); arrived_ >= redis_reply_size_; arrived_ -= redis_reply_size_) {
      if (askers_.empty()) throw std::runtime_error("a reply of Redis that nobody asked for");
      answer(askers_.front());
      askers_.pop_front();
    }
  }

  void answer(const asker& who) {
    auto& c = clients_[static_cast<std::size_t>(who.fd)];
    if (!c || c->serial != who.serial || c->out.empty()) return;
    // Who pipelines gets all that is ready with the first of them: the load does not.
    const ssize_t n = c->peer.send(c->out.data(), c->out.size());
    if (n != static_cast<ssize_t>(c->out.size())) return c.reset();
    c->out.clear();
  }

  bench::unique_fd listener_;
  bench::unique_fd redis_;
  bench::unique_fd epoll_;
  bench::echo_handler echo_;
  const std::size_t redis_reply_size_;
  protocol::byte_buffer asking_;
  std::deque<asker> askers_;
  std::array<std::uint8_t, 65'536> bytes_{};
  std::size_t arrived_ = 0;                                  // bytes of the reply that is not whole yet
  std::vector<std::unique_ptr<bench::connection>> clients_;  // by descriptor
  std::uint64_t last_serial_ = 0;
};

// Puts the value there; the size of what Redis answers to a GET of it.
std::size_t store_value(const bench::unique_fd& redis, std::size_t size) {
  const std::string value(size, 'v');
  const auto length = "$" + std::to_string(size) + "\r\n";
  const auto command = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n" + length + value + "\r\n";
  std::array<char, 64> answer{};
  if (::send(redis.get(), command.data(), command.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(command.size()) ||
      ::recv(redis.get(), answer.data(), answer.size(), 0) != 5 || std::string_view(answer.data(), 5) != "+OK\r\n") {
    throw std::runtime_error("Redis does not take a value");
  }
  return length.size() + size + 2;
}

int run(int argc, char** argv) {
  std::uint16_t port = 0;
  std::uint32_t reply_size = 560;
  std::string address;
  CLI::App app{"bare epoll echo that asks Redis for a value before each answer"};
  app.add_option("--port", port, "port on 127.0.0.1; 0: any free one, printed as `ready PORT`");
  app.add_option("--reply-size", reply_size, "bytes of the whole reply message, and of the value in Redis")
      ->check(CLI::Range(400U, 1'000'000U));
  app.add_option("--redis", address, "HOST:PORT, HOST being an IPv4 address")->required();
  CLI11_PARSE(app, argc, argv);

  auto redis = bench::connect_to(bench::parse_endpoint(address));
  const auto redis_reply_size = store_value(redis, reply_size);
  bench::set_non_blocking(redis.get());
  bench::stop_on_signals();
  auto listener = bench::listen_on_loopback(port);
  bench::announce_ready(bench::local_port(listener));
  redis_echo(std::move(listener), std::move(redis), reply_size, redis_reply_size).run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "redis_echo: %s\n", e.what());
    return 1;
  }
}
