// What several rows of the key tables share: choices, limits. Internal to config/.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "config/value.hpp"

namespace mongocached::config::specs {

// In the order of the enums in settings.hpp.
inline constexpr std::array<std::string_view, 2> poses{"mongos", "replica_set"};
inline constexpr std::array<std::string_view, 2> auths{"passthrough", "pooled"};
inline constexpr std::array<std::string_view, 3> modes{"bounded", "strict", "ttl"};
inline constexpr std::array<std::string_view, 5> levels{"trace", "debug", "info", "warn", "error"};
inline constexpr std::array<std::string_view, 2> formats{"text", "json"};

inline constexpr std::uint64_t us = 1'000;
inline constexpr std::uint64_t ms = 1'000 * us;
inline constexpr std::uint64_t s = 1'000 * ms;
inline constexpr std::uint64_t minute = 60 * s;
inline constexpr std::uint64_t hour = 60 * minute;
inline constexpr std::uint64_t day = 24 * hour;
inline constexpr std::uint64_t mib = 1ULL << 20;
inline constexpr std::uint64_t tib = 1ULL << 40;

inline constexpr value_spec integer(std::uint64_t least, std::uint64_t most) {
  return {value_kind::integer, least, most};
}
inline constexpr value_spec time(std::uint64_t least, std::uint64_t most) {
  return {value_kind::time, least, most};
}
inline constexpr value_spec bytes(std::uint64_t least, std::uint64_t most) {
  return {value_kind::size, least, most};
}
inline constexpr value_spec one_of(std::span<const std::string_view> choices) {
  return {value_kind::choice, 0, 0, choices};
}
inline constexpr value_spec plain(value_kind kind) {
  return {kind};
}

// Of [cache] and of [[collection]] alike.
inline constexpr value_spec memory_spec = bytes(0, 16 * tib);
inline constexpr value_spec max_entry_spec = bytes(1, 15 * mib);
inline constexpr value_spec ttl_spec = time(1 * ms, 365 * day);
inline constexpr value_spec negative_ttl_spec = time(0, 365 * day);
inline constexpr value_spec max_lag_spec = time(10 * ms, 10 * minute);
inline constexpr value_spec stale_spec = time(0, 1 * day);

}  // namespace mongocached::config::specs
