// Memory of coroutine frames: each thread keeps the frames that ended for those that begin, by size. A request passes
// through half a dozen coroutines; their frames are the same sizes again and again.
//
// At most `kept` frames a size are kept a thread (what an earlier burst needed goes back to the heap). Under
// AddressSanitizer nothing is kept, so that it sees every use of a dead frame. A frame may end on another thread than
// the one that it began on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MONGOCACHED_WATCHES_FRAMES
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define MONGOCACHED_WATCHES_FRAMES
#endif

namespace mongocached::daemon {

class frame_pool {
 public:
  [[nodiscard]] static void* allocate(std::size_t size) {
    const auto at = class_of(size);
    if (at >= classes || pool_.free[at] == nullptr) return ::operator new(rounded(size));
    auto* frame = pool_.free[at];
    pool_.free[at] = frame->next;
    --pool_.count[at];
    return frame;
  }

  static void release(void* memory, std::size_t size) noexcept {
    const auto at = class_of(size);
    if (at >= classes || pool_.count[at] >= kept) return ::operator delete(memory);
    pool_.free[at] = new (memory) node{pool_.free[at]};
    ++pool_.count[at];
  }

  // Gives everything back: the thread is about to end.
  static void clear() noexcept {
    for (std::size_t at = 0; at < classes; ++at) {
      while (auto* frame = pool_.free[at]) {
        pool_.free[at] = frame->next;
        ::operator delete(frame);
      }
      pool_.count[at] = 0;
    }
  }

 private:
  struct node {
    node* next;
  };
  static constexpr std::size_t step = 64;
  static constexpr std::size_t classes = 32;  // up to 2 KiB
#ifdef MONGOCACHED_WATCHES_FRAMES
  static constexpr std::uint16_t kept = 0;
#else
  static constexpr std::uint16_t kept = 256;
#endif

  static constexpr std::size_t class_of(std::size_t size) noexcept { return (size - 1) / step; }
  static constexpr std::size_t rounded(std::size_t size) noexcept { return (class_of(size) + 1) * step; }

  struct lists {
    std::array<node*, classes> free;
    std::array<std::uint16_t, classes> count;
  };
  static inline constinit thread_local lists pool_{};
};

}  // namespace mongocached::daemon
