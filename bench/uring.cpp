#include "bench/uring.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace mongocached::bench {
namespace {

constexpr unsigned sqpoll_idle_ms = 50;  // that the kernel's thread spins without a submission

std::string problem(const char* what, int error) {
  return std::string("io_uring is not available here: ") + what + ": " + std::strerror(error);
}

std::size_t queue_bytes(unsigned count) noexcept {
  return count * sizeof(io_uring_buf);
}

}  // namespace

uring::uring(const uring_options& options) {
  io_uring_params p{};
  if (options.sqpoll) {
    p.flags = IORING_SETUP_SQPOLL;
    p.sq_thread_idle = sqpoll_idle_ms;
  } else {
    // Completions are only made while we wait for them: no interrupt of our own work (Linux 6.1).
    p.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  }
  p.flags |= IORING_SETUP_CQSIZE;
  p.cq_entries = 4 * options.entries;
  const int error = io_uring_queue_init_params(options.entries, &ring_, &p);
  if (error != 0) throw no_uring(problem("io_uring_setup", -error));
}

uring::~uring() {
  io_uring_queue_exit(&ring_);
}

io_uring_sqe& uring::prepare() {
  for (;;) {
    if (io_uring_sqe* entry = io_uring_get_sqe(&ring_)) return *entry;
    // With SQPOLL the kernel's thread makes room.
    const int taken = io_uring_submit(&ring_);
    if (taken < 0 && taken != -EBUSY) throw std::runtime_error(problem("io_uring_submit", -taken));
    if ((ring_.flags & IORING_SETUP_SQPOLL) != 0) io_uring_sqring_wait(&ring_);
  }
}

void uring::submit_and_wait() {
  const int taken = io_uring_submit_and_wait(&ring_, 1);
  // EBUSY: completions are to be taken first.
  if (taken < 0 && taken != -EINTR && taken != -EBUSY) throw std::runtime_error(problem("io_uring_enter", -taken));
}

provided_buffers::provided_buffers(uring& ring, unsigned count) : ring_(ring), count_(count), bytes_(count * size) {
  void* memory = ::mmap(nullptr, queue_bytes(count), PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  queue_ = static_cast<io_uring_buf_ring*>(memory);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
  registration.ring_entries = count;
  registration.bgid = group;
  const int error = io_uring_register_buf_ring(&ring.native(), &registration, 0);
  if (error != 0) {
    ::munmap(memory, queue_bytes(count));
    throw no_uring(problem("io_uring_register_buf_ring", -error));
  }
  for (unsigned id = 0; id < count; ++id) give_back(id);
}

provided_buffers::~provided_buffers() {
  io_uring_unregister_buf_ring(&ring_.native(), group);
  ::munmap(queue_, queue_bytes(count_));
}

void provided_buffers::give_back(unsigned id) noexcept {
  const auto number = static_cast<unsigned short>(id);
  const auto mask = static_cast<int>(count_ - 1);
  io_uring_buf_ring_add(queue_, bytes_.data() + id * size, static_cast<unsigned>(size), number, mask, 0);
  io_uring_buf_ring_advance(queue_, 1);
}

}  // namespace mongocached::bench
