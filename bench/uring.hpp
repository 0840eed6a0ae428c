// io_uring, as thin as its benchmark needs: a ring that submits everything prepared with the one call that also waits,
// and a ring of buffers that receives take from. Everything on the thread that made it, the kernel insists; what is
// prepared names its owner in `user_data`.
#pragma once

#include <liburing.h>

#include <stdexcept>
#include <vector>

#include "protocol/bytes.hpp"

namespace mongocached::bench {

// This kernel or the rules of this machine do not give us io_uring, or not what we asked of it.
class no_uring : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
// The exit status of a tool that met it: nothing to measure here, and nothing wrong with the tool.
inline constexpr int exit_without_uring = 77;

struct uring_options {
  bool sqpoll = false;      // a thread of the kernel takes submissions, so that submitting is no system call
  bool multishot = true;    // one accept and one receive a connection for all its bytes, into provided buffers
  unsigned entries = 4096;  // submissions at a time, and provided buffers
};

class uring {
 public:
  explicit uring(const uring_options& options);  // throws no_uring
  uring(const uring&) = delete;
  uring& operator=(const uring&) = delete;
  ~uring();

  // An entry to be filled in; what is prepared is submitted first where the queue is full.
  [[nodiscard]] io_uring_sqe& prepare();
  // Submits, and waits for at least one completion, unless a signal comes first.
  void submit_and_wait();
  template <class F>
  void for_each_completion(F&& f) {
    unsigned head = 0;
    unsigned count = 0;
    io_uring_cqe* c = nullptr;
    io_uring_for_each_cqe(&ring_, head, c) {
      f(*c);
      ++count;
    }
    io_uring_cq_advance(&ring_, count);
  }
  [[nodiscard]] io_uring& native() noexcept { return ring_; }

 private:
  io_uring ring_{};
};

// Receives that name `group` take their bytes' place from here; who got one gives it back.
class provided_buffers {
 public:
  static constexpr int group = 0;
  static constexpr std::size_t size = 4096;  // bytes of each

  provided_buffers(uring& ring, unsigned count);  // a power of two, at most 32 768; throws no_uring
  provided_buffers(const provided_buffers&) = delete;
  provided_buffers& operator=(const provided_buffers&) = delete;
  ~provided_buffers();

  [[nodiscard]] static unsigned id_of(const io_uring_cqe& c) noexcept { return c.flags >> IORING_CQE_BUFFER_SHIFT; }
  // The bytes that a receive has put into buffer `id`; valid until it is given back.
  [[nodiscard]] protocol::byte_view bytes(unsigned id, std::size_t used) const noexcept {
    return {bytes_.data() + id * size, used};
  }
  void give_back(unsigned id) noexcept;

 private:
  uring& ring_;
  unsigned count_;
  std::vector<std::uint8_t> bytes_;
  io_uring_buf_ring* queue_ = nullptr;
};

}  // namespace mongocached::bench
