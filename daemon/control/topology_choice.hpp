// What one look at the cluster means for clients: pure decisions behind topology_monitor, tested without sockets.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "daemon/control/topology.hpp"

namespace mongocached::daemon {

// The cluster as one source (libmongoc's monitors, or one probe of our own) saw it.
struct topology_observation {
  bool direct = false;   // directConnection=true: the one server, whatever it is
  std::string set_name;  // as the URI names it; else it is read from the hello replies
  std::vector<upstream_server> servers;
  std::map<std::string, std::string> errors;  // host:port -> why its last check failed
  std::string trouble;                        // no servers at all: why (a failed DNS look-up, ...)

  // libmongoc tells only of servers that answer; those that were opened and not closed again are known, too.
  void open(const std::string& host, std::uint16_t port);
  void close(const std::string& host, std::uint16_t port);
  void update(std::vector<upstream_server> answering);
  // A heartbeat: what upstream_server says of last_write_ms and heard_ms. False if there is no such server.
  bool heard(const std::string& address, std::int64_t last_write_ms, std::int64_t now_ms);
};

// The snapshot after `before`, given what is seen now: target rules of topology.hpp. The version is bumped where they
// say so.
[[nodiscard]] upstream_snapshot choose_target(const upstream_snapshot& before, const topology_observation& seen);

// Its last check failed. One that is merely unknown may be well: an election has passed it over, or it has yet to
// answer.
[[nodiscard]] bool is_unreachable(const upstream_server& server, const topology_observation& seen);

// Whether anything a reader of snapshots may look at differs.
[[nodiscard]] bool same_content(const upstream_snapshot& a, const upstream_snapshot& b);

// What a probe made after an election signal says about the published snapshot.
enum class probe_verdict : std::uint8_t {
  agrees,       // nothing to do
  contradicts,  // the target is no longer one, or another server is primary by a newer election: believe the probe
  silent,       // the target did not answer; that alone may be a full listen queue: ask again before believing it
};
[[nodiscard]] probe_verdict judge_probe(const upstream_snapshot& now, const topology_observation& probe);

// Election a is older than b. An election without an id (a server older than 3.2) is neither older nor newer.
[[nodiscard]] bool older_election(const upstream_snapshot& a, const upstream_snapshot& b);

// host:port, with brackets around an IPv6 address.
[[nodiscard]] std::string host_and_port(const std::string& host, std::uint16_t port);

}  // namespace mongocached::daemon
