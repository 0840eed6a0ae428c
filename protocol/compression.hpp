// OP_COMPRESSED: a message inside a message. The only place that knows snappy, zlib and zstd.
// Source: the MongoDB wire protocol and the drivers' OP_COMPRESSED specification. Layout behind the header: int32
// original opcode, int32 uncompressed size (without a header), uint8 compressor, compressed bytes.
//
// What arrives may be anything: the size it announces is checked before there is room for it, and must be met exactly.
// An OP_MSG's checksum is of the message inside, with its own header: it goes in and comes out as it is.
#pragma once

#include <string_view>

#include "protocol/message.hpp"

namespace mongocached::protocol {

// As numbered on the wire.
enum class compressor : std::uint8_t { none = 0, snappy = 1, zlib = 2, zstd = 3 };

// `none` for a name that is not known.
[[nodiscard]] compressor compressor_named(std::string_view name) noexcept;
[[nodiscard]] const char* name_of(compressor which) noexcept;

enum class compression_error {
  none,
  truncated,           // shorter than its own fields
  nested,              // a compressed message in a compressed message
  size,                // announces less than nothing, or more than a message may have
  unknown_compressor,  // one that hello never offered
  corrupt,             // does not decompress to what was announced
};
[[nodiscard]] const char* name_of(compression_error error) noexcept;

// How much of a message read_compressed() needs to see.
inline constexpr std::size_t compressed_front_size = header_size + 4 + 4 + 1;

struct compressed_fields {
  opcode original{};     // any but OP_COMPRESSED
  std::size_t size = 0;  // of the message inside, with a header; at most max_message_size
  compressor with{};
};
// What the front of an OP_COMPRESSED message says, before there is room for what is inside.
[[nodiscard]] compression_error read_compressed(byte_view front, compressed_fields& out) noexcept;

// `message` is a whole OP_COMPRESSED message whose header was read. `out` becomes the message inside, with a header
// that carries the outer one's ids; `with` what it was compressed with. After an error `out` holds anything.
[[nodiscard]] compression_error decompress(byte_view message, byte_buffer& out, compressor& with);

// zlib's own choice between speed and size; 0 to 9 are the others.
inline constexpr int default_zlib_level = -1;

// Appends the OP_COMPRESSED form of `message`, a whole message of at least a header. `with` is not `none` unless the
// peer sent `none` (no compression, but the frame).
void append_compressed(byte_buffer& out, byte_view message, compressor with, int zlib_level = default_zlib_level);

}  // namespace mongocached::protocol
