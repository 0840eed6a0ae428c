// The replies of one socket that the kernel may still read (MSG_ZEROCOPY): each is kept until the socket's error queue
// says that it has left.
//
// A connection that is closed with replies in the queue frees them: its peer may then get other bytes than were sent,
// on a connection that has failed anyway.
#pragma once

#include <deque>

#include "protocol/message.hpp"

namespace mongocached::bench {

struct zerocopy_counts {
  std::uint64_t sends = 0;
  std::uint64_t copied = 0;  // of which the kernel said that it copied them after all
};

class zerocopy_queue {
 public:
  // Throws where the socket cannot do it. `counts` outlives the queue.
  zerocopy_queue(int fd, zerocopy_counts& counts);

  // Behind each send with the flag that took bytes.
  void count_send() noexcept {
    ++sends_;
    ++counts_.sends;
  }
  // The reply that the last sends have taken; returns an empty buffer for the next, one with room if there is.
  [[nodiscard]] protocol::byte_buffer exchange(protocol::byte_buffer sent);
  // Reads the error queue; false if nothing was in it.
  bool collect(int fd);

 private:
  void left(std::uint32_t last);

  struct leaving {
    std::uint32_t last_send;
    protocol::byte_buffer bytes;
  };
  zerocopy_counts& counts_;
  std::uint32_t sends_ = 0;  // the kernel numbers them so, from 0
  std::deque<leaving> leaving_;
  std::vector<protocol::byte_buffer> spare_;
};

}  // namespace mongocached::bench
