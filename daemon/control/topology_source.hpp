// libmongoc's topology events as topology_observations. The only place that reads its descriptions; included by
// topology.cpp alone, for libmongoc's types stay out of every header that others use.
#pragma once

#include <mongoc/mongoc.h>

#include <functional>
#include <memory>
#include <vector>

#include "daemon/control/topology_choice.hpp"

namespace mongocached::daemon {

using mongoc_uri_ptr = std::unique_ptr<mongoc_uri_t, decltype(&mongoc_uri_destroy)>;
using mongoc_client_pool_ptr = std::unique_ptr<mongoc_client_pool_t, decltype(&mongoc_client_pool_destroy)>;
using mongoc_client_ptr = std::unique_ptr<mongoc_client_t, decltype(&mongoc_client_destroy)>;
using mongoc_callbacks_ptr = std::unique_ptr<mongoc_apm_callbacks_t, decltype(&mongoc_apm_callbacks_destroy)>;

// lastWrite of a hello reply.
struct last_write {
  std::int64_t date_ms = -1;   // lastWriteDate; -1: none
  std::uint64_t majority = 0;  // majorityOpTime, as a timestamp; 0: none
};

// Receives what libmongoc sees, on its threads, with its locks held: must not call back into libmongoc.
class topology_listener {
 public:
  virtual void on_server_opened(const std::string& host, std::uint16_t port) = 0;
  virtual void on_server_closed(const std::string& host, std::uint16_t port) = 0;
  virtual void on_servers(std::vector<upstream_server> answering) = 0;
  virtual void on_check_failed(const std::string& address, const std::string& why) = 0;
  virtual void on_check_succeeded(const std::string& address, const last_write& told) = 0;

 protected:
  ~topology_listener() = default;
};

// Callbacks that expect a topology_listener* as context.
[[nodiscard]] mongoc_callbacks_ptr topology_callbacks();

// The URI that monitoring uses. Never null for a parsed upstream_uri.
[[nodiscard]] mongoc_uri_ptr monitoring_uri(const upstream_uri& uri, std::chrono::milliseconds connect_timeout);

// The same, naming the servers that are known now instead of the seeds: no DNS look-up for mongodb+srv, no seed that
// has gone.
[[nodiscard]] mongoc_uri_ptr probe_uri(const upstream_uri& uri, const std::vector<upstream_server>& servers,
                                       std::chrono::milliseconds connect_timeout);

// The authSource of a client's URI, empty where there is none: of one without credentials it is the TXT record's.
[[nodiscard]] std::string auth_source_in(const mongoc_uri_t* uri);

// All servers asked once by a single-threaded client of its own, beginning with `start`. Blocks for the URI's connect
// timeout at most for each step of discovery. `on_view` is told of every change on the way.
[[nodiscard]] topology_observation scan_once(const mongoc_uri_ptr& uri, topology_observation start,
                                             std::function<void(const topology_observation&)> on_view);

}  // namespace mongocached::daemon
