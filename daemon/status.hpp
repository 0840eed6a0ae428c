// What GET /status says, as JSON, and the same for {mongocached: 1}, as BSON: made once, written twice.
#pragma once

#include <string>
#include <vector>

#include "cache/store/redis_store.hpp"
#include "daemon/coherence_feed.hpp"
#include "daemon/data_thread.hpp"
#include "protocol/bson_builder.hpp"

namespace mongocached::daemon {

struct status_input {
  std::string version;
  cache::duration uptime{};
  process& shared;
  const std::vector<std::unique_ptr<data_thread>>& threads;
  snapshot_ptr upstream;
  const cache::redis_hub* redis = nullptr;  // null: none configured, or the upstream not known yet
  std::optional<feed_status> stream;        // empty: no mode asks for one
  std::string redis_state;
};

[[nodiscard]] std::string status_json(const status_input& input);
// Appends the same to a reply. Walks the whole cache: not for a data thread.
void append_status(protocol::bson_builder& out, const status_input& input);

}  // namespace mongocached::daemon
