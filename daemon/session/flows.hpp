// What is done with a request that was not answered within its turn: one coroutine a kind of command.
#pragma once

#include "cache/write_plan.hpp"
#include "daemon/session/relay.hpp"

namespace mongocached::daemon {

// Looks at the request and hands it to one of the others.
[[nodiscard]] task<void> serve(session& s, request& r);

[[nodiscard]] task<void> serve_hello(session& s, request& r, protocol::bson_view body);
// saslStart, saslContinue, logout, authenticate: relayed, and watched (I1, I2).
[[nodiscard]] task<void> serve_authentication(session& s, request& r);
[[nodiscard]] task<void> serve_read(session& s, request& r);
[[nodiscard]] task<void> serve_write(session& s, request& r, cache::write_plan plan);

}  // namespace mongocached::daemon
