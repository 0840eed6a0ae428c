#include "daemon/byte_stream.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

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

byte_stream::byte_stream(tcp_socket socket) : socket_(std::move(socket)) {}
byte_stream::~byte_stream() = default;

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

task<std::size_t> byte_stream::read_some(std::span<std::uint8_t> into, error_code& ec) {
  const auto buffer = asio::buffer(into.data(), into.size());
  if (tls_) co_return co_await tls_->stream.async_read_some(buffer, as_result(ec));
  co_return co_await socket_.async_read_some(buffer, as_result(ec));
}

task<error_code> byte_stream::write(protocol::byte_view bytes) {
  error_code ec;
  const auto buffer = asio::buffer(bytes.data(), bytes.size());
  if (tls_) {
    co_await asio::async_write(tls_->stream, buffer, as_result(ec));
  } else {
    co_await asio::async_write(socket_, buffer, as_result(ec));
  }
  co_return ec;
}

void byte_stream::close() noexcept {
  error_code ignored;
  socket_.close(ignored);
}

bool byte_stream::broke_silence() noexcept {
  std::uint8_t byte = 0;
  const auto got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  // A TLS server may send session tickets unasked.
  if (got > 0) return tls_ == nullptr;
  return got == 0 || (errno != EAGAIN && errno != EINTR);
}

tcp_socket& byte_stream::socket() noexcept {
  return socket_;
}

bool byte_stream::is_open() const noexcept {
  return socket_.is_open();
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
