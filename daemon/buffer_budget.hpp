// How many bytes the process holds for its clients: requests that are not all there or with a flow, replies that are
// held whole, and what slow readers have not taken yet.
//
// Who holds bytes says so with a `held_bytes`, which gives them back when it dies. Up to `uncounted` bytes a buffer are
// free: what most requests and replies are made of costs nothing here. Bytes that are there already are always counted
// (`hold`); who can do without asks first (`try_hold`), or waits in line (`wait`), first come, first served. While
// somebody waits, try_hold() finds no room, so that the large are not starved by the small. More than the limit is
// taken for the limit: it has room once nothing else is held.
//
// All of it from any thread. A waiter is told, exactly once, by whoever gives bytes back or gives its place up; outside
// of the lock, and it must not call back.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <utility>

namespace mongocached::daemon {

class buffer_budget;

class held_bytes {
 public:
  held_bytes() noexcept = default;
  held_bytes(held_bytes&& other) noexcept
      : from_(std::exchange(other.from_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  held_bytes& operator=(held_bytes&& other) noexcept {
    std::swap(from_, other.from_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~held_bytes() { release(); }

  inline void release() noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  friend class buffer_budget;
  held_bytes(buffer_budget& from, std::size_t size) noexcept : from_(&from), size_(size) {}

  buffer_budget* from_ = nullptr;
  std::size_t size_ = 0;
};

class buffer_budget {
 public:
  static constexpr std::size_t uncounted = 4UL * 1024;
  // Told with what was granted; empty if the place was given up.
  using waiter = std::function<void(held_bytes)>;
  using place = std::uint64_t;  // in the line

  explicit buffer_budget(std::uint64_t limit) noexcept : limit_(limit) {}

  [[nodiscard]] held_bytes hold(std::size_t size) noexcept;
  // Makes `into` hold that many bytes; false if there is no room, and then nothing changes.
  [[nodiscard]] bool try_hold(held_bytes& into, std::size_t size) noexcept;
  [[nodiscard]] bool has_room(std::size_t size) const noexcept;
  [[nodiscard]] bool is_full() const noexcept { return used() >= limit(); }

  [[nodiscard]] bool is_short() const noexcept { return is_full() || in_line_.load(std::memory_order_relaxed) > 0; }

  [[nodiscard]] place wait(std::size_t size, waiter tell);
  void give_up(place at);

  [[nodiscard]] std::uint64_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t limit() const noexcept { return limit_.load(std::memory_order_relaxed); }
  void set_limit(std::uint64_t limit);

 private:
  friend class held_bytes;
  struct waiting {
    place at;
    std::size_t size;
    waiter tell;
  };
  [[nodiscard]] bool take(std::size_t size) noexcept;
  void give(std::size_t size) noexcept;
  void admit();

  std::atomic<std::uint64_t> limit_;
  alignas(64) std::atomic<std::uint64_t> used_{0};
  std::atomic<std::size_t> in_line_{0};
  std::mutex mutex_;
  std::list<waiting> line_;
  place last_place_ = 0;
};

inline void held_bytes::release() noexcept {
  if (from_ == nullptr) return;  // most hold nothing
  std::exchange(from_, nullptr)->give(std::exchange(size_, 0));
}

}  // namespace mongocached::daemon
