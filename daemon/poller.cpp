#include "daemon/poller.hpp"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace mongocached::daemon {
namespace {

constexpr int batch_size = 128;
// Batches served in one go before the rest of the thread's work (upstream, Redis, timers) gets its turn.
constexpr int batches_in_a_row = 4;
// Behind fewer events than this the next look would most likely find nothing.
constexpr int few = 4;

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

void poller::serve() {
  std::array<epoll_event, batch_size> ready;
  for (int round = 0; round < batches_in_a_row; ++round) {
    const int count = ::epoll_wait(epoll_.native_handle(), ready.data(), batch_size, 0);
    if (count <= 0) return;
    for (int i = 0; i < count; ++i) {
      static_cast<poll_target*>(ready[static_cast<std::size_t>(i)].data.ptr)
          ->on_events(ready[static_cast<std::size_t>(i)].events);
    }
    after_batch_();
    retired_.clear();
    if (count < few) return;
  }
}

}  // namespace mongocached::daemon
