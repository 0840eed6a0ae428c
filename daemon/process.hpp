// What all data threads of the daemon share. Built once by `server`, handed down by reference; outlives every session.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>

#include "cache/authorization.hpp"
#include "cache/coherence.hpp"
#include "cache/transaction_table.hpp"
#include "cache/writing_cursors.hpp"
#include "config/settings.hpp"
#include "daemon/buffer_budget.hpp"
#include "daemon/cluster_clock.hpp"
#include "daemon/control/topology.hpp"
#include "daemon/event_limiter.hpp"
#include "daemon/log.hpp"
#include "daemon/name_lookup.hpp"
#include "daemon/pooled/login_state.hpp"
#include "daemon/pooled/pins.hpp"
#include "daemon/pooled/upstream_login.hpp"
#include "daemon/pooled/user_table.hpp"

namespace boost::asio::ssl {
class context;
}

namespace mongocached::daemon {

// The read concern that the cluster gives to a read without one (S2), as far as it was asked.
// S2. `untold`: refused to who asked. `other`: one whose reads are not for the cache.
enum class default_level : std::uint8_t { unknown, local, majority, untold, other };

// A server without change streams leaves mode `bounded` with what `ttl` promises; `strict` promises nothing then, and
// its gate stays shut. Of one that does not show them to us (stream_state::denied) that cannot be said.
[[nodiscard]] constexpr cache::promise promise_of(config::cache_mode mode, bool stream_refused) noexcept {
  if (mode == config::cache_mode::strict) return cache::promise::strict;
  return mode == config::cache_mode::ttl || stream_refused ? cache::promise::ttl : cache::promise::bounded;
}

struct served_hit;

[[nodiscard]] inline bool uses_mode(const config::settings& settings, config::cache_mode mode) noexcept {
  const auto of_rule = [mode](const config::collection_rule& rule) { return rule.mode == mode; };
  return settings.cache.mode == mode || std::ranges::any_of(settings.collections, of_rule);
}

// Off in general, a rule may still have its namespaces cached.
[[nodiscard]] inline bool caches_anything(const config::settings& settings) noexcept {
  const auto by_rule = [](const config::collection_rule& rule) { return rule.enabled.value_or(false); };
  return settings.cache.enabled || std::ranges::any_of(settings.collections, by_rule);
}

[[nodiscard]] inline std::uint64_t largest_entry(const config::settings& settings) noexcept {
  auto largest = settings.cache.max_entry;
  for (const auto& rule : settings.collections) largest = std::max(largest, rule.max_entry.value_or(0));
  return largest;
}

struct process {
  process(std::shared_ptr<const config::settings> initial, logger& log_to, std::size_t threads_)
      : settings(std::move(initial)),
        log(log_to),
        buffers(settings.load()->listen.max_buffered),
        threads(threads_),
        local({.budget_bytes = settings.load()->cache.memory, .largest = largest_entry(*settings.load())}),
        coherence(local, {.threads = threads_}),
        authorization(settings.load()->upstream.authz_ttl) {}

  // Replaced as a whole on SIGHUP; threads pick it up within a sweep.
  std::atomic<std::shared_ptr<const config::settings>> settings;
  logger& log;
  event_limiter limiter;  // of log lines that clients can cause at will
  buffer_budget buffers;
  const std::size_t threads;
  cache::local_cache local;
  cache::coherence coherence;
  cache::authorization authorization;
  cache::transaction_table transactions;
  cache::writing_cursors writing_cursors;
  cluster_clock clock;
  std::shared_ptr<name_lookup> names = std::make_shared<name_lookup>();

  // Pooled: who may log in, who opened what, and the user that all traffic runs under. Null in passthrough mode.
  std::atomic<std::shared_ptr<const user_table>> users;
  std::unique_ptr<upstream_account> account;
  login_state pool_login;
  daemon::pins pins;

  // TLS towards clients, replaced on SIGHUP, and towards the upstream; null: plain.
  std::atomic<std::shared_ptr<boost::asio::ssl::context>> client_tls;
  std::atomic<std::shared_ptr<boost::asio::ssl::context>> upstream_tls;
  bool check_upstream_host = true;
  protocol::compression_offer compression;  // of the connections to the upstream that carry clients' traffic

  std::atomic<bool> stream_refused{true};
  // C3: what is in Redis, in its present epoch, has been kept up to date without a gap.
  std::atomic<bool> redis_covered{false};

  std::atomic<default_level> default_read_level{default_level::unknown};
  std::atomic<cache::instant::rep> default_read_level_until{0};
  // Of those defaults, by clients of ours: how many there were, and how many are on their way.
  std::atomic<std::uint32_t> default_changes{0};
  std::atomic<std::uint32_t> default_changes_begun{0};

  std::atomic<std::int32_t> last_connection_id{0};
  std::atomic<std::uint32_t> last_read{0};  // numbers the reads that fill the cache (entry_meta::read)
  std::atomic<std::uint32_t> client_count{0};
  std::atomic<std::uint32_t> max_connections{0};
  alignas(64) std::atomic<std::uint32_t> in_flight{0};  // requests that are with a flow
  std::array<std::uint8_t, 12> service_id{};
  std::string advertise;  // of a replica set's only member; empty: poses as a mongos

  // Takes a hit to be verified; empty: nothing is verified.
  std::function<void(served_hit&)> verify;

  // Hands the status document (BSON), made on a thread of its own, to `take` on that thread; empty: it could not be
  // made. False: too many ask for it now.
  std::function<bool(std::function<void(protocol::byte_buffer)> take)> ask_status =
      [](const std::function<void(protocol::byte_buffer)>&) { return false; };
  // The upstream was last seen to answer a client that had not logged in (I4).
  std::atomic<bool> upstream_asks_no_login{false};

  // An election signal (F4): the control plane shall look again.
  std::function<void()> request_topology_check = [] {};
};

}  // namespace mongocached::daemon
