// A connected socket, of a client or to the upstream: served by the thread's poller, awaited only where it will not
// take or give bytes at once. One thread.
#pragma once

#include <functional>
#include <span>

#include "daemon/poller.hpp"
#include "daemon/task.hpp"
#include "protocol/bytes.hpp"

namespace mongocached::daemon {

class polled_socket final : private poll_target {
 public:
  // Owns `fd`, which is non-blocking. `on_readable` is called when there is something to read and nobody awaits it,
  // until it was read; `reading(false)` holds it back.
  polled_socket(poller& poller, int fd, std::function<void()> on_readable);
  // NOLINTNEXTLINE(bugprone-exception-escape)
  ~polled_socket() { close(); }
  polled_socket(const polled_socket&) = delete;
  polled_socket& operator=(const polled_socket&) = delete;

  [[nodiscard]] bool open();  // registers it; false if the kernel refuses
  void reading(bool wanted);
  // NOLINTNEXTLINE(bugprone-exception-escape)
  void close() noexcept;  // ends what is awaited
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }

  struct result {
    std::size_t size = 0;
    enum class state : std::uint8_t { ok, would_block, ended, failed } how = state::ok;
  };
  [[nodiscard]] result receive(std::span<std::uint8_t> into) noexcept;
  [[nodiscard]] result send(protocol::byte_view bytes) noexcept;
  // Asks the kernel whether the peer is gone, without taking anything.
  [[nodiscard]] bool peer_left() const noexcept;

  // To be awaited, at most one of the two at a time. They return when there is a chance (from within the poller's
  // batch), or the socket was closed.
  [[nodiscard]] auto readable() noexcept { return chance(*this, true); }
  [[nodiscard]] auto writable() noexcept { return chance(*this, false); }

 private:
  class chance {
   public:
    chance(polled_socket& socket, bool to_read) noexcept : socket_(socket), to_read_(to_read) {}
    [[nodiscard]] bool await_ready() const noexcept { return !socket_.is_open(); }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> at) {
      socket_.wait(to_read_, suspended(at));
    }
    void await_resume() const noexcept {}

   private:
    polled_socket& socket_;
    const bool to_read_;
  };

  void on_events(std::uint32_t events) override;
  void update();
  void wait(bool to_read, suspended waiting);

  poller& poller_;
  int fd_;
  const std::function<void()> on_readable_;
  bool reading_ = true;
  bool removed_ = false;       // from the poller: the peer reset while nobody read
  std::uint32_t awaited_ = 0;  // what a coroutine waits for
  std::uint32_t registered_ = 0;
  suspended waiting_;
};

}  // namespace mongocached::daemon
