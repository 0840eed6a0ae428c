// Bytes and little-endian integers.
//
// `byte_view` never owns; whoever hands one out says how long it lives. The load functions read from exactly sizeof(T)
// bytes that the caller has already checked to be there; anything read from a peer goes through `byte_reader`
// (byte_reader.hpp) instead.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace mongocached::protocol {

using byte_view = std::span<const std::uint8_t>;
using byte_buffer = std::vector<std::uint8_t>;

static_assert(std::endian::native == std::endian::little,
              "BSON and the wire protocol are little-endian, and so are we");

template <class T>
[[nodiscard]] inline T load_le(const std::uint8_t* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <class T>
inline void store_le(std::uint8_t* at, T value) noexcept {
  std::memcpy(at, &value, sizeof value);
}

[[nodiscard]] inline std::string_view as_text(byte_view bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

[[nodiscard]] inline byte_view as_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// The same place in a copy of the bytes that `view` is into.
[[nodiscard]] inline byte_view moved(byte_view view, byte_view from, byte_view copy) noexcept {
  if (view.empty()) return {};
  return copy.subspan(static_cast<std::size_t>(view.data() - from.data()), view.size());
}

[[nodiscard]] inline bool equal(byte_view a, byte_view b) noexcept {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace mongocached::protocol
