// The buffers of messages that went through, for those that come: a data thread's. What is large, and what more than
// `most` would be, goes back to the heap. Under AddressSanitizer nothing is kept, so that it sees every use of a dead
// message.
#pragma once

#include <utility>
#include <vector>

#include "protocol/block_pool.hpp"
#include "protocol/bytes.hpp"

namespace mongocached::daemon {

class spare_buffers {
 public:
  static constexpr std::size_t most = 64;
  static constexpr std::size_t largest = 4UL * 1024;

  spare_buffers() { spare_.reserve(most); }

  // Empty; with room, if there is one to spare.
  [[nodiscard]] protocol::byte_buffer take() noexcept {
    if (spare_.empty()) return {};
    auto out = std::move(spare_.back());
    spare_.pop_back();
    return out;
  }
  void give(protocol::byte_buffer&& buffer) noexcept {
    if (buffer.capacity() == 0 || buffer.capacity() > largest || spare_.size() == kept) return;
    buffer.clear();
    spare_.push_back(std::move(buffer));
  }

 private:
#ifdef MONGOCACHED_WATCHES_BLOCKS
  static constexpr std::size_t kept = 0;
#else
  static constexpr std::size_t kept = most;
#endif
  std::vector<protocol::byte_buffer> spare_;
};

}  // namespace mongocached::daemon
