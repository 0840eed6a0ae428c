// What one process tells the others of an invalidation, through Redis (coherence "Between proxies"). For latency only:
// a message may be lost, and one may be made up by whoever may publish there; either changes how soon an entry falls,
// never whether what is served is right.
//
//   | sender 16 | fence, 16 hex digits | flags 1 | namespace | NUL | (size 4 LE | key)... |
//
// Flags: 1 every document of the namespace is meant, 2 its lists are. Pure.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "cache/invalidation.hpp"

namespace mongocached::cache {

using sender_id = std::array<std::uint8_t, 16>;  // random, one a process

// Views are good until the handler that is told returns.
struct push_message {
  std::string_view ns;
  std::vector<byte_view> keys;
  bool documents = false;  // every document of the namespace; also where the keys would have been too long to tell
  bool lists = false;
  cluster_time fence = 0;
};

// Keys beyond this are not told: all documents are meant instead.
inline constexpr std::size_t push_keys_ceiling = 16'384;
// No message of ours is longer: a namespace has at most 255 bytes.
inline constexpr std::size_t push_message_ceiling = 16 + 16 + 1 + 255 + 1 + push_keys_ceiling;

// Empty where there is nothing to tell: an event that all see, a new epoch, a namespace that cannot be told.
[[nodiscard]] byte_buffer encode_push(const sender_id& sender, const invalidation& what);

// Nothing if it is malformed, too long, or `self` sent it.
[[nodiscard]] std::optional<push_message> decode_push(const sender_id& self, byte_view bytes);

}  // namespace mongocached::cache
