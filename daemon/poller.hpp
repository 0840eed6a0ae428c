// Readiness of client and upstream sockets, level-triggered: a socket is registered once and then costs no system call
// of its own, where Asio's reactor needs one (epoll_ctl) for every message waited for. The poller's own descriptor
// hangs in the io_context like any other, and many sockets are served for one wake-up of it. One thread.
#pragma once

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "daemon/asio_types.hpp"

namespace mongocached::daemon {

class poll_target {
 public:
  // `events` as epoll_wait(2) gives them. Must not throw; may remove and close any descriptor.
  virtual void on_events(std::uint32_t events) = 0;

 protected:
  ~poll_target() = default;
};

class poller {
 public:
  // `after_batch` runs when all targets of one wake-up were told. A target must live until then after its descriptor
  // was closed. Throws std::runtime_error if the kernel gives no descriptor.
  poller(asio::io_context& context, std::function<void()> after_batch);

  void start();
  void stop();
  [[nodiscard]] executor get_executor() noexcept { return epoll_.get_executor(); }

  // False if the kernel refuses (then the descriptor cannot be served). Closing a descriptor removes it.
  [[nodiscard]] bool add(int fd, poll_target& target, std::uint32_t events) noexcept;
  void change(int fd, poll_target& target, std::uint32_t events) noexcept;
  void remove(int fd) noexcept;
  // Keeps a target whose descriptor was closed until the next batch has been told: this one may still name it.
  void retire(std::shared_ptr<void> target) { retired_.push_back(std::move(target)); }

 private:
  void wait();
  void serve();

  asio::posix::basic_stream_descriptor<executor> epoll_;
  const std::function<void()> after_batch_;
  std::vector<std::shared_ptr<void>> retired_;
  bool stopped_ = false;
};

}  // namespace mongocached::daemon
