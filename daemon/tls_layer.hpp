// TLS on one non-blocking socket, either side of it: OpenSSL reads and writes the descriptor itself. Where an operation
// would block, blocked_on() says what to wait for, and the same operation is tried again with the same bytes. One
// thread; the socket stays its owner's.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "daemon/io_result.hpp"
#include "protocol/bytes.hpp"

struct ssl_st;

namespace boost::asio::ssl {
class context;
}

namespace mongocached::daemon {

class tls_layer {
 public:
  // As a server; the first receive() carries out the handshake. Throws std::runtime_error without memory.
  tls_layer(boost::asio::ssl::context& context, int fd);
  // As a client of `host`, which is sent as SNI where it is a name, and checked against the certificate if asked.
  tls_layer(boost::asio::ssl::context& context, int fd, const std::string& host, bool check_host);

  // `ok`: it is done. receive() and send() carry it out, too.
  [[nodiscard]] io_result handshake();
  [[nodiscard]] bool is_secured() const noexcept;

  [[nodiscard]] io_result receive(std::span<std::uint8_t> into);
  [[nodiscard]] io_result send(protocol::byte_view bytes);
  // Bytes may be waiting in here, about which the kernel knows nothing.
  [[nodiscard]] bool holds_bytes() const noexcept { return holds_bytes_; }
  // `ok`: something was received that receive() will give; nothing is taken.
  [[nodiscard]] io_result peek();
  // What the last operation waits for: EPOLLIN, EPOLLOUT, or 0, nothing.
  [[nodiscard]] std::uint32_t blocked_on() const noexcept { return blocked_on_; }
  // Why it failed, for a log.
  [[nodiscard]] const std::string& fault() const noexcept { return fault_; }
  // Says goodbye, if there is room for it.
  void close() noexcept;

 private:
  struct release {
    void operator()(ssl_st* ssl) const noexcept;
  };
  tls_layer(boost::asio::ssl::context& context, int fd, bool as_server);
  void begin() noexcept;
  [[nodiscard]] io_result stopped(int returned);

  std::unique_ptr<ssl_st, release> ssl_;
  std::uint32_t blocked_on_ = 0;
  bool holds_bytes_ = false;
  std::string fault_;
};

}  // namespace mongocached::daemon
