// One connected socket, plain or under TLS, that is read and written the way recv() and send() do it. Plain, it costs
// one branch more than they do. One thread.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>

#include "bench/net.hpp"
#include "bench/tls_context.hpp"

struct ssl_st;

namespace mongocached::bench {

class channel {
 public:
  channel() noexcept = default;
  explicit channel(unique_fd fd) noexcept : fd_(std::move(fd)) {}

  // The handshake as a client, on a blocking socket: the certificate must be for `host`. Throws if it fails.
  void secure_as_client(const tls_context& context, const std::string& host);
  // Receiving carries out the handshake as a server.
  void secure_as_server(const tls_context& context);

  [[nodiscard]] int descriptor() const noexcept { return fd_.get(); }

  // Bytes received or sent; 0 from receive(): the peer has ended; negative: `errno` says why, EAGAIN where it would
  // block. A try to send that would block is repeated with the same bytes, and may have more behind them.
  [[nodiscard]] ssize_t receive(std::uint8_t* into, std::size_t size) {
    return tls_ ? receive_tls(into, size) : ::recv(fd_.get(), into, size, 0);
  }
  [[nodiscard]] ssize_t send(const std::uint8_t* bytes, std::size_t size) {
    return tls_ ? send_tls(bytes, size) : ::send(fd_.get(), bytes, size, MSG_NOSIGNAL);
  }
  // The last receive() left something behind of which epoll knows nothing: to be called again at once.
  [[nodiscard]] bool holds_bytes() const noexcept { return holds_bytes_; }
  void close() noexcept;

 private:
  struct release {
    void operator()(ssl_st* ssl) const noexcept;
  };
  void secure(const tls_context& context);
  ssize_t receive_tls(std::uint8_t* into, std::size_t size);
  ssize_t send_tls(const std::uint8_t* bytes, std::size_t size);
  ssize_t stopped(int returned, int waits_for);

  unique_fd fd_;
  std::unique_ptr<ssl_st, release> tls_;
  bool holds_bytes_ = false;
};

// Blocking exchange for set-up work: sends everything; reads exactly `size` bytes. They throw where they cannot.
void send_all(channel& to, const std::uint8_t* data, std::size_t size);
void receive_all(channel& from, std::uint8_t* data, std::size_t size);

}  // namespace mongocached::bench
