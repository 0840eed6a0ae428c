#include "cache/store/redis_keys.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <charconv>

namespace mongocached::cache {
namespace {

void write_hex(std::uint64_t number, char* out) noexcept {
  constexpr char digits[] = "0123456789abcdef";
  for (int i = 15; i >= 0; --i) {
    out[i] = digits[number & 15];
    number >>= 4;
  }
}

}  // namespace

hex_128 to_hex(const std::array<std::uint8_t, 16>& bytes) noexcept {
  constexpr char digits[] = "0123456789abcdef";
  hex_128 out;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    out[2 * i] = digits[bytes[i] >> 4];
    out[2 * i + 1] = digits[bytes[i] & 15];
  }
  return out;
}

hex_64 to_hex(cluster_time time) noexcept {
  hex_64 out;
  write_hex(time, out.data());
  return out;
}

std::optional<cluster_time> time_from_hex(std::string_view hex) noexcept {
  cluster_time time = 0;
  const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), time, 16);
  if (hex.size() != 16 || error != std::errc() || end != hex.data() + hex.size()) return std::nullopt;
  return time;
}

std::optional<std::array<std::uint8_t, 16>> bytes_from_hex(std::string_view hex) noexcept {
  if (hex.size() != 32) return std::nullopt;
  std::array<std::uint8_t, 16> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    const char* at = hex.data() + 2 * i;
    const auto [end, error] = std::from_chars(at, at + 2, out[i], 16);
    if (error != std::errc() || end != at + 2) return std::nullopt;
  }
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
  const auto hash = redis_hash(protocol::as_bytes(ns));
  generation_[generation_.size() - 34] = static_cast<char>(kind);
  std::copy(hash.begin(), hash.end(), generation_.end() - 32);
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
