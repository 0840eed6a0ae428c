// What an eviction policy knows of a cached object, and the queues that it keeps them in.
//
// A hook sits inside the object (no allocation, one place in memory). It belongs to one policy from `add` to `remove`
// or `victim`; whoever owns the policy guards both with one lock.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mongocached::cache {

struct eviction_hook {
  eviction_hook* previous = nullptr;
  eviction_hook* next = nullptr;
  std::uint64_t hash = 0;   // of the key
  std::uint32_t bytes = 0;  // charged to the budget
  std::uint8_t queue = 0;   // the policy's own; 0: in none
  std::uint8_t hits = 0;    // the policy's own
};

// A ring through a sentinel: new hooks at the front, the oldest at the back. Owns nothing.
class eviction_queue {
 public:
  eviction_queue() noexcept { ends_.previous = ends_.next = &ends_; }
  eviction_queue(const eviction_queue&) = delete;
  eviction_queue& operator=(const eviction_queue&) = delete;

  void push_front(eviction_hook& hook) noexcept {
    hook.previous = &ends_;
    hook.next = ends_.next;
    ends_.next->previous = &hook;
    ends_.next = &hook;
    bytes_ += hook.bytes;
    ++size_;
  }

  void remove(eviction_hook& hook) noexcept {
    hook.previous->next = hook.next;
    hook.next->previous = hook.previous;
    hook.previous = hook.next = nullptr;
    bytes_ -= hook.bytes;
    --size_;
  }

  [[nodiscard]] eviction_hook* front() noexcept { return size_ == 0 ? nullptr : ends_.next; }
  [[nodiscard]] eviction_hook* back() noexcept { return size_ == 0 ? nullptr : ends_.previous; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  eviction_hook ends_;
  std::uint64_t bytes_ = 0;
  std::size_t size_ = 0;
};

}  // namespace mongocached::cache
