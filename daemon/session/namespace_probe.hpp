// What has to be known before a namespace may be cached, asked on the client's own upstream connection: what kind of
// collection it is (coherence K1), the cluster's default read concern (S2), and who this client is to the upstream
// (I2).
#pragma once

#include "daemon/session/relay.hpp"

namespace mongocached::daemon {

// `ok`: everything is known as far as the upstream tells; what it refuses to tell is taken for the more careful answer.
[[nodiscard]] prompt<exchange> learn_what_is_needed(session& s, cache::namespace_state& ns, const request& r);

// A command of our own without arguments, on database admin.
[[nodiscard]] protocol::byte_buffer on_admin(std::string_view name);

// The K1 verdict from a listCollections reply filtered by name. Pure.
[[nodiscard]] cache::cacheability judge_collection(protocol::bson_view reply) noexcept;
// The same from one that tells names and types only, which whoever may read the collection may ask for.
[[nodiscard]] cache::cacheability judge_name(protocol::bson_view reply, protocol::bson_view hello) noexcept;

}  // namespace mongocached::daemon
