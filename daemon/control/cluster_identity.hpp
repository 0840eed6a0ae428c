// Which cluster this is: the name that its entries in Redis go by (coherence "Redis keys"), and the fingerprint in it
// that the cluster itself vouches for. Pure; nothing in an answer is trusted.
//
// What the operator wrote does not tell clusters apart: `mongo:27017` is another one in each compose stack and each
// Kubernetes namespace. The UUID of admin.system.version does: a cluster makes that collection when it is first set up,
// replication copies it to every member as it is, and every mongos answers with that of the config servers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/control/topology.hpp"
#include "protocol/bytes.hpp"

namespace mongocached::daemon {

// Asks for it, in database admin.
[[nodiscard]] protocol::byte_buffer fingerprint_command();

// The UUID as 32 hex digits; "": the cluster has none. Empty where the reply is not what it should be, and tells
// nothing.
[[nodiscard]] std::optional<std::string> read_fingerprint(protocol::byte_view reply);

// The server answers so however often it is asked: it does not know the question, or does not answer it to this user.
[[nodiscard]] bool is_final_refusal(std::int32_t code) noexcept;

// Stable name of the cluster: 16 hex digits over the set name, the URI's sorted seeds or its SRV name, and the
// fingerprint, if there is one. Not over the members now: those change while the data stays (a member added, one down
// at the start), and a changed name would lose the shared cache or split two proxies. So two proxies that share a Redis
// must name the same seeds. Call it with the first snapshot whose kind is known.
[[nodiscard]] std::string cluster_id(const upstream_uri& uri, const upstream_snapshot& snapshot,
                                     const std::string& fingerprint);

}  // namespace mongocached::daemon
