#include "daemon/listener.hpp"

#include <sys/socket.h>
#include <sys/stat.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "daemon/data_thread.hpp"
#include "daemon/inherited_sockets.hpp"

namespace mongocached::daemon {
namespace {

using acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol, executor>;
using accepted_socket = asio::basic_stream_socket<asio::generic::stream_protocol, executor>;
using unix_protocol = asio::local::stream_protocol;
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
    const acceptor::endpoint_type endpoint(found.begin()->endpoint());
    at.open(endpoint.protocol(), ec);
    if (!ec) at.set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec) at.bind(endpoint, ec);
    if (!ec) at.listen(asio::socket_base::max_listen_connections, ec);
  }
  if (ec) throw std::runtime_error("listen.address: cannot listen on " + to_string(address) + ": " + ec.message());
}

// A name in the file system and what it stands for; another process may have put a socket of its own there since.
class bound_path {
 public:
  bound_path() = default;
  explicit bound_path(std::string path) : path_(std::move(path)) {
    struct stat found {};
    if (::lstat(path_.c_str(), &found) != 0) path_.clear();
    device_ = found.st_dev;
    inode_ = found.st_ino;
  }

  // Once, and before the socket is closed: until then its inode is given to no other file, and a process that finds the
  // name is answered at it and leaves it alone.
  void remove() noexcept {
    struct stat found {};
    const auto path = std::exchange(path_, {});
    if (path.empty() || ::lstat(path.c_str(), &found) != 0) return;
    if (found.st_dev == device_ && found.st_ino == inode_) ::unlink(path.c_str());
  }

 private:
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// Whether nobody is at `path`. Not so where a queue is full (EAGAIN): a connect that blocks would wait for its owner.
bool is_deserted(acceptor& at, const std::string& path) {
  const unix_protocol::endpoint to(path);
  accepted_socket probe(at.get_executor());
  error_code ec;
  probe.open(acceptor::protocol_type(to.protocol()), ec);
  if (!ec) probe.native_non_blocking(true, ec);
  return !ec && ::connect(probe.native_handle(), to.data(), static_cast<socklen_t>(to.size())) != 0 &&
         errno == ECONNREFUSED;
}

// What a process that was killed left behind must go, what another one listens on must stay.
void remove_stale(acceptor& at, const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode)) return;
  if (is_deserted(at, path)) ::unlink(path.c_str());
}

// As with a port of loopback, whoever is on this machine may connect; a folder's rights can keep them out.
void open(acceptor& at, const std::string& path) {
  remove_stale(at, path);
  error_code ec;
  const acceptor::endpoint_type endpoint{unix_protocol::endpoint(path)};
  at.open(endpoint.protocol(), ec);
  if (!ec) at.bind(endpoint, ec);
  if (!ec && ::chmod(path.c_str(), 0777) != 0) ec.assign(errno, asio::error::get_system_category());
  if (!ec) at.listen(asio::socket_base::max_listen_connections, ec);
  if (ec) throw std::runtime_error("listen.unix_socket: cannot listen on " + path + ": " + ec.message());
}

// A socket that listens already: its owner has bound it.
void adopt(acceptor& at, int fd) {
  error_code ec;
  at.assign(acceptor::protocol_type(socket_family(fd), 0), fd, ec);
  if (ec) throw std::runtime_error("cannot listen on descriptor " + std::to_string(fd) + ": " + ec.message());
}

asio::ip::tcp::endpoint tcp_address(const acceptor::endpoint_type& from) {
  asio::ip::tcp::endpoint out;
  if (from.size() > out.capacity() || from.protocol().family() == AF_UNIX) return out;
  std::memcpy(out.data(), from.data(), from.size());
  return out;
}

// For the log: who it is.
std::string name_of_peer(const accepted_socket& socket) {
  error_code ec;
  const auto from = socket.remote_endpoint(ec);
  if (ec) return {};
  if (from.protocol().family() == AF_UNIX) return "unix socket";
  const auto address = tcp_address(from);
  return address.address().to_string() + ':' + std::to_string(address.port());
}

}  // namespace

