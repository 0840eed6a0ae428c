#include "daemon/byte_stream.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>

namespace mongocached::daemon {

// The TLS layer borrows the socket, which lives beside it.
struct byte_stream::tls {
  tls(tcp_socket& socket, asio::ssl::context& context) : stream(socket, context) {}
  asio::ssl::stream<tcp_socket&> stream;
};

byte_stream::byte_stream(asio::io_context& context, poller& poller) : poller_(poller), socket_(context) {}
byte_stream::~byte_stream() = default;

task<error_code> byte_stream::connect(const asio::ip::basic_resolver_results<asio::ip::tcp>& addresses) {
  error_code ec;
  co_await asio::async_connect(socket_, addresses, as_result(ec));
  if (!ec) set_socket_options(socket_);
  co_return ec;
}

error_code byte_stream::start_plain() {
  error_code ec;
  const int fd = socket_.release(ec);
  if (ec) return ec;
  plain_ = std::make_shared<polled_socket>(poller_, fd, [this] {
    stirred_ = true;
    plain_->reading(false);
  });
  return plain_->open() ? error_code{} : asio::error::no_descriptors;
}

task<error_code> byte_stream::start_tls(asio::ssl::context& context, const std::string& host, bool check_host) {
  tls_ = std::make_unique<tls>(socket_, context);
  error_code ec;
  const bool is_address = (static_cast<void>(asio::ip::make_address(host, ec)), !ec);
  if (!is_address) SSL_set_tlsext_host_name(tls_->stream.native_handle(), host.c_str());
  ec.clear();
  if (check_host) tls_->stream.set_verify_callback(asio::ssl::host_name_verification(host), ec);
  if (ec) co_return ec;
  co_await tls_->stream.async_handshake(asio::ssl::stream_base::client, as_result(ec));
  co_return ec;
}

task<void> byte_stream::readable() {
  if (!plain_) co_return;
  co_await plain_->readable();
}

task<std::size_t> byte_stream::read_some(std::span<std::uint8_t> into, error_code& ec) {
  if (plain_) co_return co_await read_plain(into, ec);
  const auto buffer = asio::buffer(into.data(), into.size());
  if (tls_) co_return co_await tls_->stream.async_read_some(buffer, as_result(ec));
  ec = asio::error::not_connected;
  co_return 0;
}

task<std::size_t> byte_stream::read_plain(std::span<std::uint8_t> into, error_code& ec) {
  using state = polled_socket::result::state;
  while (plain_->is_open()) {
    const auto [size, how] = plain_->receive(into);
    if (std::exchange(stirred_, false)) plain_->reading(true);
    if (how == state::ok) co_return size;
    if (how != state::would_block) {
      ec = how == state::ended ? error_code(asio::error::eof) : error_code(asio::error::connection_reset);
      co_return 0;
    }
    co_await plain_->readable();
  }
  ec = asio::error::operation_aborted;
  co_return 0;
}

task<error_code> byte_stream::write(protocol::byte_view bytes) {
  if (plain_) co_return co_await write_plain(bytes);
  error_code ec = asio::error::not_connected;
  if (tls_) co_await asio::async_write(tls_->stream, asio::buffer(bytes.data(), bytes.size()), as_result(ec));
  co_return ec;
}

task<error_code> byte_stream::write_plain(protocol::byte_view bytes) {
  while (plain_->is_open()) {
    const auto [size, how] = plain_->send(bytes);
    if (how == polled_socket::result::state::failed) co_return asio::error::connection_reset;
    bytes = bytes.subspan(size);
    if (bytes.empty()) co_return error_code{};
    co_await plain_->writable();
  }
  co_return asio::error::operation_aborted;
}

void byte_stream::close() noexcept {
  error_code ignored;
  socket_.close(ignored);
  if (!plain_ || !plain_->is_open()) return;
  plain_->close();
  poller_.retire(plain_);
}

bool byte_stream::broke_silence() noexcept {
  if (plain_) return !plain_->is_open() || stirred_;
  std::uint8_t byte = 0;
  const auto got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  // A TLS server may send session tickets unasked.
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

void set_socket_options(tcp_socket& socket) noexcept {
  error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  const auto set = [fd = socket.native_handle()](int option, int value) {
    ::setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value);
  };
  set(TCP_KEEPIDLE, 60);
  set(TCP_KEEPINTVL, 10);
  set(TCP_KEEPCNT, 5);
}

}  // namespace mongocached::daemon
