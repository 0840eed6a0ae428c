// A connected socket, of a client or to the upstream, plain or under TLS: served by the thread's poller, awaited only
// where it will not take or give bytes at once. One thread.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "daemon/io_result.hpp"
#include "daemon/poller.hpp"
#include "daemon/task.hpp"
#include "daemon/tls_layer.hpp"
#include "protocol/bytes.hpp"

namespace mongocached::daemon {

class polled_socket final : private poll_target {
 public:
  using result = io_result;

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

  // From now on everything passes through `tls`, which was made for this descriptor.
  void use(std::unique_ptr<tls_layer> tls) noexcept { tls_ = std::move(tls); }
  // Null: plain.
  [[nodiscard]] tls_layer* tls() noexcept { return tls_.get(); }
  [[nodiscard]] int descriptor() const noexcept { return fd_; }

  [[nodiscard]] result receive(std::span<std::uint8_t> into);
  // A try that would block is repeated with the same bytes.
  [[nodiscard]] result send(protocol::byte_view bytes);
  // Whether the peer is gone, without taking anything.
  [[nodiscard]] bool peer_left();

  // To be awaited, at most one of the two at a time. They return when there is a chance (from within the poller's
  // batch), or the socket was closed; at once if the caller is `ready` without.
  [[nodiscard]] auto readable(bool ready = false) noexcept { return chance(*this, true, ready); }
  [[nodiscard]] auto writable() noexcept { return chance(*this, false, false); }

 private:
  class chance {
   public:
    chance(polled_socket& socket, bool to_read, bool ready) noexcept
        : socket_(socket), to_read_(to_read), ready_(ready) {}
    [[nodiscard]] bool await_ready() const noexcept {
      return ready_ || !socket_.is_open() || (to_read_ && socket_.holds_bytes());
    }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> at) {
      socket_.wait(to_read_, suspended(at));
    }
    void await_resume() const noexcept {}

   private:
    polled_socket& socket_;
    const bool to_read_;
    const bool ready_;
  };

  void on_events(std::uint32_t events) override;
  void update();
  [[nodiscard]] std::uint32_t wanted_events() const noexcept;
  void wait(bool to_read, suspended waiting);
  [[nodiscard]] bool holds_bytes() const noexcept { return tls_ && tls_->holds_bytes(); }

  poller& poller_;
  int fd_;
  const std::function<void()> on_readable_;
  bool reading_ = true;
  bool removed_ = false;       // from the poller: the peer reset while nobody read
  std::uint32_t awaited_ = 0;  // what a coroutine waits for
  std::uint32_t registered_ = 0;
  suspended waiting_;
  std::unique_ptr<tls_layer> tls_;
};

}  // namespace mongocached::daemon
