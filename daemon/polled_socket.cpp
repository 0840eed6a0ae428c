#include "daemon/polled_socket.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <cerrno>

namespace mongocached::daemon {
namespace {

polled_socket::result outcome_of(ssize_t got) noexcept {
  using state = polled_socket::result::state;
  if (got >= 0) return {static_cast<std::size_t>(got), state::ok};
  return {0, errno == EAGAIN || errno == EINTR ? state::would_block : state::failed};
}

}  // namespace

polled_socket::polled_socket(poller& poller, int fd, std::function<void()> on_readable)
    : poller_(poller), fd_(fd), on_readable_(std::move(on_readable)) {}

bool polled_socket::open() {
  registered_ = EPOLLIN;
  return poller_.add(fd_, *this, registered_);
}

// NOLINTNEXTLINE(bugprone-exception-escape): without memory for a handler the process ends here.
void polled_socket::close() noexcept {
  if (fd_ < 0) return;
  if (tls_) tls_->close();
  ::close(std::exchange(fd_, -1));
  awaited_ = 0;
  // Not from in here: who closes has not finished.
  if (waiting_) asio::post(poller_.get_executor(), std::move(waiting_));
}

void polled_socket::reading(bool wanted) {
  reading_ = wanted;
  // Holding back costs nothing unless the client does send meanwhile: see on_events().
  if (wanted) update();
}

std::uint32_t polled_socket::wanted_events() const noexcept {
  if (awaited_ != 0) return awaited_;
  if (!reading_) return 0;
  // Of bytes that the TLS layer holds already the kernel would say nothing, but that there is room to send comes at
  // once.
  const bool at_once = tls_ && (tls_->holds_bytes() || tls_->blocked_on() == EPOLLOUT);
  return at_once ? std::uint32_t{EPOLLIN} | EPOLLOUT : std::uint32_t{EPOLLIN};
}

void polled_socket::update() {
  const std::uint32_t wanted = wanted_events();
  if (fd_ < 0 || (wanted == registered_ && !removed_)) return;
  registered_ = wanted;
  if (std::exchange(removed_, false)) {
    static_cast<void>(poller_.add(fd_, *this, wanted));
  } else {
    poller_.change(fd_, *this, wanted);
  }
}

void polled_socket::on_events(std::uint32_t events) {
  if (fd_ < 0) return;
  if (awaited_ != 0 && (events & (awaited_ | EPOLLERR | EPOLLHUP)) != 0) {
    awaited_ = 0;
    if (auto waiting = std::move(waiting_)) waiting();
  } else if (awaited_ == 0 && reading_) {
    on_readable_();
    if (tls_) update();
  } else if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    // These cannot be masked: a peer that reset while its request is under way would wake us for ever.
    poller_.remove(fd_);
    removed_ = true;
  } else {
    registered_ = awaited_;
    poller_.change(fd_, *this, awaited_);
  }
}

polled_socket::result polled_socket::receive(std::span<std::uint8_t> into) {
  if (tls_) return tls_->receive(into);
  const auto got = ::recv(fd_, into.data(), into.size(), MSG_DONTWAIT);
  if (got == 0) return {0, result::state::ended};
  return outcome_of(got);
}

polled_socket::result polled_socket::send(protocol::byte_view bytes) {
  if (tls_) return tls_->send(bytes);
  return outcome_of(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

bool polled_socket::peer_left() {
  if (tls_) {
    const auto how = tls_->peek().how;
    return how == result::state::ended || how == result::state::failed;
  }
  std::uint8_t byte = 0;
  const auto got = ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

void polled_socket::wait(bool to_read, suspended waiting) {
  waiting_ = std::move(waiting);
  awaited_ = to_read ? EPOLLIN : EPOLLOUT;
  if (tls_ && tls_->blocked_on() != 0) awaited_ = tls_->blocked_on();
  update();
}

}  // namespace mongocached::daemon
