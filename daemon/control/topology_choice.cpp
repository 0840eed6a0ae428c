#include "daemon/control/topology_choice.hpp"

#include <algorithm>
#include <optional>
#include <tuple>

#include "protocol/bson_view.hpp"

namespace mongocached::daemon {
namespace {

bool is_target(const topology_observation& seen, server_type type) {
  if (type == server_type::unknown) return false;
  return seen.direct || type == server_type::primary || type == server_type::mongos || type == server_type::standalone;
}

bool is_member(server_type type) {
  return type == server_type::primary || type == server_type::secondary || type == server_type::arbiter ||
         type == server_type::other;
}

upstream_kind kind_of(server_type type) {
  if (is_member(type)) return upstream_kind::replica_set;
  if (type == server_type::mongos) return upstream_kind::sharded;
  return type == server_type::standalone ? upstream_kind::standalone : upstream_kind::unknown;
}

bool is_at(const upstream_server& server, const upstream_snapshot& snapshot) {
  return server.host == snapshot.host && server.port == snapshot.port;
}

// Sticky: the present target where it still is one, else the first by name (every proxy picks the same mongos only by
// chance of the order of names, which is as good as any order). A primary is alone in its kind, so that order does not
// matter there.
const upstream_server* pick(const upstream_snapshot& before, const topology_observation& seen) {
  const upstream_server* first = nullptr;
  for (const upstream_server& server : seen.servers) {
    if (!is_target(seen, server.type)) continue;
    if (is_at(server, before)) return &server;
    if (first == nullptr) first = &server;
  }
  return first;
}

void read_election(upstream_snapshot& out, const upstream_server& target) {
  out.election_id.clear();
  out.set_version = 0;
  if (out.kind != upstream_kind::replica_set) return;
  const auto hello = protocol::bson_view::parse(target.hello);
  if (!hello) return;
  if (const auto id = hello->find("electionId"); id && id->is(protocol::bson_type::object_id)) {
    out.election_id.assign(id->value.begin(), id->value.end());
  }
  if (const auto number = hello->find("setVersion")) out.set_version = number->integer().value_or(0);
}

std::string set_name_of(const topology_observation& seen) {
  for (const upstream_server& server : seen.servers) {
    if (!is_member(server.type)) continue;
    const auto hello = protocol::bson_view::parse(server.hello);
    if (!hello) continue;
    const auto name = hello->find("setName");
    if (const auto text = name ? name->text() : std::nullopt) return std::string(*text);
  }
  return seen.set_name;
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return text;
}

std::string describe_servers(const topology_observation& seen) {
  std::string text;
  for (const upstream_server& server : seen.servers) {
    const std::string address = host_and_port(server.host, server.port);
    text += (text.empty() ? "" : "; ") + address + " is " + name_of(server.type);
    const auto error = seen.errors.find(address);
    if (server.type == server_type::unknown && error != seen.errors.end()) text += " (" + one_line(error->second) + ")";
  }
  return text;
}

std::string describe_errors(const topology_observation& seen) {
  std::string text;
  for (const auto& [address, why] : seen.errors)
    text += (text.empty() ? "" : "; ") + address + " (" + one_line(why) + ")";
  return text.empty() ? "not looked up yet" : text;
}

std::string describe(const upstream_snapshot& snapshot, const topology_observation& seen,
                     const upstream_server* target) {
  if (target != nullptr) {
    const std::string address = host_and_port(target->host, target->port);
    if (seen.direct) return std::string("direct connection to ") + name_of(target->type) + " " + address;
    switch (snapshot.kind) {
      case upstream_kind::replica_set:
        return "replica set " + snapshot.set_name + ", primary " + address + ", " +
               std::to_string(seen.servers.size()) + (seen.servers.size() == 1 ? " member" : " members");
      case upstream_kind::sharded:
        return "sharded cluster through mongos " + address + ", " + std::to_string(seen.servers.size()) + " known";
      case upstream_kind::standalone:
      case upstream_kind::unknown:
        break;
    }
    return "standalone server " + address;
  }
  if (seen.servers.empty())
    return "no server known: " + (seen.trouble.empty() ? describe_errors(seen) : one_line(seen.trouble));
  const bool members = std::any_of(seen.servers.begin(), seen.servers.end(),
                                   [](const upstream_server& server) { return is_member(server.type); });
  return (members ? "no primary: " : "no server reachable: ") + describe_servers(seen);
}

}  // namespace

const char* name_of(upstream_kind kind) noexcept {
  switch (kind) {
    case upstream_kind::unknown:
      return "unknown";
    case upstream_kind::standalone:
      return "standalone";
    case upstream_kind::replica_set:
      return "replica_set";
    case upstream_kind::sharded:
      return "sharded";
  }
  return "unknown";
}

const char* name_of(server_type type) noexcept {
  switch (type) {
    case server_type::unknown:
      return "unknown";
    case server_type::standalone:
      return "standalone";
    case server_type::primary:
      return "primary";
    case server_type::secondary:
      return "secondary";
    case server_type::arbiter:
      return "arbiter";
    case server_type::mongos:
      return "mongos";
    case server_type::other:
      return "other";
  }
  return "unknown";
}

std::string host_and_port(const std::string& host, std::uint16_t port) {
  const bool six = host.find(':') != std::string::npos;
  return (six ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

void topology_observation::open(const std::string& host, std::uint16_t port) {
  close(host, port);
  servers.push_back({host, port, server_type::unknown, -1, {}});
}

void topology_observation::close(const std::string& host, std::uint16_t port) {
  std::erase_if(servers, [&](const upstream_server& server) { return server.host == host && server.port == port; });
}

void topology_observation::update(std::vector<upstream_server> answering) {
  for (upstream_server& server : servers) {
    const auto found = std::find_if(answering.begin(), answering.end(), [&](const upstream_server& other) {
      return other.host == server.host && other.port == server.port;
    });
    if (found != answering.end()) {
      const auto [written, came] = std::pair(server.last_write_ms, server.heard_ms);
      server = std::move(*found);
      server.last_write_ms = written;
      server.heard_ms = came;
    } else {
      server = {server.host, server.port, server_type::unknown, -1, {}};
    }
  }
}

bool topology_observation::heard(const std::string& address, std::int64_t last_write_ms, std::int64_t now_ms) {
  for (upstream_server& server : servers) {
    if (host_and_port(server.host, server.port) != address) continue;
    server.last_write_ms = last_write_ms;
    server.heard_ms = now_ms;
    return true;
  }
  return false;
}

upstream_snapshot choose_target(const upstream_snapshot& before, const topology_observation& seen) {
  upstream_snapshot after = before;
  after.direct = seen.direct;
  after.servers = seen.servers;
  for (upstream_server& server : after.servers) server.unreachable = is_unreachable(server, seen);
  std::sort(after.servers.begin(), after.servers.end(), [](const upstream_server& a, const upstream_server& b) {
    return std::tie(a.host, a.port) < std::tie(b.host, b.port);
  });
  topology_observation sorted = seen;
  sorted.servers = after.servers;

  const upstream_server* target = pick(before, sorted);
  after.available = target != nullptr;
  if (target != nullptr) {
    after.kind = kind_of(target->type);
    after.host = target->host;
    after.port = target->port;
    after.hello = target->hello;
    read_election(after, *target);
  } else {
    for (const upstream_server& server : sorted.servers) {  // a set without a primary is known to be a set
      if (after.kind == upstream_kind::unknown) after.kind = kind_of(server.type);
    }
  }
  after.set_name = after.kind == upstream_kind::replica_set ? set_name_of(sorted) : "";
  if (after.set_name.empty() && after.kind == upstream_kind::replica_set) after.set_name = before.set_name;
  after.description = describe(after, sorted, target);

  const auto identity = [](const upstream_snapshot& s) {
    return std::tie(s.kind, s.available, s.host, s.port, s.set_name, s.election_id, s.set_version);
  };
  if (before.version == 0 || identity(before) != identity(after)) ++after.version;
  return after;
}

bool is_unreachable(const upstream_server& server, const topology_observation& seen) {
  return server.type == server_type::unknown && seen.errors.contains(host_and_port(server.host, server.port));
}

bool same_content(const upstream_snapshot& a, const upstream_snapshot& b) {
  if (a.version != b.version || a.description != b.description || a.hello != b.hello) return false;
  return std::equal(a.servers.begin(), a.servers.end(), b.servers.begin(), b.servers.end(),
                    [](const upstream_server& x, const upstream_server& y) {
                      return x.host == y.host && x.port == y.port && x.type == y.type &&
                             x.unreachable == y.unreachable && x.hello == y.hello;
                    });
}

bool older_election(const upstream_snapshot& a, const upstream_snapshot& b) {
  if (a.election_id.empty() || b.election_id.empty()) return false;
  // An ObjectId orders by its bytes; the upper ones of an electionId are the term.
  return std::lexicographical_compare(a.election_id.begin(), a.election_id.end(), b.election_id.begin(),
                                      b.election_id.end());
}

probe_verdict judge_probe(const upstream_snapshot& now, const topology_observation& probe) {
  const upstream_snapshot seen = choose_target(now, probe);
  if (!now.available) {
    // A primary that was deposed and does not know it yet is none: a probe has no memory of elections, the snapshot
    // has.
    return seen.available && !older_election(seen, now) ? probe_verdict::contradicts : probe_verdict::agrees;
  }
  const auto target = std::find_if(probe.servers.begin(), probe.servers.end(),
                                   [&](const upstream_server& server) { return is_at(server, now); });
  const bool answered = target != probe.servers.end() && target->type != server_type::unknown;
  if (seen.available) {
    const bool same_place = seen.host == now.host && seen.port == now.port;
    if (same_place) return seen.version == now.version ? probe_verdict::agrees : probe_verdict::contradicts;
    if (older_election(seen, now)) return answered ? probe_verdict::agrees : probe_verdict::silent;
    // Another mongos answers while ours is silent: that is no election yet.
    return seen.kind == upstream_kind::sharded && !answered ? probe_verdict::silent : probe_verdict::contradicts;
  }
  return answered ? probe_verdict::contradicts : probe_verdict::silent;
}

}  // namespace mongocached::daemon
