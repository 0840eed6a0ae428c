// An entry as it lies in Redis: versioned, checksummed, self-describing. Anything that does not check out is a miss.
//
//   offset  size
//   0       4     magic "mcd2" (the format's version is its last byte)
//   4       4     CRC-32C of everything behind
//   8       16    epoch
//   24      16    generation token of the namespace (documents' or lists'), zero-padded
//   40      1     entry_kind
//   41      1     entry_level
//   42      4     tail
//   46      1     covered, 0 or 1
//   47      1     zero
//   48      4     lifetime in milliseconds, 0: not known
//   52      8     lower (L)
//   60      8     upper (U)
//   68      4     key size
//   72            key, then value to the end
#pragma once

#include <array>
#include <optional>

#include "cache/entry.hpp"

namespace mongocached::cache {

using epoch_name = std::array<std::uint8_t, 16>;
using generation_token = std::array<std::uint8_t, 16>;

struct stored_entry {
  epoch_name epoch{};
  generation_token generation{};
  entry_meta meta;  // `generation`, `filled`, `age_ms` and `expires` are the process's own: not stored
  // From when the read was sent to when the entry expires, 0: not known. What is left of it says how old the entry is.
  std::uint32_t lifetime_ms = 0;
  byte_view key;
  byte_view value;  // checked to be a BSON document frame where the kind has one
};

// For stored_entry::lifetime_ms; 0 for more than it holds.
[[nodiscard]] std::uint32_t lifetime_ms_of(const entry_meta& meta) noexcept;
// Of an entry that has so long to live still: for entry_meta::age_ms.
[[nodiscard]] std::uint32_t age_ms_of(const stored_entry& stored, duration remaining) noexcept;

// Clears `out` and writes the entry into it.
void encode_stored(byte_buffer& out, const stored_entry& entry);

// Views into `bytes`. Empty if anything is amiss: length, magic, checksum, an enum value out of range, a value that is
// no BSON.
[[nodiscard]] std::optional<stored_entry> decode_stored(byte_view bytes);

}  // namespace mongocached::cache
