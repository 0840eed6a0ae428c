#include "daemon/pooled/server_choice.hpp"

#include <algorithm>
#include <array>

namespace mongocached::daemon {
namespace {

using protocol::bson_view;
using candidates = std::vector<const upstream_server*>;

std::optional<read_mode> mode_of(std::string_view name) noexcept {
  constexpr std::array<std::pair<std::string_view, read_mode>, 5> modes{
      {{"primary", read_mode::primary},
       {"primaryPreferred", read_mode::primary_preferred},
       {"secondary", read_mode::secondary},
       {"secondaryPreferred", read_mode::secondary_preferred},
       {"nearest", read_mode::nearest}}};
  const auto* const found = std::ranges::find(modes, name, &std::pair<std::string_view, read_mode>::first);
  if (found == modes.end()) return std::nullopt;
  return found->second;
}

std::optional<read_preference::tag_set> parse_tags(bson_view document) {
  read_preference::tag_set out;
  protocol::bson_element tag;
  protocol::bson_cursor cursor(document);
  while (cursor.next(tag)) {
    const auto text = tag.text();
    if (!text) return std::nullopt;
    out.emplace_back(tag.name, *text);
  }
  if (cursor.failed()) return std::nullopt;
  return out;
}

bool parse_tag_sets(bson_view array, std::vector<read_preference::tag_set>& out) {
  protocol::bson_element member;
  protocol::bson_cursor cursor(array);
  while (cursor.next(member)) {
    const auto document = member.object();
    auto tags = document ? parse_tags(*document) : std::nullopt;
    if (!tags) return false;
    out.push_back(std::move(*tags));
  }
  return !cursor.failed();
}

bool carries(const upstream_server& server, const read_preference::tag_set& wanted) {
  if (wanted.empty()) return true;
  const auto hello = bson_view::parse(server.hello);
  const auto tags = hello ? hello->find("tags") : std::nullopt;
  const auto document = tags ? tags->object() : std::nullopt;
  if (!document) return false;
  return std::ranges::all_of(wanted, [&](const auto& tag) {
    const auto value = document->find(tag.first);
    return value && value->text() == tag.second;
  });
}

candidates of_type(const upstream_snapshot& now, server_type type) {
  candidates out;
  for (const auto& server : now.servers) {
    if (server.type == type) out.push_back(&server);
  }
  return out;
}

// How far behind the primary, or where there is none behind the most recent secondary, a secondary's data are at most
// (max staleness specification). Empty: its replies do not tell.
std::optional<std::int64_t> staleness_ms(const upstream_snapshot& now, const upstream_server& secondary) {
  if (secondary.last_write_ms < 0 || secondary.heard_ms < 0) return std::nullopt;
  if (const auto primaries = of_type(now, server_type::primary); !primaries.empty()) {
    const auto& primary = *primaries.front();
    if (primary.last_write_ms < 0 || primary.heard_ms < 0) return std::nullopt;
    return (secondary.heard_ms - secondary.last_write_ms) - (primary.heard_ms - primary.last_write_ms) +
           heartbeat_period_ms;
  }
  std::int64_t newest = secondary.last_write_ms;
  for (const auto* other : of_type(now, server_type::secondary)) newest = std::max(newest, other->last_write_ms);
  return newest - secondary.last_write_ms + heartbeat_period_ms;
}

void drop_stale(candidates& from, const upstream_snapshot& now, const read_preference& wanted) {
  if (!wanted.max_staleness) return;
  std::erase_if(from, [&](const upstream_server* server) {
    if (server->type != server_type::secondary) return false;
    const auto behind = staleness_ms(now, *server);
    return !behind || *behind > *wanted.max_staleness * 1000;
  });
}

// The members that carry the first tag set that any of them carries.
candidates tagged(const candidates& from, const read_preference& wanted) {
  if (wanted.tag_sets.empty()) return from;
  for (const auto& tags : wanted.tag_sets) {
    candidates out;
    std::ranges::copy_if(from, std::back_inserter(out), [&](const auto* server) { return carries(*server, tags); });
    if (!out.empty()) return out;
  }
  return {};
}

candidates within_latency_window(candidates from) {
  std::int64_t nearest = -1;
  for (const auto* server : from) {
    if (server->round_trip_ms >= 0 && (nearest < 0 || server->round_trip_ms < nearest)) nearest = server->round_trip_ms;
  }
  if (nearest >= 0) {
    std::erase_if(from, [&](const auto* server) { return server->round_trip_ms > nearest + latency_window_ms; });
  }
  return from;
}

}  // namespace

std::optional<read_preference> parse_read_preference(bson_view document) {
  read_preference out;
  const auto mode = document.find("mode");
  const auto known = mode && mode->text() ? mode_of(*mode->text()) : std::nullopt;
  if (!known) return std::nullopt;
  out.mode = *known;
  if (const auto tags = document.find("tags")) {
    const auto array = tags->array();
    if (!array || !parse_tag_sets(*array, out.tag_sets)) return std::nullopt;
  }
  if (const auto limit = document.find("maxStalenessSeconds")) {
    const auto seconds = limit->integer();
    if (!seconds) return std::nullopt;
    if (*seconds >= 0) out.max_staleness = std::min<std::int64_t>(*seconds, 1'000'000'000);  // -1: no limit
  }
  return out;
}

std::optional<server_address> choose_server(const upstream_snapshot& now, const read_preference& wanted,
                                            const std::function<std::size_t(std::size_t)>& dice) {
  auto target = now.available ? std::optional<server_address>({now.host, now.port}) : std::nullopt;
  // One server only, or a mongos, which chooses for itself.
  const bool is_set = now.kind == upstream_kind::replica_set && !now.direct;
  if (!is_set || wanted.mode == read_mode::primary) return target;
  if (wanted.mode == read_mode::primary_preferred && target) return target;
  auto fit = of_type(now, server_type::secondary);
  if (wanted.mode == read_mode::nearest) std::ranges::copy(of_type(now, server_type::primary), std::back_inserter(fit));
  drop_stale(fit, now, wanted);
  fit = within_latency_window(tagged(fit, wanted));
  if (!fit.empty()) {
    const auto& one = *fit[fit.size() == 1 ? 0 : dice(fit.size()) % fit.size()];
    return server_address{one.host, one.port};
  }
  return wanted.mode == read_mode::secondary_preferred ? target : std::nullopt;
}

}  // namespace mongocached::daemon
