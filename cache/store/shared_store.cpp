#include "cache/store/shared_store.hpp"

#include <random>

namespace mongocached::cache {

announcement_id new_announcement() {
  std::random_device device;
  announcement_id out{};
  for (std::size_t at = 0; at < out.size(); at += 4) {
    protocol::store_le(out.data() + at, static_cast<std::uint32_t>(device()));
  }
  out[0] |= 1;  // never the name that is all zero
  return out;
}

}  // namespace mongocached::cache
