// A data thread's share of the pool: for each server of the cluster at most its part of upstream.pool_size, so that all
// threads together never have more. One thread.
#pragma once

#include <map>

#include "config/settings.hpp"
#include "daemon/pooled/connection_pool.hpp"
#include "daemon/pooled/pooled_link.hpp"

namespace mongocached::daemon {

// What of `size` thread `index` of `threads` has. The shares of all add up to `size`.
[[nodiscard]] constexpr std::size_t pool_share(std::size_t size, std::size_t threads, std::size_t index) noexcept {
  return size / threads + (index < size % threads ? 1 : 0);
}

class upstream_pools {
 public:
  using pool = connection_pool<pooled_link>;

  explicit upstream_pools(std::size_t share) : share_(share) {}

  [[nodiscard]] pool& of(const server_address& server);
  void sweep(cache::instant now);
  // At the end: nothing idle is kept, and what is borrowed is not taken back.
  void close();
  // Connections to a server that was the target and is so no longer, or that is gone, are not used again.
  void topology_changed(const upstream_snapshot& before, const upstream_snapshot& now);

 private:
  const std::size_t share_;
  std::map<std::pair<std::string, std::uint16_t>, pool> pools_;
};

}  // namespace mongocached::daemon
