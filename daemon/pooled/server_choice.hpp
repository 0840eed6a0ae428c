// Which server of the cluster a read goes to (wire rule U6; the drivers' server selection specification): mode, tag
// sets, maxStalenessSeconds, and of those that fit one within the latency window. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/control/topology.hpp"
#include "daemon/pooled/pins.hpp"
#include "protocol/bson_view.hpp"

namespace mongocached::daemon {

enum class read_mode : std::uint8_t { primary, primary_preferred, secondary, secondary_preferred, nearest };

struct read_preference {
  using tag_set = std::vector<std::pair<std::string, std::string>>;

  read_mode mode = read_mode::primary;
  std::vector<tag_set> tag_sets;              // tried in this order; none: any member
  std::optional<std::int64_t> max_staleness;  // seconds
};

// `document`: the value of $readPreference. Empty where it is none; the server's own words for that are not ours to
// find: the primary says them.
[[nodiscard]] std::optional<read_preference> parse_read_preference(protocol::bson_view document);

// A smaller maxStalenessSeconds is refused (the specification; error 160).
inline constexpr std::int64_t least_max_staleness = 90;
// Servers that take this much longer than the nearest one are not nearest.
inline constexpr std::int64_t latency_window_ms = 15;

// `dice`: below its argument, to spread reads over those that fit. Empty: no server fits now.
[[nodiscard]] std::optional<server_address> choose_server(const upstream_snapshot& now, const read_preference& wanted,
                                                          const std::function<std::size_t(std::size_t)>& dice);

}  // namespace mongocached::daemon
