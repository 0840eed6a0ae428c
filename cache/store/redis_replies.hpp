// How the parts of a reply are read. Internal to redis_commands.
#pragma once

#include <utility>

#include "cache/store/redis_keys.hpp"
#include "cache/store/resp.hpp"
#include "cache/store/shared_store.hpp"

namespace mongocached::cache {

// Rounded up: nothing of ours takes zero for "at once".
[[nodiscard]] inline std::int64_t whole_ms(duration time) {
  return std::chrono::ceil<std::chrono::milliseconds>(time).count();
}

[[nodiscard]] inline bool is_array(const resp_value& value, std::size_t at_least) {
  return value.type == resp_type::array && value.elements.size() >= at_least;
}

// The epoch that a script answered with: empty text means none.
[[nodiscard]] inline std::optional<epoch_name> epoch_in(const resp_value& value) {
  if (value.type != resp_type::bulk) return std::nullopt;
  if (value.bytes.empty()) return epoch_name{};
  return bytes_from_hex(value.text().substr(0, 32));
}

// Token and N of a generation key's value; both zero for "hold" and for anything else.
[[nodiscard]] inline std::pair<generation_token, cluster_time> token_in(const resp_value& value) {
  const auto text = value.text();
  if (text.size() != 49 || text[32] != ':') return {};
  const auto token = bytes_from_hex(text.substr(0, 32));
  const auto newest = time_from_hex(text.substr(33));
  if (!token || !newest) return {};
  return {*token, *newest};
}

// What PTTL and GET say of a value, `elapsed` after they were asked. -2: not there, -1: lives for ever, which nothing
// of ours does.
[[nodiscard]] inline store_item item_in(const resp_value& left, resp_value& value, duration elapsed) {
  if (left.integer <= 0 || left.integer > INT64_MAX / 1'000'000 || value.type != resp_type::bulk) return {};
  const duration remaining = std::chrono::milliseconds(left.integer) - elapsed;
  if (remaining <= duration::zero()) return {};
  return {std::move(value.bytes), remaining};
}

}  // namespace mongocached::cache
