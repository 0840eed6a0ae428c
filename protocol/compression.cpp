#include "protocol/compression.hpp"

#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include <memory>
#include <new>
#include <stdexcept>

namespace mongocached::protocol {
namespace {

constexpr std::size_t fields_size = compressed_front_size - header_size;
static_assert(default_zlib_level == Z_DEFAULT_COMPRESSION);

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
struct release_zlib {
  void operator()(z_stream* stream) const noexcept {
    ::deflateEnd(stream);
    delete stream;
  }
};
z_stream* new_zlib_compressor() {
  auto stream = std::make_unique<z_stream>();
  if (::deflateInit(stream.get(), default_zlib_level) != Z_OK) throw std::bad_alloc();
  return stream.release();
}
// Ready for a message of its own; null if there is no such level.
z_stream* zlib_compressor(int level) {
  thread_local const std::unique_ptr<z_stream, release_zlib> stream(new_zlib_compressor());
  const bool ready =
      ::deflateReset(stream.get()) == Z_OK && ::deflateParams(stream.get(), level, Z_DEFAULT_STRATEGY) == Z_OK;
  return ready ? stream.get() : nullptr;
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
std::size_t deflate_to(compressor with, byte_view from, std::uint8_t* to, std::size_t room, int zlib_level) {
  switch (with) {
    case compressor::snappy: {
      std::size_t written = room;
      const auto status = ::snappy_compress(reinterpret_cast<const char*>(from.data()), from.size(),
                                            reinterpret_cast<char*>(to), &written);
      return status == SNAPPY_OK ? written : 0;
    }
    case compressor::zlib: {
      z_stream* const stream = zlib_compressor(zlib_level);
      if (stream == nullptr) return 0;
      stream->next_in = const_cast<Bytef*>(from.data());  // NOLINT: zlib does not write to it
      stream->avail_in = static_cast<uInt>(from.size());
      stream->next_out = to;
      stream->avail_out = static_cast<uInt>(room);
      return ::deflate(stream, Z_FINISH) == Z_STREAM_END ? stream->total_out : 0;
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

const char* name_of(compressor which) noexcept {
  switch (which) {
    case compressor::none:
      return "none";
    case compressor::snappy:
      return "snappy";
    case compressor::zlib:
      return "zlib";
    case compressor::zstd:
      return "zstd";
  }
  return "unknown";
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

compression_error read_compressed(byte_view front, compressed_fields& out) noexcept {
  if (front.size() < compressed_front_size) return compression_error::truncated;
  const auto original = load_le<std::int32_t>(front.data() + header_size);
  const auto announced = load_le<std::int32_t>(front.data() + header_size + 4);
  const auto number = front[header_size + 8];
  if (original == static_cast<std::int32_t>(opcode::compressed)) return compression_error::nested;
  if (announced < 0 || static_cast<std::size_t>(announced) > max_message_size - header_size) {
    return compression_error::size;
  }
  if (number > static_cast<std::uint8_t>(compressor::zstd)) return compression_error::unknown_compressor;
  out = {static_cast<opcode>(original), header_size + static_cast<std::size_t>(announced),
         static_cast<compressor>(number)};
  return compression_error::none;
}

compression_error decompress(byte_view message, byte_buffer& out, compressor& with) {
  compressed_fields inside;
  if (const auto error = read_compressed(message, inside); error != compression_error::none) return error;
  with = inside.with;
  out.resize(inside.size);
  write_header(out.data(), {.length = static_cast<std::int32_t>(out.size()),
                            .request_id = load_le<std::int32_t>(message.data() + 4),
                            .response_to = load_le<std::int32_t>(message.data() + 8),
                            .code = inside.original});
  return inflate_exactly(with, message.subspan(compressed_front_size), out.data() + header_size,
                         inside.size - header_size)
             ? compression_error::none
             : compression_error::corrupt;
}

void append_compressed(byte_buffer& out, byte_view message, compressor with, int zlib_level) {
  const auto body = message.subspan(header_size);
  const auto start = out.size();
  const auto room = largest_compressed(with, body.size());
  out.resize(start + header_size + fields_size + room);
  auto* const fields = out.data() + start + header_size;
  const auto written = deflate_to(with, body, fields + fields_size, room, zlib_level);
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
