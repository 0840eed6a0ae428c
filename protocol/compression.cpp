#include "protocol/compression.hpp"

#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include <memory>
#include <new>
#include <stdexcept>

namespace mongocached::protocol {
namespace {

constexpr std::size_t fields_size = 4 + 4 + 1;

// Contexts are costly to set up and serve one message at a time.
struct release_zstd {
  void operator()(ZSTD_CCtx* context) const noexcept { ::ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const noexcept { ::ZSTD_freeDCtx(context); }
};
ZSTD_CCtx* zstd_compressor() {
  thread_local const std::unique_ptr<ZSTD_CCtx, release_zstd> context(::ZSTD_createCCtx());
  if (!context) throw std::bad_alloc();
  return context.get();
}
ZSTD_DCtx* zstd_decompressor() {
  thread_local const std::unique_ptr<ZSTD_DCtx, release_zstd> context(::ZSTD_createDCtx());
  if (!context) throw std::bad_alloc();
  return context.get();
}

// Whether `from` decompresses to exactly `size` bytes at `to`.
bool inflate_exactly(compressor with, byte_view from, std::uint8_t* to, std::size_t size) {
  switch (with) {
    case compressor::none:
      if (from.size() != size) return false;
      if (size > 0) std::memcpy(to, from.data(), size);
      return true;
    case compressor::snappy: {
      std::size_t announced = 0;  // by snappy's own header; what does not fit must not be begun
      const auto* text = reinterpret_cast<const char*>(from.data());
      if (::snappy_uncompressed_length(text, from.size(), &announced) != SNAPPY_OK || announced != size) return false;
      return ::snappy_uncompress(text, from.size(), reinterpret_cast<char*>(to), &announced) == SNAPPY_OK &&
             announced == size;
    }
    case compressor::zlib: {
      auto written = static_cast<uLongf>(size);
      return ::uncompress(to, &written, from.data(), static_cast<uLong>(from.size())) == Z_OK && written == size;
    }
    case compressor::zstd:
      return ::ZSTD_decompressDCtx(zstd_decompressor(), to, size, from.data(), from.size()) == size;
  }
  return false;
}

std::size_t largest_compressed(compressor with, std::size_t size) noexcept {
  switch (with) {
    case compressor::snappy:
      return ::snappy_max_compressed_length(size);
    case compressor::zlib:
      return ::compressBound(static_cast<uLong>(size));
    case compressor::zstd:
      return ::ZSTD_compressBound(size);
    default:
      return size;
  }
}

// Bytes written at `to`, which has room for largest_compressed(); 0: it failed.
std::size_t deflate_to(compressor with, byte_view from, std::uint8_t* to, std::size_t room) {
  switch (with) {
    case compressor::snappy: {
      std::size_t written = room;
      const auto status = ::snappy_compress(reinterpret_cast<const char*>(from.data()), from.size(),
                                            reinterpret_cast<char*>(to), &written);
      return status == SNAPPY_OK ? written : 0;
    }
    case compressor::zlib: {
      auto written = static_cast<uLongf>(room);
      return ::compress(to, &written, from.data(), static_cast<uLong>(from.size())) == Z_OK ? written : 0;
    }
    case compressor::zstd: {
      const auto written =
          ::ZSTD_compressCCtx(zstd_compressor(), to, room, from.data(), from.size(), ZSTD_CLEVEL_DEFAULT);
      return ::ZSTD_isError(written) != 0 ? 0 : written;
    }
    default:
      if (!from.empty()) std::memcpy(to, from.data(), from.size());
      return from.size();
  }
}

}  // namespace

compressor compressor_named(std::string_view name) noexcept {
  if (name == "snappy") return compressor::snappy;
  if (name == "zlib") return compressor::zlib;
  if (name == "zstd") return compressor::zstd;
  return compressor::none;
}

const char* name_of(compression_error error) noexcept {
  switch (error) {
    case compression_error::none:
      return "none";
    case compression_error::truncated:
      return "truncated";
    case compression_error::nested:
      return "nested";
    case compression_error::size:
      return "size";
    case compression_error::unknown_compressor:
      return "unknown compressor";
    case compression_error::corrupt:
      return "corrupt";
  }
  return "unknown";
}

std::size_t announced_size(byte_view front) noexcept {
  if (front.size() < header_size + fields_size) return 0;
  const auto announced = load_le<std::int32_t>(front.data() + header_size + 4);
  if (announced < 0 || static_cast<std::size_t>(announced) > max_message_size - header_size) return 0;
  return header_size + static_cast<std::size_t>(announced);
}

compression_error decompress(byte_view message, byte_buffer& out, compressor& with) {
  if (message.size() < header_size + fields_size) return compression_error::truncated;
  const auto original = load_le<std::int32_t>(message.data() + header_size);
  const auto announced = load_le<std::int32_t>(message.data() + header_size + 4);
  const auto number = message[header_size + 8];
  if (original == static_cast<std::int32_t>(opcode::compressed)) return compression_error::nested;
  if (announced < 0 || static_cast<std::size_t>(announced) > max_message_size - header_size) {
    return compression_error::size;
  }
  if (number > static_cast<std::uint8_t>(compressor::zstd)) return compression_error::unknown_compressor;
  with = static_cast<compressor>(number);
  const auto size = static_cast<std::size_t>(announced);
  out.resize(header_size + size);
  write_header(out.data(), {.length = static_cast<std::int32_t>(out.size()),
                            .request_id = load_le<std::int32_t>(message.data() + 4),
                            .response_to = load_le<std::int32_t>(message.data() + 8),
                            .code = static_cast<opcode>(original)});
  return inflate_exactly(with, message.subspan(header_size + fields_size), out.data() + header_size, size)
             ? compression_error::none
             : compression_error::corrupt;
}

void append_compressed(byte_buffer& out, byte_view message, compressor with) {
  const auto body = message.subspan(header_size);
  const auto start = out.size();
  const auto room = largest_compressed(with, body.size());
  out.resize(start + header_size + fields_size + room);
  auto* const fields = out.data() + start + header_size;
  const auto written = deflate_to(with, body, fields + fields_size, room);
  if (written == 0 && !body.empty()) throw std::runtime_error("a message could not be compressed");
  out.resize(start + header_size + fields_size + written);
  write_header(out.data() + start, {.length = static_cast<std::int32_t>(header_size + fields_size + written),
                                    .request_id = load_le<std::int32_t>(message.data() + 4),
                                    .response_to = load_le<std::int32_t>(message.data() + 8),
                                    .code = opcode::compressed});
  store_le(out.data() + start + header_size, load_le<std::int32_t>(message.data() + 12));
  store_le(out.data() + start + header_size + 4, static_cast<std::int32_t>(body.size()));
  out[start + header_size + 8] = static_cast<std::uint8_t>(with);
}

}  // namespace mongocached::protocol
