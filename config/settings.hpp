// Everything an operator can set, as one plain aggregate. load() (load.hpp) makes it, main hands it down; nobody
// changes it.
//
// A default-constructed `settings` holds the documented defaults; only upstream.uri has none and must be given.
// Durations are nanoseconds, sizes are bytes. What each key means is said once, in keys.cpp, from which the annotated
// sample and docs/configuration.md are made. Thread safety: that of an aggregate (read it from everywhere, write it
// nowhere).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/secret.hpp"

namespace mongocached::config {

using duration = std::chrono::nanoseconds;

enum class pose_kind { mongos, replica_set };    // what clients take us for
enum class auth_kind { passthrough, pooled };    // whose credentials client traffic runs under
enum class cache_mode { bounded, strict, ttl };  // coherence: "Modes, per collection"
enum class log_level { trace, debug, info, warn, error };
enum class log_format { text, json };

[[nodiscard]] const char* name_of(pose_kind value) noexcept;
[[nodiscard]] const char* name_of(auth_kind value) noexcept;
[[nodiscard]] const char* name_of(cache_mode value) noexcept;
[[nodiscard]] const char* name_of(log_level value) noexcept;
[[nodiscard]] const char* name_of(log_format value) noexcept;

// HOST:PORT. `host` is a name or an address, an IPv6 one without its brackets. Port 0 (only where we listen): any free
// port.
struct endpoint {
  std::string host;
  std::uint16_t port = 0;

  [[nodiscard]] bool is_loopback() const;  // by spelling: 127.*, ::1, localhost
  friend bool operator==(const endpoint&, const endpoint&) = default;
};

[[nodiscard]] std::string to_string(const endpoint& value);  // with brackets round an IPv6 host

struct listen_settings {
  endpoint address{"127.0.0.1", 27017};
  std::uint32_t threads = 0;  // 0: one a core
  std::uint32_t max_connections = 10'000;
  std::uint32_t max_in_flight = 10'000;       // requests that wait for Redis or the upstream
  std::uint64_t max_buffered = 256ULL << 20;  // bytes held for clients in the whole process
  duration buffer_timeout = std::chrono::seconds{5};
  std::string tls_cert;  // paths; empty: none
  std::string tls_key;
  std::string tls_client_ca;
  std::string unix_socket;
  duration drain_timeout = std::chrono::seconds{10};
  pose_kind pose = pose_kind::mongos;
  std::optional<endpoint> advertise;   // always there with pose replica_set
  bool allow_unauthenticated = false;  // pooled only: who has not logged in is served

  friend bool operator==(const listen_settings&, const listen_settings&) = default;
};

struct upstream_settings {
  config::uri uri;
  duration connect_timeout = std::chrono::seconds{5};
  auth_kind auth = auth_kind::passthrough;
  std::uint32_t pool_size = 100;  // connections a server, pooled only
  duration authz_ttl = std::chrono::seconds{30};

  friend bool operator==(const upstream_settings&, const upstream_settings&) = default;
};

struct redis_settings {
  std::optional<config::uri> uri;  // none: no shared cache
  std::string tls_ca;              // a path; empty: what the system trusts
  duration timeout = std::chrono::milliseconds{20};
  std::string key_prefix = "mongocached";

  friend bool operator==(const redis_settings&, const redis_settings&) = default;
};

struct http_settings {
  std::optional<endpoint> address = endpoint{"127.0.0.1", 9217};  // none: no side port
  secret token;                                                   // empty: none

  friend bool operator==(const http_settings&, const http_settings&) = default;
};

struct cache_settings {
  bool enabled = true;                  // false: relay only
  std::uint64_t memory = 256ULL << 20;  // 0: no cache in this process
  std::uint64_t max_entry = 1ULL << 20;
  duration ttl = std::chrono::minutes{5};
  duration negative_ttl = std::chrono::seconds{30};  // 0: an absent document is not remembered
  cache_mode mode = cache_mode::bounded;
  duration max_lag = std::chrono::seconds{1};
  duration serve_stale_on_error{0};  // 0: never
  double verify_share = 0.0001;      // of the hits that are checked against the upstream, 0..1

  friend bool operator==(const cache_settings&, const cache_settings&) = default;
};

// One [[collection]]: what is set here replaces the value of [cache] for the namespaces that it matches.
struct collection_rule {
  std::string pattern;  // "db.collection", or a prefix of such names that ends in '*'
  std::optional<bool> enabled;
  std::optional<std::uint64_t> memory;  // 0 only: keep these out of this process' memory
  std::optional<std::uint64_t> max_entry;
  std::optional<duration> ttl;
  std::optional<duration> negative_ttl;
  std::optional<cache_mode> mode;
  std::optional<duration> max_lag;
  std::optional<duration> serve_stale_on_error;
  std::optional<double> verify_share;

  [[nodiscard]] bool matches(std::string_view ns) const noexcept;
  friend bool operator==(const collection_rule&, const collection_rule&) = default;
};

// Who may connect when upstream.auth is pooled: of `password` and `scram_sha_256` exactly one is given. In passthrough
// mode: which of the upstream's users are administrators of the proxy; no password is needed.
struct user {
  std::string name;
  secret password;
  bool admin = false;
  secret scram_sha_256{};  // "SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey"

  friend bool operator==(const user&, const user&) = default;
};

struct log_settings {
  log_level level = log_level::info;
  log_format format = log_format::text;
  duration slow = std::chrono::milliseconds{100};  // 0: slow requests are not logged

  friend bool operator==(const log_settings&, const log_settings&) = default;
};

struct settings {
  listen_settings listen;
  upstream_settings upstream;
  redis_settings redis;
  http_settings http;
  cache_settings cache;
  log_settings log;
  std::vector<collection_rule> collections;
  std::vector<user> users;

  // [cache] as it stands for namespace `ns` ("db.collection"): the most specific rule that matches, an exact name
  // before a longer prefix before a shorter one; what that rule leaves out comes from [cache], not from a less specific
  // rule. Walks all rules: resolve a namespace once and keep the answer.
  [[nodiscard]] cache_settings cache_for(std::string_view ns) const;

  friend bool operator==(const settings&, const settings&) = default;
};

}  // namespace mongocached::config
