// A client on a loopback socket that speaks in whole messages, or in any bytes a test likes. Blocking; a peer that says
// nothing for half a minute counts as one that closed.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "protocol/op_query.hpp"
#include "support/message_builders.hpp"

namespace mongocached::test_support {

inline bool write_all(int fd, byte_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

inline bool read_exactly(int fd, std::uint8_t* to, std::size_t size) {
  while (size > 0) {
    const auto got = ::recv(fd, to, size, 0);
    if (got <= 0) return false;
    to += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

inline bool read_message(int fd, byte_buffer& out) {
  out.resize(protocol::header_size);
  if (!read_exactly(fd, out.data(), out.size())) return false;
  protocol::message_header header;
  if (protocol::read_header(out, header) != protocol::frame_error::none) return false;
  out.resize(static_cast<std::size_t>(header.length));
  return read_exactly(fd, out.data() + protocol::header_size, out.size() - protocol::header_size);
}

class loopback_client {
 public:
  explicit loopback_client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::logic_error("nobody listens on the port that the test relies on");
    }
    const timeval patience{.tv_sec = 30, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const int yes = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  }
  ~loopback_client() { ::close(fd_); }
  loopback_client(const loopback_client&) = delete;
  loopback_client& operator=(const loopback_client&) = delete;

  void send(byte_view bytes) { write_all(fd_, bytes); }
  void send(const document& command, message_options with = {}) { send(op_msg_message(command, with)); }

  // The next message; empty once the peer closed.
  byte_buffer receive() {
    byte_buffer out;
    if (!read_message(fd_, out)) out.clear();
    return out;
  }
  // The body of the next message, OP_MSG or OP_REPLY; throws if there is none.
  document reply() { return body_of(receive()); }
  document ask(const document& command, message_options with = {}) {
    send(command, with);
    return reply();
  }
  [[nodiscard]] bool is_closed_by_peer() { return receive().empty(); }

  static document body_of(const byte_buffer& message) {
    if (message.size() < protocol::header_size) throw std::logic_error("the connection was closed in place of a reply");
    protocol::op_msg parsed;
    protocol::op_reply legacy;
    const bool is_msg = protocol::load_le<std::int32_t>(message.data() + 12) == 2013;
    if (is_msg ? protocol::parse_op_msg(message, parsed) != protocol::op_msg_error::none
               : !protocol::parse_op_reply(message, legacy)) {
      throw std::logic_error("the reply is no reply");
    }
    const auto body = (is_msg ? parsed.body : legacy.document).bytes();
    return document(byte_buffer(body.begin(), body.end()));
  }
  static std::int32_t response_to(const byte_buffer& message) {
    return protocol::load_le<std::int32_t>(message.data() + 8);
  }

 private:
  int fd_;
};

}  // namespace mongocached::test_support