class listener::accept_loop : public std::enable_shared_from_this<accept_loop> {
 public:
  explicit accept_loop(std::vector<data_thread*> threads)
      : threads_(std::move(threads)), acceptor_(threads_.front()->context()), timer_(threads_.front()->context()) {}
  ~accept_loop() { path_.remove(); }  // of a start that failed: nobody stopped it
  accept_loop(const accept_loop&) = delete;
  accept_loop& operator=(const accept_loop&) = delete;

  void listen_on(const config::endpoint& address) { open(acceptor_, address); }
  void listen_on(int fd) { adopt(acceptor_, fd); }
  void listen_on(const std::string& path) {
    open(acceptor_, path);
    path_ = bound_path(path);
  }

  void start() {
    static_cast<void>(threads_.front()->sockets().heed(acceptor_.native_handle()));
    accept();
  }

  void accept() {
    auto& target = *threads_[next_++ % threads_.size()];
    acceptor_.async_accept(target.get_executor(),
                           [self = shared_from_this(), &target](const error_code& ec, accepted_socket socket) {
                             self->accepted(ec, target, std::move(socket));
                           });
  }

  void stop() {
    asio::post(acceptor_.get_executor(), [self = shared_from_this()] {
      error_code ignored;
      self->path_.remove();
      self->acceptor_.close(ignored);
      self->timer_.cancel();
    });
  }

  [[nodiscard]] config::endpoint bound() const {
    const auto local = tcp_address(acceptor_.local_endpoint());
    return {local.address().to_string(), local.port()};
  }

 private:
  void accepted(const error_code& ec, data_thread& target, accepted_socket socket) {
    if (!acceptor_.is_open()) return;
    if (ec) {
      auto& shared = threads_.front()->shared;
      const auto [allowed, unsaid] = shared.limiter.admit("cannot accept", data_thread::now());
      if (allowed) shared.log.warn("listener", "cannot accept", {{"error", ec.message()}, {"unsaid", unsaid}});
      timer_.expires_after(pause_when_exhausted);
      timer_.async_wait([self = shared_from_this()](const error_code& stopped) {
        if (!stopped && self->acceptor_.is_open()) self->accept();
      });
      return;
    }
    auto& shared = target.shared;
    if (shared.client_count.load() >= shared.max_connections.load()) {
      // As a mongod does: closed without a word.
      threads_.front()->count_shed(shed_reason::connections);
      threads_.front()->metrics.disconnects[static_cast<std::size_t>(disconnect::too_many)].add();
    } else {
      hand_over(target, std::move(socket));
    }
    accept();
  }

  // From Asio's reactor to the thread's poller.
  static void hand_over(data_thread& target, accepted_socket socket) {
    auto peer = name_of_peer(socket);
    error_code ec;
    socket.native_non_blocking(true, ec);
    const int fd = socket.release(ec);
    if (!ec) target.adopt_client(fd, std::move(peer));
  }

  const std::vector<data_thread*> threads_;
  acceptor acceptor_;
  timer timer_;
  std::size_t next_ = 0;
  bound_path path_;  // of a Unix socket that we made
};

listener::listener(std::vector<data_thread*> threads) : threads_(std::move(threads)) {}

listener::listener(const config::endpoint& address, std::vector<data_thread*> threads) : listener(std::move(threads)) {
  listen_on(address);
}

template <class Where>
void listener::listen_on(const Where& where) {
  loops_.push_back(std::make_shared<accept_loop>(threads_));
  loops_.back()->listen_on(where);
}
template void listener::listen_on(const config::endpoint&);
template void listener::listen_on(const std::string&);
template void listener::listen_on(const int&);

listener::~listener() = default;

void listener::start() {
  for (const auto& loop : loops_) loop->start();
}

void listener::stop() {
  for (const auto& loop : loops_) loop->stop();
}

config::endpoint listener::bound() const {
  return loops_.front()->bound();
}

}  // namespace mongocached::daemon
