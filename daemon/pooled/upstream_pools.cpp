#include "daemon/pooled/upstream_pools.hpp"

#include <algorithm>
#include <limits>

namespace mongocached::daemon {

upstream_pools::pool& upstream_pools::of(const server_address& server) {
  return pools_.try_emplace({server.host, server.port}, pool_limits{.connections = share_}).first->second;
}

void upstream_pools::sweep(cache::instant now) {
  for (auto& [server, one] : pools_) one.sweep(now);
  std::erase_if(pools_, [](const auto& entry) { return entry.second.open() == 0 && entry.second.waiting() == 0; });
}

void upstream_pools::close() {
  for (auto& [server, one] : pools_) one.renew(std::numeric_limits<std::uint64_t>::max());
}

void upstream_pools::topology_changed(const upstream_snapshot& before, const upstream_snapshot& now) {
  for (auto& [where, one] : pools_) {
    const auto is_here = [&host = where.first, port = where.second](const auto& server) {
      return server.host == host && server.port == port;
    };
    const bool known = std::ranges::any_of(now.servers, is_here) || is_here(now);
    const bool deposed = before.available && is_here(before) && now.available && !is_here(now);
    if (!known || deposed) one.renew(now.version);
  }
}

}  // namespace mongocached::daemon
