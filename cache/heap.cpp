#include "cache/heap.hpp"

#include <malloc.h>

namespace mongocached::cache {

void prepare_heap() noexcept {
  mallopt(M_ARENA_MAX, 1);
}

bool trim_heap(std::size_t slack_bytes) noexcept {
  if (mallinfo2().fordblks <= slack_bytes) return false;
  return malloc_trim(0) != 0;
}

}  // namespace mongocached::cache
