#include "cache/store/push_message.hpp"

#include <algorithm>
#include <span>

#include "cache/store/redis_keys.hpp"

namespace mongocached::cache {
namespace {

constexpr std::size_t fence_at = 16;
constexpr std::size_t flags_at = 32;
constexpr std::size_t names_at = 33;
constexpr std::size_t size_bytes = 4;
constexpr std::size_t longest_namespace = 255;
constexpr std::uint8_t documents_flag = 1;
constexpr std::uint8_t lists_flag = 2;

// The bytes that the keys take, at most one more than the ceiling.
std::size_t room_for_keys(const invalidation& what) {
  std::size_t total = 0;
  for (const auto& [begin, end] : what.keys) {
    total += size_bytes + (end - begin);
    if (total > push_keys_ceiling) return push_keys_ceiling + 1;
  }
  return total;
}

bool take_keys(byte_view bytes, push_message& into) {
  while (!bytes.empty()) {
    if (bytes.size() < size_bytes) return false;
    const std::uint64_t size = protocol::load_le<std::uint32_t>(bytes.data());
    bytes = bytes.subspan(size_bytes);
    if (size > bytes.size()) return false;
    const auto key = bytes.first(static_cast<std::size_t>(size));
    if (key.empty() || key[0] != static_cast<std::uint8_t>(key_kind::document) || namespace_of(key) != into.ns) {
      return false;
    }
    into.keys.push_back(key);
    bytes = bytes.subspan(key.size());
  }
  return true;
}

}  // namespace

byte_buffer encode_push(const sender_id& sender, const invalidation& what) {
  byte_buffer out;
  const auto ns = protocol::as_bytes(what.ns);
  if (what.seen || what.everything || ns.empty() || ns.size() > longest_namespace) return out;
  const auto room = room_for_keys(what);
  const bool told = room <= push_keys_ceiling;
  out.reserve(names_at + ns.size() + 1 + (told ? room : 0));
  const auto fence = to_hex(what.fence);
  out.insert(out.end(), sender.begin(), sender.end());
  out.insert(out.end(), fence.begin(), fence.end());
  out.push_back(
      static_cast<std::uint8_t>((what.documents || !told ? documents_flag : 0) | (what.lists ? lists_flag : 0)));
  out.insert(out.end(), ns.begin(), ns.end());
  out.push_back(0);
  if (!told) return out;
  const byte_view all(what.key_bytes);
  for (const auto& [begin, end] : what.keys) {
    const auto key = all.subspan(begin, end - begin);
    const auto at = out.size();
    out.resize(at + size_bytes);
    protocol::store_le(out.data() + at, static_cast<std::uint32_t>(key.size()));
    out.insert(out.end(), key.begin(), key.end());
  }
  return out;
}

std::optional<push_message> decode_push(const sender_id& self, byte_view bytes) {
  if (bytes.size() < names_at || bytes.size() > push_message_ceiling) return std::nullopt;
  if (std::equal(self.begin(), self.end(), bytes.begin())) return std::nullopt;
  const auto fence = time_from_hex(protocol::as_text(bytes.subspan(fence_at, flags_at - fence_at)));
  const auto flags = bytes[flags_at];
  const auto names = protocol::as_text(bytes.subspan(names_at));
  const auto end = names.find('\0');
  if (!fence || flags > (documents_flag | lists_flag) || end == 0 || end > longest_namespace) return std::nullopt;
  push_message out;
  out.ns = names.substr(0, end);
  out.documents = (flags & documents_flag) != 0;
  out.lists = (flags & lists_flag) != 0;
  out.fence = *fence;
  if (!take_keys(bytes.subspan(names_at + end + 1), out)) return std::nullopt;
  return out;
}

}  // namespace mongocached::cache
