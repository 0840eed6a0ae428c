// Memory of what begins and ends with each request: coroutine frames, keys, flights. Each thread keeps the blocks that
// were given back for those who ask next, by size: a request needs the same sizes again and again.
//
// At most `kept` blocks a size are kept a thread (what an earlier burst needed goes back to the heap), and none above
// `largest`. Under AddressSanitizer nothing is kept, so that it sees every use of a dead block. A block may be given
// back on another thread than the one that asked for it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <vector>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MONGOCACHED_WATCHES_BLOCKS
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define MONGOCACHED_WATCHES_BLOCKS
#endif

namespace mongocached::protocol {

class block_pool {
 public:
  static constexpr std::size_t largest = 2UL * 1024;

  [[nodiscard]] static void* allocate(std::size_t size) {
    const auto at = class_of(size);
    if (at >= classes || pool_.free[at] == nullptr) return ::operator new(rounded(size));
    auto* block = pool_.free[at];
    pool_.free[at] = block->next;
    --pool_.count[at];
    return block;
  }

  static void release(void* memory, std::size_t size) noexcept {
    const auto at = class_of(size);
    if (at >= classes) return ::operator delete(memory);
    if (pool_.count[at] >= pool_.limit) return release_one_too_many(memory, at);
    keep(memory, at);
  }

 private:
  struct node {
    node* next;
  };
  static constexpr std::size_t step = 64;
  static constexpr std::size_t classes = largest / step;
#ifdef MONGOCACHED_WATCHES_BLOCKS
  static constexpr std::uint16_t kept = 0;
#else
  static constexpr std::uint16_t kept = 256;
#endif

  static constexpr std::size_t class_of(std::size_t size) noexcept { return (size - 1) / step; }
  static constexpr std::size_t rounded(std::size_t size) noexcept { return (class_of(size) + 1) * step; }

  static void keep(void* memory, std::size_t at) noexcept {
    pool_.free[at] = new (memory) node{pool_.free[at]};
    ++pool_.count[at];
  }
  // Or the thread's first, from which on it keeps some, and gives them back when it ends.
  static void release_one_too_many(void* memory, std::size_t at) noexcept;

  struct lists {
    std::array<node*, classes> free;
    std::array<std::uint16_t, classes> count;
    std::uint16_t limit;  // 0 before the first, and once the thread has ended
    bool begun;
  };
  struct thread_end {
    ~thread_end();
  };
  // Without a destructor of its own, which every use would have to look out for.
  static inline constinit thread_local lists pool_{};
};

// For containers, and for std::allocate_shared(). Not for bytes: with any allocator but its own GCC 12's vector copies
// them one by one.
template <class T>
class pooled_allocator {
 public:
  using value_type = T;
  static_assert(alignof(T) <= alignof(std::max_align_t));

  pooled_allocator() noexcept = default;
  template <class U>
  pooled_allocator(const pooled_allocator<U>&) noexcept {}  // NOLINT(google-explicit-constructor): as allocators are

  [[nodiscard]] T* allocate(std::size_t count) {
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_array_new_length();
    return static_cast<T*>(block_pool::allocate(count * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t count) noexcept { block_pool::release(memory, count * sizeof(T)); }

  friend bool operator==(const pooled_allocator&, const pooled_allocator&) noexcept { return true; }
};

template <class T>
using pooled_vector = std::vector<T, pooled_allocator<T>>;

}  // namespace mongocached::protocol
