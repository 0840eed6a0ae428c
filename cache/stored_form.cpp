#include "cache/stored_form.hpp"

#include <algorithm>
#include <limits>

#include "protocol/op_msg.hpp"

namespace mongocached::cache {
namespace {

using protocol::load_le;
using protocol::store_le;

constexpr std::size_t checksum_at = 4;
constexpr std::size_t body_at = 8;  // the checksum covers everything from here
constexpr std::size_t epoch_at = 8;
constexpr std::size_t generation_at = 24;
constexpr std::size_t kind_at = 40;
constexpr std::size_t level_at = 41;
constexpr std::size_t tail_at = 42;
constexpr std::size_t covered_at = 46;
constexpr std::size_t zero_at = 47;
constexpr std::size_t lifetime_at = 48;
constexpr std::size_t lower_at = 52;
constexpr std::size_t upper_at = 60;
constexpr std::size_t key_size_at = 68;
constexpr std::size_t header_size = 72;

constexpr char magic[4] = {'m', 'c', 'd', '2'};

bool value_fits(entry_kind kind, byte_view value) noexcept {
  if (kind == entry_kind::absent || kind == entry_kind::too_large) return value.empty();
  return protocol::bson_view::parse(value).has_value();
}

// The letters of a tail, each at most once, and zeros behind them.
bool tail_fits(const std::uint8_t* tail) noexcept {
  constexpr std::string_view letters("oct");
  const auto* const end = std::find(tail, tail + sizeof entry_meta::tail, 0);
  if (end == tail + sizeof entry_meta::tail) return false;
  for (const auto* at = tail; at != end; ++at) {
    if (letters.find(static_cast<char>(*at)) == std::string_view::npos || std::find(tail, at, *at) != at) return false;
  }
  return std::all_of(end, tail + sizeof entry_meta::tail, [](std::uint8_t byte) { return byte == 0; });
}

bool header_fits(byte_view bytes) noexcept {
  const auto* at = bytes.data();
  return std::memcmp(at, magic, sizeof magic) == 0 && at[kind_at] <= static_cast<std::uint8_t>(entry_kind::too_large) &&
         at[level_at] <= static_cast<std::uint8_t>(entry_level::by_default) && at[covered_at] <= 1 &&
         at[zero_at] == 0 && tail_fits(at + tail_at) &&
         load_le<std::uint32_t>(at + checksum_at) == protocol::crc32c(bytes.subspan(body_at));
}

}  // namespace

std::uint32_t lifetime_ms_of(const entry_meta& meta) noexcept {
  const auto lifetime = std::chrono::ceil<std::chrono::milliseconds>(meta.expires - meta.filled).count();
  return lifetime > 0 && lifetime < unknown_age_ms ? static_cast<std::uint32_t>(lifetime) : 0;
}

std::uint32_t age_ms_of(const stored_entry& stored, duration remaining) noexcept {
  if (stored.lifetime_ms == 0) return unknown_age_ms;
  const auto left = std::chrono::floor<std::chrono::milliseconds>(remaining).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(stored.lifetime_ms - left, 0, stored.lifetime_ms));
}

void encode_stored(byte_buffer& out, const stored_entry& entry) {
  out.clear();
  out.resize(header_size + entry.key.size() + entry.value.size());
  auto* at = out.data();
  std::memcpy(at, magic, sizeof magic);
  std::memcpy(at + epoch_at, entry.epoch.data(), entry.epoch.size());
  std::memcpy(at + generation_at, entry.generation.data(), entry.generation.size());
  at[kind_at] = static_cast<std::uint8_t>(entry.meta.kind);
  at[level_at] = static_cast<std::uint8_t>(entry.meta.level);
  std::memcpy(at + tail_at, entry.meta.tail, sizeof entry.meta.tail);
  at[covered_at] = entry.meta.covered ? 1 : 0;
  store_le(at + lifetime_at, entry.lifetime_ms);
  store_le(at + lower_at, entry.meta.lower);
  store_le(at + upper_at, entry.meta.upper);
  store_le(at + key_size_at, static_cast<std::uint32_t>(entry.key.size()));
  if (!entry.key.empty()) std::memcpy(at + header_size, entry.key.data(), entry.key.size());
  if (!entry.value.empty()) std::memcpy(at + header_size + entry.key.size(), entry.value.data(), entry.value.size());
  store_le(at + checksum_at, protocol::crc32c(byte_view(out).subspan(body_at)));
}

std::optional<stored_entry> decode_stored(byte_view bytes) {
  if (bytes.size() < header_size || !header_fits(bytes)) return std::nullopt;
  const auto* at = bytes.data();
  const std::uint64_t key_size = load_le<std::uint32_t>(at + key_size_at);
  if (key_size > bytes.size() - header_size) return std::nullopt;
  stored_entry entry;
  std::memcpy(entry.epoch.data(), at + epoch_at, entry.epoch.size());
  std::memcpy(entry.generation.data(), at + generation_at, entry.generation.size());
  entry.meta.kind = static_cast<entry_kind>(at[kind_at]);
  entry.meta.level = static_cast<entry_level>(at[level_at]);
  std::memcpy(entry.meta.tail, at + tail_at, sizeof entry.meta.tail);
  entry.meta.covered = at[covered_at] == 1;
  entry.lifetime_ms = load_le<std::uint32_t>(at + lifetime_at);
  entry.meta.lower = load_le<std::uint64_t>(at + lower_at);
  entry.meta.upper = load_le<std::uint64_t>(at + upper_at);
  entry.key = bytes.subspan(header_size, static_cast<std::size_t>(key_size));
  entry.value = bytes.subspan(header_size + static_cast<std::size_t>(key_size));
  if (!value_fits(entry.meta.kind, entry.value)) return std::nullopt;
  return entry;
}

}  // namespace mongocached::cache
