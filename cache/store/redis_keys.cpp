#include "cache/store/redis_keys.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

namespace mongocached::cache {
namespace {

// Both directions are on the way of every hit in Redis.
constexpr auto hex_of_byte = [] {
  constexpr char digits[] = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> out{};
  for (unsigned i = 0; i < 256; ++i) out[i] = {digits[i >> 4U], digits[i & 15U]};
  return out;
}();

constexpr std::uint8_t no_digit = 0xff;
constexpr auto value_of_digit = [] {
  std::array<std::uint8_t, 256> out{};
  out.fill(no_digit);
  for (std::uint8_t i = 0; i < 10; ++i) out['0' + i] = i;
  for (std::uint8_t i = 0; i < 6; ++i) out['a' + i] = out['A' + i] = static_cast<std::uint8_t>(10 + i);
  return out;
}();

void write_byte(std::uint8_t byte, char* out) noexcept {
  std::copy_n(hex_of_byte[byte].data(), 2, out);
}

void write_hex(std::uint64_t number, char* out) noexcept {
  for (int i = 0; i < 8; ++i) write_byte(static_cast<std::uint8_t>(number >> (56 - 8 * i)), out + 2 * i);
}

// Two digits a byte, as many as `bytes` holds.
bool read_hex(const char* digits, std::span<std::uint8_t> bytes) noexcept {
  std::uint8_t bad = 0;
  for (auto& byte : bytes) {
    const auto high = value_of_digit[static_cast<std::uint8_t>(*digits++)];
    const auto low = value_of_digit[static_cast<std::uint8_t>(*digits++)];
    bad |= high | low;
    byte = static_cast<std::uint8_t>(high << 4U | low);
  }
  return bad < 16;
}

}  // namespace

hex_128 to_hex(const std::array<std::uint8_t, 16>& bytes) noexcept {
  hex_128 out;
  for (std::size_t i = 0; i < bytes.size(); ++i) write_byte(bytes[i], out.data() + 2 * i);
  return out;
}

hex_64 to_hex(cluster_time time) noexcept {
  hex_64 out;
  write_hex(time, out.data());
  return out;
}

std::optional<cluster_time> time_from_hex(std::string_view hex) noexcept {
  std::array<std::uint8_t, 8> bytes{};
  if (hex.size() != 16 || !read_hex(hex.data(), bytes)) return std::nullopt;
  cluster_time time = 0;
  for (const auto byte : bytes) time = time << 8U | byte;
  return time;
}

std::optional<std::array<std::uint8_t, 16>> bytes_from_hex(std::string_view hex) noexcept {
  std::array<std::uint8_t, 16> out{};
  if (hex.size() != 32 || !read_hex(hex.data(), out)) return std::nullopt;
  return out;
}

hex_128 redis_hash(byte_view bytes) noexcept {
  const auto hash = XXH3_128bits(bytes.data(), bytes.size());  // no seed: it must be the same everywhere
  hex_128 out;
  write_hex(hash.high64, out.data());
  write_hex(hash.low64, out.data() + 16);
  return out;
}

redis_keys::redis_keys(const std::string& prefix, const std::string& cluster_id) {
  const auto base = prefix + ":2:" + cluster_id + ":";
  epoch_ = base + "epoch";
  mark_ = base + "mark";
  push_ = base + "push";
  pending_ = base + "p:" + std::string(32, '0');
  generation_ = base + "g:d:" + std::string(32, '0');
  value_ = base + "v:{" + std::string(32, '0') + "}";
  record_ = base + "r:{" + std::string(32, '0') + "}";
}

std::string_view redis_keys::generation(key_kind kind, std::string_view ns) {
  generation_[generation_.size() - 34] = static_cast<char>(kind);
  if (ns != generation_of_) {
    const auto hash = redis_hash(protocol::as_bytes(ns));
    std::copy(hash.begin(), hash.end(), generation_.end() - 32);
    generation_of_ = ns;
  }
  return generation_;
}

std::string_view redis_keys::pending(std::string_view ns) {
  const auto hash = redis_hash(protocol::as_bytes(ns));
  std::copy(hash.begin(), hash.end(), pending_.end() - 32);
  return pending_;
}

std::string_view redis_keys::value(const hex_128& key) {
  std::copy(key.begin(), key.end(), value_.end() - 33);
  return value_;
}

std::string_view redis_keys::record(const hex_128& key) {
  std::copy(key.begin(), key.end(), record_.end() - 33);
  return record_;
}

}  // namespace mongocached::cache
