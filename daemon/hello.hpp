// The handshake as clients see it: one mongos, or the primary and only member of a replica set (wire rules H1, H2, H3).
// Pure.
//
// The reply is built from an allow-list of the upstream's own fields, so that nothing of its topology leaks: a stray
// `setName` would outrank `msg`, a `topologyVersion` would make drivers wait for a stream that does not come.
#pragma once

#include <array>
#include <cstdint>

#include "cache/time.hpp"
#include "daemon/control/topology.hpp"
#include "protocol/bson_builder.hpp"
#include "protocol/command_view.hpp"
#include "protocol/compression_offer.hpp"

namespace mongocached::daemon {

struct hello_facts {
  upstream_kind kind = upstream_kind::unknown;
  std::int64_t now_ms = 0;  // wall clock, for localTime only
  std::int32_t connection_id = 0;
  std::array<std::uint8_t, 12> service_id{};  // of this process (H2)
  std::string_view advertise{};               // with listen.pose "replica_set": the one host it has; else empty
  // The newest $clusterTime document that this client may see, and its time; empty while none is known.
  protocol::byte_view cluster_time{};
  cache::cluster_time time = 0;
};

[[nodiscard]] bool is_hello(std::string_view command) noexcept;  // hello, isMaster, ismaster

// Whether the request asks for something that only the upstream can answer for this user: then it travels upstream
// first (H3).
[[nodiscard]] bool has_user_fields(protocol::bson_view request) noexcept;

// Appends the reply document, with those of the client's compressors that can be spoken (H2). `upstream` is the
// upstream's own answer: the control plane's, or - where the request travelled - the answer to it, whose
// saslSupportedMechs and speculativeAuthenticate are passed on. `tail` also passes on its $clusterTime and
// operationTime; without it they are made of the facts' cluster time, as a mongos does.
void append_hello_reply(protocol::byte_buffer& out, protocol::bson_view request, protocol::bson_view upstream,
                        const hello_facts& facts, bool tail);

// Appends the command that travels upstream for a client's own hello: less loadBalanced, topologyVersion,
// maxAwaitTimeMS, with $db, and with `ours` for the client's compressors: the connection is ours.
void append_upstream_hello(protocol::byte_buffer& out, protocol::bson_view request,
                           const protocol::compressor_list& ours);
// The hello that opens an upstream connection for a client that did not need its own to travel; `client` is that
// client's `client` metadata document, if it sent one.
void append_plain_hello(protocol::byte_buffer& out, std::optional<protocol::bson_view> client,
                        const protocol::compressor_list& ours);

}  // namespace mongocached::daemon
