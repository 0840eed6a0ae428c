#include "daemon/control/cluster_identity.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

#include "daemon/control/topology_choice.hpp"
#include "protocol/bson_builder.hpp"

namespace mongocached::daemon {
namespace {

using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;

constexpr std::string_view collection = "system.version";
// A document of the greatest legal depth stands this deep in a reply: cursor, batch, collection.
constexpr int reply_depth = protocol::max_depth + 3;

std::optional<bson_view> object_in(bson_view document, std::string_view field) {
  const auto element = document.find(field);
  return element ? element->object() : std::nullopt;
}

// Digits of a UUID that is one: 16 bytes of subtype 4, not all of them zero. Else none.
std::string digits_of(const bson_element& uuid) {
  constexpr std::size_t header = 5;  // length and subtype
  constexpr std::size_t size = 16;
  constexpr std::uint8_t subtype = 4;
  if (!uuid.is(bson_type::binary) || uuid.value.size() != header + size || uuid.value[4] != subtype) return {};
  const auto bytes = uuid.value.subspan(header);
  if (std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; })) return {};
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const std::uint8_t byte : bytes) {
    out += digits[byte >> 4U];
    out += digits[byte & 0xfU];
  }
  return out;
}

std::string uuid_in(bson_view listed) {
  const auto info = object_in(listed, "info");
  const auto uuid = info ? info->find("uuid") : std::nullopt;
  return uuid ? digits_of(*uuid) : std::string();
}

// Of the one collection among those listed; a server may list others too.
std::optional<std::string> fingerprint_in(bson_view batch) {
  std::string out;
  bson_element item;
  protocol::bson_cursor items(batch);
  while (items.next(item)) {
    const auto listed = item.object();
    if (!listed) return std::nullopt;
    if (listed->text_of("name") == collection) out = uuid_in(*listed);
  }
  if (items.failed()) return std::nullopt;
  return out;
}

}  // namespace

protocol::byte_buffer fingerprint_command() {
  protocol::byte_buffer out;
  protocol::bson_builder command(out);
  command.append_int32("listCollections", 1);
  {
    auto filter = command.open_document("filter");
    filter.append_string("name", collection);
  }
  command.finish();
  return out;
}

std::optional<std::string> read_fingerprint(protocol::byte_view reply) {
  const auto view = bson_view::parse(reply);
  if (!view || !view->validate(reply_depth)) return std::nullopt;
  const auto ok = view->find("ok");
  const auto cursor = object_in(*view, "cursor");
  if (!ok || !ok->truthy().value_or(false) || !cursor) return std::nullopt;
  const auto first = cursor->find("firstBatch");
  const auto batch = first ? first->array() : std::nullopt;
  if (!batch) return std::nullopt;
  auto found = fingerprint_in(*batch);
  // What is not in the first of several batches may be in another.
  const auto id = cursor->find("id");
  const bool whole = id && id->integer() == 0;
  if (found && found->empty() && !whole) return std::nullopt;
  return found;
}

bool is_final_refusal(std::int32_t code) noexcept {
  // Unauthorized, CommandNotFound, CommandNotSupported, NotImplemented, FeatureNotSupported, APIStrictError,
  // AtlasError.
  constexpr std::array<std::int32_t, 7> refusals{13, 59, 115, 238, 303, 323, 8000};
  return std::ranges::find(refusals, code) != refusals.end();
}

std::string cluster_id(const upstream_uri& uri, const upstream_snapshot& snapshot, const std::string& fingerprint) {
  std::string name = snapshot.set_name.empty() ? uri.replica_set : snapshot.set_name;
  name += '\n';
  if (uri.srv) {
    name += "srv " + uri.srv_name;
  } else {
    for (const upstream_seed& seed : uri.seeds) name += host_and_port(seed.host, seed.port) + " ";
  }
  if (!fingerprint.empty()) name += "\nuuid " + fingerprint;
  std::uint64_t hash =
      0xcbf29ce484222325U;  // FNV-1a, 64 bits: stable across builds and machines, which std::hash is not
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(hash));
  return text.data();
}

}  // namespace mongocached::daemon
