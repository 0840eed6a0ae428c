// OP_COMPRESSED: a message inside a message. The only place that knows snappy, zlib and zstd.
// Source: the MongoDB wire protocol and the drivers' OP_COMPRESSED specification. Layout behind the header: int32
// original opcode, int32 uncompressed size (without a header), uint8 compressor, compressed bytes.
//
// What arrives may be anything: the size it announces is checked before there is room for it, and must be met exactly.
#pragma once

#include <string_view>

#include "protocol/message.hpp"

namespace mongocached::protocol {

// As numbered on the wire.
enum class compressor : std::uint8_t { none = 0, snappy = 1, zlib = 2, zstd = 3 };

// `none` for a name that is not known.
[[nodiscard]] compressor compressor_named(std::string_view name) noexcept;

enum class compression_error {
  none,
  truncated,           // shorter than its own fields
  nested,              // a compressed message in a compressed message
  size,                // announces less than nothing, or more than a message may have
  unknown_compressor,  // one that hello never offered
  corrupt,             // does not decompress to what was announced
};
[[nodiscard]] const char* name_of(compression_error error) noexcept;

// The size of the message inside, its header included, as the front of an OP_COMPRESSED message announces it; 0 where
// that is not there yet or is no size that a message may have.
[[nodiscard]] std::size_t announced_size(byte_view front) noexcept;

// `message` is a whole OP_COMPRESSED message whose header was read. `out` becomes the message inside, with a header
// that carries the outer one's ids; `with` what it was compressed with. After an error `out` holds anything.
[[nodiscard]] compression_error decompress(byte_view message, byte_buffer& out, compressor& with);

// Appends the OP_COMPRESSED form of `message`, a whole message of at least a header. `with` is not `none` unless the
// peer sent `none` (no compression, but the frame).
void append_compressed(byte_buffer& out, byte_view message, compressor with);

}  // namespace mongocached::protocol
