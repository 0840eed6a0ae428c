// Passing one request and its replies through: byte for byte, streaming what is large, with back-pressure both ways
// (wire rules U1, U4, F3-F5). The flows of reads and writes are made of these steps too.
#pragma once

#include <functional>

#include "daemon/session/session.hpp"

namespace mongocached::daemon {

enum class exchange : std::uint8_t {
  ok,
  no_upstream,    // no suitable server within the time (F5); nothing was sent
  upstream_lost,  // the connection ended between sending and the end of the reply
  client_lost,    // the session is closed
};

struct upstream_reply {
  protocol::byte_buffer bytes;  // the whole message, or the front of a large one
  held_bytes held;              // for them, and for what is made of them
  bool whole = false;
  bool crowded_out = false;  // not whole for want of room only
  std::uint32_t flags = 0;
  bool viewed = false;  // `body` and `view` hold something
  protocol::bson_view body;
  protocol::reply_view view;  // views into `bytes`
};

// Sends the request; `bytes` in place of its own if not empty (only for a whole request). `before_last`, if given, is
// awaited before the last bytes of a request leave that is streamed: until then no server can carry it out.
using step = std::function<task<void>()>;
[[nodiscard]] prompt<exchange> forward(session& s, request& r, protocol::byte_view bytes = {},
                                       const step* before_last = nullptr);
// A reply behind which more come, or to another request, is taken for the end of the connection; unless `may_stream`:
// then more may come.
[[nodiscard]] task<exchange> receive(session& s, upstream_reply& reply, std::size_t limit = session::whole_limit,
                                     bool may_stream = false);
// To the client; what is left of a large reply is streamed.
[[nodiscard]] prompt<exchange> deliver(session& s, upstream_reply& reply);

// All of it, with exhaust replies until `moreToCome` clears. Counts and logs the request. `proves`: of a find, the
// namespace that an ok answer lets this client read (I2).
[[nodiscard]] task<void> relay(session& s, request& r, verdict v, const cache::namespace_state* proves = nullptr);
// The answer to a request that could not be carried out (F3, F5).
[[nodiscard]] task<void> fail(session& s, request& r, exchange how);
// A document of our own as the answer. Reads what is left of the request first; sends nothing where none is asked for.
// Counts and logs the request.
[[nodiscard]] task<void> answer(session& s, request& r, protocol::bson_view document, verdict v);
// An error of our own as the answer, without labels: what is refused is refused the next time, too.
[[nodiscard]] task<void> refuse(session& s, request& r, protocol::error_code code, std::string_view text);
// GCC 12 destroys a temporary that is made within a co_await twice: `why` is always one that has a name.
[[nodiscard]] task<void> refuse(session& s, request& r, const refusal& why);
// The answer to a request that may be granted a little later: an error that tells a driver that nothing was done, and
// to try again. Counts and logs the request.
[[nodiscard]] task<void> refuse_for_now(session& s, request& r, std::string_view text);
// The answer to a request that is refused unread, so that others can be served: an error that tells a driver that
// nothing was done, and to try again. Counts and logs the request.
[[nodiscard]] task<void> shed(session& s, request& r, shed_reason why);
// Reads and drops what is left of a large request, so that it can be answered. False: the client left.
[[nodiscard]] task<bool> skip_rest(session& s, request& r);
// The client's maxTimeMS as far as it limits how long the request may take; 0: none.
[[nodiscard]] std::int64_t time_limit_ms(const request& r) noexcept;
// Time until which a server is waited for (F5), or a connection of a pool.
[[nodiscard]] cache::instant selection_deadline(const request& r, bool pooled = false) noexcept;

// After a reply: a server that is no longer the primary is left (F4).
void leave_deposed(session& s, const protocol::reply_view& reply);

}  // namespace mongocached::daemon
