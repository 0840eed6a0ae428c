// Which server all clients go to now: the control plane's view of the upstream cluster.
//
// A topology_monitor follows the cluster with libmongoc's own monitoring (server discovery and monitoring
// specification, streaming hello) on libmongoc's threads and publishes immutable snapshots. It never authenticates and
// client traffic never passes through it. libmongoc stays out of this header.
//
// Target rules (wire rule U3): of a replica set the primary; a standalone; one mongos of several, sticky until it
// fails; with directConnection=true just that server, whatever its state.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/control/upstream_uri.hpp"
#include "protocol/bytes.hpp"

namespace mongocached::daemon {

enum class upstream_kind : std::uint8_t { unknown, standalone, replica_set, sharded };
[[nodiscard]] const char* name_of(upstream_kind kind) noexcept;

enum class server_type : std::uint8_t { unknown, standalone, primary, secondary, arbiter, mongos, other };
[[nodiscard]] const char* name_of(server_type type) noexcept;

struct upstream_server {
  std::string host;  // without brackets where it is an IPv6 address
  std::uint16_t port = 0;
  server_type type = server_type::unknown;
  std::int64_t round_trip_ms = -1;  // -1: not known
  protocol::byte_buffer hello;      // raw BSON of its hello reply; empty while unknown
  // Of its newest heartbeat, in milliseconds: lastWrite.lastWriteDate by its own clock, and when it came by ours. -1:
  // not known. They change without a new version.
  std::int64_t last_write_ms = -1;
  std::int64_t heard_ms = -1;
  bool unreachable = false;  // unknown because its last check failed, not because it has yet to answer
};

// How often a member is heard of at least: libmongoc's heartbeatFrequencyMS.
inline constexpr std::int64_t heartbeat_period_ms = 10'000;

struct upstream_snapshot {
  upstream_kind kind = upstream_kind::unknown;
  bool available = false;  // clients can be sent to host:port now
  bool direct = false;     // directConnection=true: no other server is one to be chosen
  std::string host;        // the target; while not available the last one, empty if there never was one
  std::uint16_t port = 0;
  protocol::byte_buffer hello;        // the target's hello reply, raw BSON; while not available the last one
  std::string set_name;               // replica_set only
  std::string auth_source;            // what the TXT record of a mongodb+srv name says; empty: nothing
  protocol::byte_buffer election_id;  // 12 bytes of the target's electionId; empty: none
  std::int64_t set_version = 0;
  std::string description;  // one sentence for the status page; where not available, why. No password in it.
  std::vector<upstream_server> servers;  // all that are known, sorted by host and port
  std::uint64_t version = 0;  // bumped on every change of kind, availability, target or election; 1 is the first
};

using snapshot_ptr = std::shared_ptr<const upstream_snapshot>;

class topology_monitor {
 public:
  // Called on libmongoc's threads and on the monitor's own one, never on two at once and never after the destructor has
  // returned; snapshots come in the order of their versions (one version may come twice when only `servers` or
  // `description` changed). Must be quick, must not throw, must not destroy the monitor; may call current() and
  // request_check().
  using callback = std::function<void(snapshot_ptr)>;
  // What a majority has, as the target tells with each heartbeat (lastWrite.majorityOpTime; 0: it does not). On the
  // same terms.
  using majority_callback = std::function<void(std::uint64_t)>;

  // Starts monitoring and returns at once: DNS look-ups and connects happen in the background, and go on until they
  // succeed. `uri` is a parsed one, so that nothing here can fail for the operator's mistake. `connect_timeout` holds
  // where the URI names no connectTimeoutMS. `on_change` is first called when something is known.
  topology_monitor(const upstream_uri& uri, std::chrono::milliseconds connect_timeout, callback on_change,
                   majority_callback on_majority = {});

  // Ends within a second of ask_to_stop() whatever the network does: a look-up or connect that still hangs is left to
  // end by itself.
  ~topology_monitor();
  topology_monitor(const topology_monitor&) = delete;
  topology_monitor& operator=(const topology_monitor&) = delete;

  // Returns at once; from here on nothing is called back. The owner's thread.
  void ask_to_stop();

  // Never null; version 0 before anything is known. Thread-safe.
  [[nodiscard]] snapshot_ptr current() const;

  // An election signal (wire rule F4: NotPrimary, shutdown codes, a lost connection): ask the servers soon instead of
  // at the next heartbeat. Thread-safe, never blocks; many calls make one check, at most one each 500 ms.
  void request_check();

 private:
  class impl;
  std::shared_ptr<impl> impl_;
};

}  // namespace mongocached::daemon
