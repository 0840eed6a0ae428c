// A connection to a server as bytes, plain or TLS; one thread. Every operation ends when close() is called (by whoever
// keeps the deadline), with an error; a stream that failed once is closed and never reused.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <span>

#include "daemon/polled_socket.hpp"

namespace boost::asio::ssl {
class context;
}

namespace mongocached::daemon {

class byte_stream {
 public:
  byte_stream(asio::io_context& context, poller& poller);
  ~byte_stream();
  byte_stream(const byte_stream&) = delete;
  byte_stream& operator=(const byte_stream&) = delete;

  // Where a name has several addresses, those that do not answer keep the others waiting for no longer than this in the
  // first turn, and in the second.
  static constexpr std::array patience{std::chrono::milliseconds(250), std::chrono::milliseconds(1500)};
  [[nodiscard]] task<error_code> connect(const asio::ip::basic_resolver_results<asio::ip::tcp>& addresses);
  // After connect(): one of the two.
  [[nodiscard]] error_code start_plain();
  // Client side of a TLS handshake (see tls_layer).
  [[nodiscard]] task<error_code> start_tls(asio::ssl::context& context, const std::string& host, bool check_host);

  // Behind start_plain() or start_tls(). What is there at once.
  [[nodiscard]] io_result receive(std::span<std::uint8_t> into);
  // To be awaited: returns when there may be something to receive, or the stream was closed; at once if `ready`.
  [[nodiscard]] auto readable(bool ready = false) noexcept { return socket_->readable(ready); }
  [[nodiscard]] prompt<error_code> write(protocol::byte_view bytes);
  void close() noexcept;

  // The peer closed, or sent something although nothing was asked. Does not wait.
  [[nodiscard]] bool broke_silence();
  // Why TLS could not be set up, for a log.
  [[nodiscard]] const std::string& fault() const noexcept { return fault_; }

 private:
  [[nodiscard]] task<error_code> connect_to(asio::ip::tcp::endpoint where,
                                            std::optional<std::chrono::milliseconds> at_most);
  [[nodiscard]] task<error_code> write_rest(protocol::byte_view bytes);

  poller& poller_;
  tcp_socket connecting_;                  // until one of the two
  std::shared_ptr<polled_socket> socket_;  // from then on
  bool stirred_ = false;                   // there was an event while nobody read
  bool closed_ = false;
  std::string fault_;
};

// TCP_NODELAY and keepalive (60 s idle, then 5 probes 10 s apart), for every connection of the daemon. A Unix socket
// needs none of it and ignores it.
void set_socket_options(int fd) noexcept;

}  // namespace mongocached::daemon
