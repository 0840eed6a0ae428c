// A connection as bytes, plain or TLS; one thread. Every operation ends when close() is called (by whoever keeps the
// deadline), with an error; a stream that failed once is closed and never reused.
#pragma once

#include <boost/asio/buffer.hpp>
#include <memory>
#include <span>

#include "daemon/asio_types.hpp"
#include "protocol/bytes.hpp"

namespace boost::asio::ssl {
class context;
}

namespace mongocached::daemon {

class byte_stream {
 public:
  explicit byte_stream(tcp_socket socket);
  ~byte_stream();
  byte_stream(const byte_stream&) = delete;
  byte_stream& operator=(const byte_stream&) = delete;

  // Client side of a TLS handshake; `host` is checked against the certificate unless empty, and sent as SNI where it is
  // a name.
  [[nodiscard]] task<error_code> start_tls(asio::ssl::context& context, const std::string& host, bool check_host);

  // At least one byte, or an error (end of stream is asio::error::eof).
  [[nodiscard]] task<std::size_t> read_some(std::span<std::uint8_t> into, error_code& ec);
  [[nodiscard]] task<error_code> write(protocol::byte_view bytes);
  void close() noexcept;

  // The peer closed, or sent something although nothing was asked. Asks the kernel, does not wait.
  [[nodiscard]] bool broke_silence() noexcept;
  [[nodiscard]] tcp_socket& socket() noexcept;
  [[nodiscard]] bool is_open() const noexcept;

 private:
  struct tls;
  tcp_socket socket_;
  std::unique_ptr<tls> tls_;
};

// TCP_NODELAY and keepalive (60 s idle, then 5 probes 10 s apart), for every connection of the daemon.
void set_socket_options(tcp_socket& socket) noexcept;

}  // namespace mongocached::daemon
