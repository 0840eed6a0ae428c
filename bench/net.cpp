#include "bench/net.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <stdexcept>
#include <system_error>

namespace mongocached::bench {
namespace {

constexpr int listen_backlog = 1024;
constexpr int blocking_timeout_seconds = 10;

void set_option(int fd, int level, int name, int value) {
  if (::setsockopt(fd, level, name, &value, sizeof value) != 0) fail_with_errno("setsockopt");
}

sockaddr_in address_of(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    throw std::runtime_error("no numeric IPv4 address: " + host);
  }
  return address;
}

}  // namespace

void fail_with_errno(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

unique_fd& unique_fd::operator=(unique_fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void unique_fd::reset() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

endpoint parse_endpoint(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) throw std::runtime_error("HOST:PORT expected: " + text);
  endpoint out{text.substr(0, colon), 0};
  const char* first = text.data() + colon + 1;
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(first, last, out.port);
  if (error != std::errc{} || end != last) throw std::runtime_error("bad port: " + text);
  return out;
}

unique_fd listen_on_loopback(std::uint16_t port) {
  unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) fail_with_errno("socket");
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  const sockaddr_in address = address_of("127.0.0.1", port);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail_with_errno("bind");
  if (::listen(fd.get(), listen_backlog) != 0) fail_with_errno("listen");
  return fd;
}

std::uint16_t local_port(const unique_fd& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) fail_with_errno("getsockname");
  return ntohs(address.sin_port);
}

unique_fd connect_to(const endpoint& target) {
  unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) fail_with_errno("socket");
  const timeval timeout{blocking_timeout_seconds, 0};
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0) fail_with_errno("setsockopt");
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) != 0) fail_with_errno("setsockopt");
  const sockaddr_in address = address_of(target.host, target.port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail_with_errno("connect");
  set_no_delay(fd.get());
  return fd;
}

void set_no_delay(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

void set_quick_ack(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_QUICKACK, 1);
}

void set_busy_poll(int fd, int microseconds) {
  set_option(fd, SOL_SOCKET, SO_BUSY_POLL, microseconds);
}

void set_non_blocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) fail_with_errno("fcntl");
}

void set_blocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0) fail_with_errno("fcntl");
}

void pin_thread(int core) {
  if (core < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(core), &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) fail_with_errno("sched_setaffinity");
}

void announce_ready(std::uint16_t port) {
  std::printf("ready %u\n", static_cast<unsigned>(port));
  std::fflush(stdout);
}

}  // namespace mongocached::bench
