// Readiness of client and upstream sockets, level-triggered: a socket is registered once and then costs no system call
// of its own, where Asio's reactor needs one (epoll_ctl) for every message waited for. The poller's own descriptor
// hangs in the io_context like any other, and many sockets are served for one wake-up of it. One thread.
//
// A wake-up by Asio takes three system calls where one would do (its epoll_wait, ours, and an epoll_ctl to be woken
// again). So while events come in close together and no coroutine waits for anything else (outside_wait), the poller
// waits for them itself. It goes back to Asio within a millisecond all the same, and at once when it is woken: what is
// posted to the io_context meanwhile waits no longer than that.
#pragma once

#include <atomic>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <chrono>
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
  // What was posted to the io_context before is done now, before what becomes ready from here on. From any thread.
  void wake() noexcept;
  // `fd` is served by Asio on this thread: goes back to it when there is something to read.
  [[nodiscard]] bool heed(int fd) noexcept;
  [[nodiscard]] executor get_executor() noexcept { return epoll_.get_executor(); }

  // False if the kernel refuses (then the descriptor cannot be served). Closing a descriptor removes it.
  [[nodiscard]] bool add(int fd, poll_target& target, std::uint32_t events) noexcept;
  void change(int fd, poll_target& target, std::uint32_t events) noexcept;
  void remove(int fd) noexcept;
  // Keeps a target whose descriptor was closed until the next batch has been told: this one may still name it.
  void retire(std::shared_ptr<void> target) { retired_.push_back(std::move(target)); }

 private:
  class bell final : public poll_target {
   public:
    bell();
    ~bell();
    bell(const bell&) = delete;
    bell& operator=(const bell&) = delete;
    [[nodiscard]] int descriptor() const noexcept { return fd_; }
    void ring() const noexcept;
    void on_events(std::uint32_t) override { rung = true; }
    bool rung = false;

   private:
    int fd_;
  };

  void wait();
  void serve();
  // Serves one batch; how many there were, or not above 0: none, or woken and they are left for later.
  int serve_batch(int timeout_ms);

  bell bell_;
  std::atomic<bool> woken_{false};
  asio::posix::basic_stream_descriptor<executor> epoll_;
  std::chrono::steady_clock::time_point served_;  // when the last batch had been served
  const std::function<void()> after_batch_;
  std::vector<std::shared_ptr<void>> retired_;
  bool stopped_ = false;
};

}  // namespace mongocached::daemon
