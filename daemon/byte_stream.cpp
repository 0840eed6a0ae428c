#include "daemon/byte_stream.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/connect.hpp>

namespace mongocached::daemon {

using state = polled_socket::result::state;

byte_stream::byte_stream(asio::io_context& context, poller& poller) : poller_(poller), connecting_(context) {}
byte_stream::~byte_stream() = default;

task<error_code> byte_stream::connect(const asio::ip::basic_resolver_results<asio::ip::tcp>& addresses) {
  error_code ec;
  co_await asio::async_connect(connecting_, addresses, as_result(ec));
  if (!ec) set_socket_options(connecting_.native_handle());
  co_return ec;
}

error_code byte_stream::start_plain() {
  error_code ec;
  const int fd = connecting_.release(ec);
  if (ec) return ec;
  socket_ = std::make_shared<polled_socket>(poller_, fd, [this] {
    stirred_ = true;
    socket_->reading(false);
  });
  return socket_->open() ? error_code{} : asio::error::no_descriptors;
}

task<error_code> byte_stream::start_tls(asio::ssl::context& context, const std::string& host, bool check_host) {
  if (const auto ec = start_plain()) co_return ec;
  socket_->use(std::make_unique<tls_layer>(context, socket_->descriptor(), host, check_host));
  while (socket_->is_open()) {
    const auto how = socket_->tls()->handshake().how;
    if (how == state::ok) co_return error_code{};
    if (how != state::would_block) {
      fault_ = socket_->tls()->fault();
      co_return asio::error::connection_refused;
    }
    co_await socket_->readable();
  }
  co_return asio::error::operation_aborted;
}

io_result byte_stream::receive(std::span<std::uint8_t> into) {
  if (!socket_->is_open()) return {0, state::ended};
  const auto got = socket_->receive(into);
  if (std::exchange(stirred_, false)) socket_->reading(true);
  return got;
}

prompt<error_code> byte_stream::write(protocol::byte_view bytes) {
  if (!socket_ || !socket_->is_open()) return error_code(asio::error::operation_aborted);
  const auto [size, how] = socket_->send(bytes);
  if (is_lost(how)) return error_code(asio::error::connection_reset);
  if (size == bytes.size()) return error_code{};
  return write_rest(bytes.subspan(size));
}

task<error_code> byte_stream::write_rest(protocol::byte_view bytes) {
  while (!bytes.empty()) {
    co_await socket_->writable();
    if (!socket_->is_open()) co_return asio::error::operation_aborted;
    const auto [size, how] = socket_->send(bytes);
    if (is_lost(how)) co_return asio::error::connection_reset;
    bytes = bytes.subspan(size);
  }
  co_return error_code{};
}

void byte_stream::close() noexcept {
  error_code ignored;
  connecting_.close(ignored);
  if (!socket_ || !socket_->is_open()) return;
  socket_->close();
  poller_.retire(socket_);
}

bool byte_stream::broke_silence() {
  if (!socket_ || !socket_->is_open()) return true;
  if (!stirred_) return false;
  // A TLS server may send session tickets unasked.
  if (socket_->tls() == nullptr || socket_->tls()->peek().how != state::would_block) return true;
  stirred_ = false;
  socket_->reading(true);
  return false;
}

void set_socket_options(int fd) noexcept {
  const auto set = [fd](int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof value); };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 5);
}

}  // namespace mongocached::daemon
