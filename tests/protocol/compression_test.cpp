#include "protocol/compression.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace mongocached::protocol {
namespace {

byte_buffer message_of(std::size_t body, std::uint32_t seed = 1) {
  byte_buffer out(header_size + body);
  std::minstd_rand dice(seed);
  // Half of it compresses well, half does not.
  for (std::size_t i = 0; i < body; ++i) out[header_size + i] = i % 2 == 0 ? 'x' : static_cast<std::uint8_t>(dice());
  write_header(
      out.data(),
      {.length = static_cast<std::int32_t>(out.size()), .request_id = 7, .response_to = 9, .code = opcode::msg});
  return out;
}

byte_buffer compressed(const byte_buffer& message, compressor with) {
  byte_buffer out;
  append_compressed(out, message, with);
  return out;
}

compression_error error_of(byte_view message) {
  byte_buffer out;
  compressor with{};
  return decompress(message, out, with);
}

class Compression : public ::testing::TestWithParam<compressor> {};

TEST_P(Compression, there_and_back) {
  for (const std::size_t size : {0UL, 1UL, 5UL, 560UL, 65'536UL, 3'000'000UL}) {
    const auto message = message_of(size);
    const auto wire = compressed(message, GetParam());
    message_header header;
    ASSERT_EQ(read_header(wire, header), frame_error::none);
    EXPECT_EQ(static_cast<std::size_t>(header.length), wire.size());
    EXPECT_EQ(header.code, opcode::compressed);
    EXPECT_EQ(header.request_id, 7);
    EXPECT_EQ(header.response_to, 9);
    byte_buffer back;
    compressor with{};
    ASSERT_EQ(decompress(wire, back, with), compression_error::none) << size;
    EXPECT_EQ(with, GetParam());
    EXPECT_EQ(back, message);
  }
}

TEST_P(Compression, is_appended_behind_what_is_there) {
  byte_buffer out{1, 2, 3};
  append_compressed(out, message_of(100), GetParam());
  EXPECT_EQ(byte_buffer(out.begin(), out.begin() + 3), (byte_buffer{1, 2, 3}));
  EXPECT_EQ(error_of(byte_view(out).subspan(3)), compression_error::none);
}

TEST_P(Compression, what_was_announced_must_be_met) {
  for (const int off : {-1, 1, 1000}) {
    auto wire = compressed(message_of(1000), GetParam());
    store_le(wire.data() + 20, 1000 + off);
    EXPECT_EQ(error_of(wire), compression_error::corrupt) << off;
  }
}

TEST_P(Compression, every_prefix_is_refused) {
  const auto wire = compressed(message_of(300), GetParam());
  for (std::size_t size = header_size; size < wire.size(); ++size) {
    EXPECT_NE(error_of(byte_view(wire).first(size)), compression_error::none) << size;
  }
}

TEST_P(Compression, damage_is_refused_or_harmless) {
  const auto good = compressed(message_of(2000), GetParam());
  std::minstd_rand dice(3);
  for (int i = 0; i < 2000; ++i) {
    auto wire = good;
    wire[header_size + dice() % (wire.size() - header_size)] ^= static_cast<std::uint8_t>(1U << (dice() % 8));
    byte_buffer out;
    compressor with{};
    if (decompress(wire, out, with) == compression_error::none) {
      EXPECT_EQ(out.size(), static_cast<std::size_t>(load_le<std::int32_t>(out.data())));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Compression,
                         ::testing::Values(compressor::none, compressor::snappy, compressor::zlib, compressor::zstd));

TEST(CompressionFields, sizes_that_no_message_has) {
  auto wire = compressed(message_of(10), compressor::zlib);
  for (const std::int32_t size : {-1, INT32_MIN, 47'999'985, INT32_MAX}) {
    store_le(wire.data() + 20, size);
    EXPECT_EQ(error_of(wire), compression_error::size) << size;
  }
}

TEST(CompressionFields, a_compressor_that_nobody_knows) {
  auto wire = compressed(message_of(10), compressor::zlib);
  for (const std::uint8_t number : {std::uint8_t{4}, std::uint8_t{255}}) {
    wire[24] = number;
    EXPECT_EQ(error_of(wire), compression_error::unknown_compressor);
  }
}

TEST(CompressionFields, say_what_room_is_needed) {
  const auto wire = compressed(message_of(1000), compressor::zstd);
  compressed_fields fields;
  ASSERT_EQ(read_compressed(byte_view(wire).first(compressed_front_size), fields), compression_error::none);
  EXPECT_EQ(fields.original, opcode::msg);
  EXPECT_EQ(fields.size, header_size + 1000);
  EXPECT_EQ(fields.with, compressor::zstd);
  EXPECT_EQ(read_compressed(byte_view(wire).first(compressed_front_size - 1), fields), compression_error::truncated);
}

TEST(CompressionFields, zlib_has_levels) {
  const auto message = message_of(100'000);
  byte_buffer fast;
  append_compressed(fast, message, compressor::zlib, 0);
  EXPECT_GT(fast.size(), message.size());
  EXPECT_LT(compressed(message, compressor::zlib).size(), message.size());
  EXPECT_EQ(error_of(fast), compression_error::none);
}

TEST(CompressionFields, nested) {
  const auto once = compressed(message_of(10), compressor::zlib);
  EXPECT_EQ(error_of(compressed(once, compressor::zlib)), compression_error::nested);
}

TEST(CompressionFields, names) {
  EXPECT_EQ(compressor_named("snappy"), compressor::snappy);
  EXPECT_EQ(compressor_named("zlib"), compressor::zlib);
  EXPECT_EQ(compressor_named("zstd"), compressor::zstd);
  EXPECT_EQ(compressor_named("noop"), compressor::none);
  EXPECT_EQ(compressor_named("lz4"), compressor::none);
  for (const auto one : {compressor::snappy, compressor::zlib, compressor::zstd}) {
    EXPECT_EQ(compressor_named(name_of(one)), one);
  }
}

}  // namespace
}  // namespace mongocached::protocol
