// Sockets for the benchmark tools: loopback TCP, no library between the tool and the kernel.
// Every function that cannot do its job throws std::system_error or std::runtime_error: a tool that cannot measure
// ends.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mongocached::bench {

// Owns one file descriptor.
class unique_fd {
 public:
  unique_fd() noexcept = default;
  explicit unique_fd(int fd) noexcept : fd_(fd) {}
  unique_fd(unique_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  unique_fd& operator=(unique_fd&& other) noexcept;
  unique_fd(const unique_fd&) = delete;
  unique_fd& operator=(const unique_fd&) = delete;
  ~unique_fd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

struct endpoint {
  std::string host;  // numeric IPv4 address
  std::uint16_t port = 0;
};
// "127.0.0.1:27017".
[[nodiscard]] endpoint parse_endpoint(const std::string& text);

// Listens on 127.0.0.1 with SO_REUSEPORT, so that each thread can have a listener of its own; port 0 lets the kernel
// choose. Non-blocking.
[[nodiscard]] unique_fd listen_on_loopback(std::uint16_t port);
[[nodiscard]] std::uint16_t local_port(const unique_fd& socket);

// Connected, TCP_NODELAY set, still blocking, with receive and send timeouts of ten seconds.
[[nodiscard]] unique_fd connect_to(const endpoint& target);
void set_no_delay(int fd);
void set_non_blocking(int fd);
void set_blocking(int fd);
void set_quick_ack(int fd);
void set_busy_poll(int fd, int microseconds);

// Keeps the calling thread on one core; a negative core leaves it where the scheduler wants it.
void pin_thread(int core);

// Prints "ready PORT" on standard output: the line that the runner waits for.
void announce_ready(std::uint16_t port);

[[noreturn]] void fail_with_errno(const char* what);

}  // namespace mongocached::bench
