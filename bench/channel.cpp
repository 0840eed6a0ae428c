#include "bench/channel.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <stdexcept>

namespace mongocached::bench {
namespace {

[[noreturn]] void fail(const ssl_st* ssl) {
  const long verified = ssl != nullptr ? ::SSL_get_verify_result(ssl) : X509_V_OK;
  const char* reason = ::ERR_reason_error_string(::ERR_peek_last_error());
  std::string why = reason != nullptr ? reason : "the server does not carry out a handshake";
  if (verified != X509_V_OK) why += std::string(": ") + ::X509_verify_cert_error_string(verified);
  ::ERR_clear_error();
  throw std::runtime_error("TLS: " + why);
}

}  // namespace

void channel::release::operator()(ssl_st* ssl) const noexcept {
  ::SSL_free(ssl);
}

void channel::secure(const tls_context& context) {
  tls_.reset(::SSL_new(context.get()));
  if (!tls_ || ::SSL_set_fd(tls_.get(), fd_.get()) != 1) fail(nullptr);
  ::SSL_set_mode(tls_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  ::SSL_set_read_ahead(tls_.get(), 1);  // a record in one system call instead of two
}

void channel::secure_as_client(const tls_context& context, const std::string& host) {
  secure(context);
  if (SSL_set_tlsext_host_name(tls_.get(), host.c_str()) != 1 || ::SSL_set1_host(tls_.get(), host.c_str()) != 1 ||
      ::SSL_connect(tls_.get()) != 1) {
    fail(tls_.get());
  }
}

void channel::secure_as_server(const tls_context& context) {
  secure(context);
  ::SSL_set_accept_state(tls_.get());
}

void channel::close() noexcept {
  tls_.reset();
  fd_.reset();
  holds_bytes_ = false;
}

ssize_t channel::receive_tls(std::uint8_t* into, std::size_t size) {
  std::size_t filled = 0;
  holds_bytes_ = false;
  errno = 0;
  while (filled < size) {
    std::size_t got = 0;
    const int done = ::SSL_read_ex(tls_.get(), into + filled, size - filled, &got);
    if (done != 1) {
      const auto why = stopped(done, SSL_ERROR_WANT_READ);
      if (filled == 0) return why;
      holds_bytes_ = why == 0 || errno != EAGAIN;  // an end or a failure: the next call meets it again
      return static_cast<ssize_t>(filled);
    }
    filled += got;
    if (::SSL_has_pending(tls_.get()) == 0) return static_cast<ssize_t>(filled);
  }
  holds_bytes_ = true;
  return static_cast<ssize_t>(filled);
}

ssize_t channel::send_tls(const std::uint8_t* bytes, std::size_t size) {
  std::size_t sent = 0;
  errno = 0;
  while (sent < size) {
    std::size_t now = 0;
    const int done = ::SSL_write_ex(tls_.get(), bytes + sent, size - sent, &now);
    if (done != 1) {
      const auto why = stopped(done, SSL_ERROR_WANT_WRITE);
      if (why == 0) errno = EPIPE;
      return sent > 0 ? static_cast<ssize_t>(sent) : -1;
    }
    sent += now;
  }
  return static_cast<ssize_t>(sent);
}

// OpenSSL tells a failure by its thread's queue of errors, which each failure therefore leaves empty. Waiting for the
// other direction than one's own happens only where a handshake fills a new socket's buffers, which none of ours does:
// it is a failure, so that nobody waits for it in vain.
ssize_t channel::stopped(int returned, int waits_for) {
  const int why = ::SSL_get_error(tls_.get(), returned);
  const bool ended =
      why == SSL_ERROR_ZERO_RETURN || ::ERR_GET_REASON(::ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  ::ERR_clear_error();
  if (ended) return 0;
  if (why != SSL_ERROR_SYSCALL || errno == 0) errno = why == waits_for ? EAGAIN : EPROTO;
  return -1;
}

void send_all(channel& to, const std::uint8_t* data, std::size_t size) {
  while (size > 0) {
    const ssize_t n = to.send(data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail_with_errno("send");
    data += n;
    size -= static_cast<std::size_t>(n);
  }
}

void receive_all(channel& from, std::uint8_t* data, std::size_t size) {
  while (size > 0) {
    const ssize_t n = from.receive(data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_with_errno("recv");
    if (n == 0) throw std::runtime_error("connection closed by the server");
    data += n;
    size -= static_cast<std::size_t>(n);
  }
}

}  // namespace mongocached::bench
