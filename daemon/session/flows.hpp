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
// Pooled (serve_pooled.cpp).
// Whether the request may travel upstream; if not, it has been answered. Says where to, as far as the command does.
[[nodiscard]] task<bool> admit(session& s, request& r);
// The whole of a large message, where its front does not show the fields that admit() goes by. False: the client left.
[[nodiscard]] bool shows_its_body(const request& r) noexcept;
[[nodiscard]] bool shows_its_names(const request& r) noexcept;  // and all collections that it names
[[nodiscard]] task<bool> read_whole(session& s, request& r);
// U6: a read goes where its read preference says. False: it has been answered.
[[nodiscard]] task<bool> prefer(session& s, request& r);
// Whether it goes to the one server whose answers may be kept; then it stays so.
[[nodiscard]] bool reads_the_target(session& s);
[[nodiscard]] task<void> serve_pooled_hello(session& s, request& r, protocol::bson_view body);
// A killCursors that cannot go to one server as it is (kill_cursors.cpp).
[[nodiscard]] task<void> serve_kill_cursors(session& s, request& r, named_cursors named);
[[nodiscard]] task<void> serve_pooled_authentication(session& s, request& r);

// {mongocached: ...}: answered here (own_command.hpp).
[[nodiscard]] task<void> serve_own_command(session& s, request& r);

[[nodiscard]] task<void> serve_read(session& s, request& r);
[[nodiscard]] task<void> serve_write(session& s, request& r, cache::write_plan plan);

}  // namespace mongocached::daemon
