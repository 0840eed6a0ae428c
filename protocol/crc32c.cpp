#include <array>

#include "protocol/op_msg.hpp"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace mongocached::protocol {
namespace {

constexpr std::uint32_t reversed_polynomial = 0x82f63b78;

constexpr std::array<std::uint32_t, 256> make_table() noexcept {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    auto value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? reversed_polynomial : 0);
    table[i] = value;
  }
  return table;
}

constexpr auto table = make_table();

#if defined(__x86_64__)
// Three cycles an eight-byte step: some 8 GB/s, far above what a message with a checksum needs.
__attribute__((target("sse4.2"))) std::uint32_t crc32c_hardware(byte_view bytes) noexcept {
  std::uint64_t state = 0xffffffff;
  const auto* at = bytes.data();
  auto left = bytes.size();
  for (; left >= 8; at += 8, left -= 8) state = _mm_crc32_u64(state, load_le<std::uint64_t>(at));
  auto tail = static_cast<std::uint32_t>(state);
  for (; left != 0; ++at, --left) tail = _mm_crc32_u8(tail, *at);
  return ~tail;
}
#endif

}  // namespace

std::uint32_t crc32c_portable(byte_view bytes) noexcept {
  std::uint32_t state = 0xffffffff;
  for (const auto byte : bytes) state = (state >> 8) ^ table[(state ^ byte) & 0xff];
  return ~state;
}

std::uint32_t crc32c(byte_view bytes) noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return crc32c_hardware(bytes);
#endif
  return crc32c_portable(bytes);
}

}  // namespace mongocached::protocol
