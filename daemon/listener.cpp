#include "daemon/listener.hpp"

#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <stdexcept>

#include "daemon/data_thread.hpp"

namespace mongocached::daemon {
namespace {

using acceptor = asio::basic_socket_acceptor<asio::ip::tcp, executor>;
using timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, executor>;

// Out of file descriptors: the next client is tried when some may have been closed.
constexpr auto pause_when_exhausted = std::chrono::milliseconds(100);

void open(acceptor& at, const config::endpoint& address) {
  error_code ec;
  asio::ip::basic_resolver<asio::ip::tcp, executor> resolver(at.get_executor());
  const auto found = resolver.resolve(address.host, std::to_string(address.port),
                                      asio::ip::resolver_base::passive | asio::ip::resolver_base::numeric_service, ec);
  if (!ec) {
    const auto endpoint = found.begin()->endpoint();
    at.open(endpoint.protocol(), ec);
    if (!ec) at.set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec) at.bind(endpoint, ec);
    if (!ec) at.listen(asio::socket_base::max_listen_connections, ec);
  }
  if (ec) throw std::runtime_error("listen.address: cannot listen on " + to_string(address) + ": " + ec.message());
}

// A socket that listens already: its owner has bound it.
void adopt(acceptor& at, int fd) {
  sockaddr_storage local{};
  socklen_t size = sizeof local;
  error_code ec;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) != 0)
    ec.assign(errno, asio::error::get_system_category());
  if (!ec) at.assign(local.ss_family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), fd, ec);
  if (ec) throw std::runtime_error("cannot listen on descriptor " + std::to_string(fd) + ": " + ec.message());
}

}  // namespace

class listener::accept_loop : public std::enable_shared_from_this<accept_loop> {
 public:
  accept_loop(const config::endpoint& address, std::vector<data_thread*> threads)
      : threads_(std::move(threads)), acceptor_(threads_.front()->context()), timer_(threads_.front()->context()) {
    open(acceptor_, address);
  }
  accept_loop(int fd, std::vector<data_thread*> threads)
      : threads_(std::move(threads)), acceptor_(threads_.front()->context()), timer_(threads_.front()->context()) {
    adopt(acceptor_, fd);
  }

  void accept() {
    auto& target = *threads_[next_++ % threads_.size()];
    acceptor_.async_accept(target.get_executor(),
                           [self = shared_from_this(), &target](const error_code& ec, tcp_socket socket) {
                             self->accepted(ec, target, std::move(socket));
                           });
  }

  void stop() {
    asio::post(acceptor_.get_executor(), [self = shared_from_this()] {
      error_code ignored;
      self->acceptor_.close(ignored);
      self->timer_.cancel();
    });
  }

  [[nodiscard]] config::endpoint bound() const {
    const auto local = acceptor_.local_endpoint();
    return {local.address().to_string(), local.port()};
  }

 private:
  void accepted(const error_code& ec, data_thread& target, tcp_socket socket) {
    if (!acceptor_.is_open()) return;
    if (ec) {
      auto& shared = threads_.front()->shared;
      shared.log.warn("listener", "cannot accept", {{"error", ec.message()}});
      timer_.expires_after(pause_when_exhausted);
      timer_.async_wait([self = shared_from_this()](const error_code& stopped) {
        if (!stopped && self->acceptor_.is_open()) self->accept();
      });
      return;
    }
    auto& shared = target.shared;
    if (shared.client_count.load() >= shared.max_connections.load()) {
      // As a mongod does: closed without a word.
      threads_.front()->metrics.disconnects[static_cast<std::size_t>(disconnect::too_many)].add();
    } else {
      target.adopt_client(std::move(socket));
    }
    accept();
  }

  const std::vector<data_thread*> threads_;
  acceptor acceptor_;
  timer timer_;
  std::size_t next_ = 0;
};

listener::listener(const config::endpoint& address, std::vector<data_thread*> threads)
    : loops_{std::make_shared<accept_loop>(address, std::move(threads))} {}

listener::listener(std::span<const int> inherited, const std::vector<data_thread*>& threads) {
  for (const int fd : inherited) loops_.push_back(std::make_shared<accept_loop>(fd, threads));
}

listener::~listener() = default;

void listener::start() {
  for (const auto& loop : loops_) loop->accept();
}

void listener::stop() {
  for (const auto& loop : loops_) loop->stop();
}

config::endpoint listener::bound() const {
  return loops_.front()->bound();
}

}  // namespace mongocached::daemon
