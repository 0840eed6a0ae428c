#include "daemon/poller.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <span>
#include <stdexcept>
#include <system_error>

#include "daemon/outside_wait.hpp"

namespace mongocached::daemon {
namespace {

constexpr int batch_size = 128;
// Batches served in one go before the rest of the thread's work (upstream, Redis, timers) gets its turn.
constexpr int batches_in_a_row = 4;
// Behind fewer events than this the next look would most likely find nothing.
constexpr int few = 4;
// How long the poller waits for its sockets by itself, and within what time of the last wake-up the next has to come
// for it to do so.
constexpr std::chrono::milliseconds longest_stay(1);

int new_epoll() {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) throw std::runtime_error("cannot make an epoll descriptor: " + std::generic_category().message(errno));
  return fd;
}

epoll_event event_for(poll_target& target, std::uint32_t events) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &target;
  return event;
}

}  // namespace

poller::poller(asio::io_context& context, std::function<void()> after_batch)
    : epoll_(context.get_executor(), new_epoll()), after_batch_(std::move(after_batch)) {}

void poller::start() {
  if (!heed(bell_.descriptor())) throw std::runtime_error("cannot watch an eventfd");
  wait();
}

void poller::stop() {
  stopped_ = true;  // a wake-up may be on its way already, and must be the last
  error_code ignored;
  epoll_.cancel(ignored);
}

bool poller::add(int fd, poll_target& target, std::uint32_t events) noexcept {
  auto event = event_for(target, events);
  return ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void poller::change(int fd, poll_target& target, std::uint32_t events) noexcept {
  auto event = event_for(target, events);
  ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_MOD, fd, &event);
}

void poller::remove(int fd) noexcept {
  ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_DEL, fd, nullptr);
}

void poller::wait() {
  if (stopped_) return;
  epoll_.async_wait(asio::posix::descriptor_base::wait_read, [this](const error_code& ec) {
    if (ec) return;
    serve();
    wait();
  });
}

int poller::serve_batch(int timeout_ms) {
  std::array<epoll_event, batch_size> ready;
  const int count = ::epoll_wait(epoll_.native_handle(), ready.data(), batch_size, timeout_ms);
  // The bell may come behind a socket that has been in the kernel's list since before it rang: none is served then.
  if (woken_) {
    woken_ = false;
    return 0;
  }
  if (count <= 0) return count;
  for (const auto& event : std::span(ready).first(static_cast<std::size_t>(count))) {
    static_cast<poll_target*>(event.data.ptr)->on_events(event.events);
    if (bell_.rung) break;  // what came later waits until Asio has served its own, and is told again
  }
  after_batch_();
  retired_.clear();
  return count;
}

void poller::serve() {
  using clock = std::chrono::steady_clock;
  const auto begun = clock::now();
  const bool lively = begun - served_ < longest_stay;
  int timeout_ms = 0;
  bell_.rung = false;
  for (int round = 1; !stopped_ && !bell_.rung; ++round) {
    const int count = serve_batch(timeout_ms);
    if (count <= 0) return;
    served_ = clock::now();
    if (lively && !outside_wait::any()) {
      if (served_ - begun >= longest_stay) return;
      timeout_ms = 1;
    } else {
      if (count < few || round >= batches_in_a_row) return;
      timeout_ms = 0;
    }
  }
}

poller::bell::bell() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (fd_ < 0) throw std::runtime_error("cannot make an eventfd: " + std::generic_category().message(errno));
}

poller::bell::~bell() {
  ::close(fd_);
}

// Registered edge-triggered: each ring is told once, and nothing need be read.
void poller::bell::ring() const noexcept {
  const std::uint64_t once = 1;
  static_cast<void>(::write(fd_, &once, sizeof once));
}

bool poller::heed(int fd) noexcept {
  return add(fd, bell_, EPOLLIN | EPOLLET);
}

void poller::wake() noexcept {
  woken_ = true;
  bell_.ring();
}

}  // namespace mongocached::daemon
