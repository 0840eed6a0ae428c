// Received bytes that are not yet consumed. Grows with what arrived, never with what a peer announced, and gives its
// memory back when it is empty. One thread; views into it end with the next prepare(), consume() or release().
#pragma once

#include <span>

#include "protocol/message.hpp"

namespace mongocached::daemon {

class message_buffer {
 public:
  // Room for at least `size` more bytes.
  [[nodiscard]] std::span<std::uint8_t> prepare(std::size_t size) {
    if (begin_ == end_) begin_ = end_ = 0;
    if (bytes_.size() - end_ < size) {
      if (begin_ > 0) {
        std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
      }
      if (bytes_.size() - end_ < size) bytes_.resize(end_ + size);
    }
    return {bytes_.data() + end_, bytes_.size() - end_};
  }
  void commit(std::size_t size) noexcept { end_ += size; }
  void append(protocol::byte_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(prepare(bytes.size()).data(), bytes.data(), bytes.size());
    commit(bytes.size());
  }

  [[nodiscard]] protocol::byte_view data() const noexcept { return {bytes_.data() + begin_, end_ - begin_}; }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return bytes_.size(); }  // memory that it has
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  void consume(std::size_t size) noexcept { begin_ += size; }
  // Gives the memory back if nothing is held.
  void release() noexcept {
    if (empty()) {
      bytes_ = protocol::byte_buffer();
      begin_ = end_ = 0;
    }
  }

 private:
  protocol::byte_buffer bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace mongocached::daemon
