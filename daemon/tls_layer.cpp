#include "daemon/tls_layer.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/epoll.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace mongocached::daemon {
namespace {

using state = io_result::state;

std::string describe_failure() {
  const auto code = ::ERR_peek_last_error();
  if (const char* reason = ::ERR_reason_error_string(code); reason != nullptr) return reason;
  return errno != 0 ? std::generic_category().message(errno) : "the peer closed the connection";
}

// SSL_is_init_finished() does not tell it after a fault: OpenSSL then takes itself to be in a handshake again.
bool was_secured(const ::SSL* ssl) {
  std::uint8_t first_byte = 0;
  return ::SSL_get_peer_finished(ssl, &first_byte, 1) > 0;
}

}  // namespace

void tls_layer::release::operator()(ssl_st* ssl) const noexcept {
  ::SSL_free(ssl);
}

tls_layer::tls_layer(boost::asio::ssl::context& context, int fd, bool as_server)
    : ssl_(::SSL_new(context.native_handle())) {
  if (!ssl_ || ::SSL_set_fd(ssl_.get(), fd) != 1) throw std::runtime_error("TLS: " + describe_failure());
  ::SSL_set_mode(ssl_.get(),
                 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  ::SSL_set_options(ssl_.get(), SSL_OP_NO_RENEGOTIATION);
  ::SSL_set_read_ahead(ssl_.get(), 1);  // a record in one system call instead of two
  if (as_server) {
    ::SSL_set_accept_state(ssl_.get());
  } else {
    ::SSL_set_connect_state(ssl_.get());
  }
}

tls_layer::tls_layer(boost::asio::ssl::context& context, int fd) : tls_layer(context, fd, true) {}

tls_layer::tls_layer(boost::asio::ssl::context& context, int fd, const std::string& host, bool check_host)
    : tls_layer(context, fd, false) {
  boost::system::error_code not_an_address;
  boost::asio::ip::make_address(host, not_an_address);
  bool good = true;
  if (not_an_address) good = SSL_set_tlsext_host_name(ssl_.get(), host.c_str()) == 1;
  if (check_host && good) {
    auto* const wanted = ::SSL_get0_param(ssl_.get());
    ::X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    good = not_an_address ? ::X509_VERIFY_PARAM_set1_host(wanted, host.c_str(), host.size()) == 1
                          : ::X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1;
  }
  if (!good) throw std::runtime_error("TLS: " + describe_failure());
}

void tls_layer::begin() noexcept {
  // OpenSSL tells a failure by what its thread's queue of errors holds, so it must hold nothing of before. It seldom
  // holds anything, and clearing it costs many times what looking does.
  if (::ERR_peek_error() != 0) ::ERR_clear_error();
  errno = 0;
  blocked_on_ = 0;
}

io_result tls_layer::stopped(int returned) {
  switch (::SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_WANT_READ:
      blocked_on_ = EPOLLIN;
      return {0, state::would_block};
    case SSL_ERROR_WANT_WRITE:
      blocked_on_ = EPOLLOUT;
      return {0, state::would_block};
    case SSL_ERROR_ZERO_RETURN:
      return {0, state::ended};
    default:
      // A peer that closes without a goodbye does no harm here: lengths frame everything that is read.
      if (was_secured(ssl_.get()) && ::ERR_GET_REASON(::ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        return {0, state::ended};
      }
      fault_ = describe_failure();
      return {0, state::failed};
  }
}

io_result tls_layer::handshake() {
  begin();
  const int done = ::SSL_do_handshake(ssl_.get());
  return done == 1 ? io_result{} : stopped(done);
}

bool tls_layer::is_secured() const noexcept {
  return ::SSL_is_init_finished(ssl_.get()) == 1;
}

io_result tls_layer::receive(std::span<std::uint8_t> into) {
  begin();
  std::size_t filled = 0;
  holds_bytes_ = false;
  while (filled < into.size()) {
    std::size_t got = 0;
    const int done = ::SSL_read_ex(ssl_.get(), into.data() + filled, into.size() - filled, &got);
    if (done != 1) {
      const auto why = stopped(done);
      if (filled == 0) return why;
      holds_bytes_ = why.how != state::would_block;  // an end or a failure: the next try meets it again
      return {filled, state::ok};
    }
    filled += got;
    if (::SSL_has_pending(ssl_.get()) == 0) return {filled, state::ok};
  }
  holds_bytes_ = true;
  return {filled, state::ok};
}

io_result tls_layer::send(protocol::byte_view bytes) {
  begin();
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    std::size_t now = 0;
    const int done = ::SSL_write_ex(ssl_.get(), bytes.data() + sent, bytes.size() - sent, &now);
    if (done != 1) {
      const auto why = stopped(done);
      return sent > 0 ? io_result{sent, state::ok} : why;
    }
    sent += now;
  }
  return {sent, state::ok};
}

io_result tls_layer::peek() {
  begin();
  std::uint8_t byte = 0;
  std::size_t got = 0;
  const int done = ::SSL_peek_ex(ssl_.get(), &byte, 1, &got);
  if (done != 1) return stopped(done);
  holds_bytes_ = true;
  return {got, state::ok};
}

void tls_layer::close() noexcept {
  if (!is_secured() || !fault_.empty()) return;
  begin();
  static_cast<void>(::SSL_shutdown(ssl_.get()));
}

}  // namespace mongocached::daemon
