#include "protocol/block_pool.hpp"

#include <utility>

namespace mongocached::protocol {

void block_pool::release_one_too_many(void* memory, std::size_t at) noexcept {
  if (kept == 0 || std::exchange(pool_.begun, true)) return ::operator delete(memory);
  static thread_local const thread_end end;
  pool_.limit = kept;
  keep(memory, at);
}

block_pool::thread_end::~thread_end() {
  pool_.limit = 0;
  for (auto* first : pool_.free) {
    while (first != nullptr) ::operator delete(std::exchange(first, first->next));
  }
  pool_.free = {};
  pool_.count = {};
}

}  // namespace mongocached::protocol
