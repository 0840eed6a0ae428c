#include "daemon/session/relay.hpp"

#include <algorithm>

namespace mongocached::daemon {
namespace {

constexpr cache::duration longest_selection = std::chrono::seconds(15);
// A program that ends waits for its driver's farewell, whose outcome is nobody's concern.
constexpr cache::duration longest_farewell = std::chrono::seconds(1);
constexpr std::size_t piece_size = 64UL * 1024;

// Of a message that streams by: while both ends are ready, nothing else of the thread would be done until its end.
class stretch {
 public:
  // Whether it is time for the others, with so much more gone by.
  [[nodiscard]] bool is_over(std::size_t bytes) noexcept {
    bytes_ += bytes;
    if (bytes_ < session::turn_output) return false;
    bytes_ = 0;
    return true;
  }

 private:
  std::size_t bytes_ = 0;
};

// In smaller pieces where there is no room.
task<exchange> stream_request(session& s, request& r, upstream_link& link, const step* before_last) {
  held_bytes held;
  const auto wanted = std::min(piece_size, r.unread);
  const auto size_held = s.shared().buffers.try_hold(held, wanted) ? wanted : buffer_budget::uncounted;
  protocol::byte_buffer piece(size_held);
  auto* const client = s.pooled();
  if (client != nullptr) client->upload.emplace();
  stretch mine;
  while (r.unread > 0) {
    if (client != nullptr) client->upload->await(data_thread::now());
    const auto size = co_await s.read_rest(r, std::span(piece).first(std::min(piece.size(), r.unread)));
    if (client != nullptr) client->upload->arrived(size, data_thread::now());
    if (size == 0) co_return exchange::client_lost;
    if (r.unread == 0 && before_last != nullptr) co_await (*before_last)();
    if (co_await link.send(protocol::byte_view(piece).first(size))) co_return exchange::upstream_lost;
    if (mine.is_over(size)) co_await next_turn(s.thread().get_executor());
  }
  co_return exchange::ok;
}

// A compressed reply, or a pool's, waits for room as a client's request does. Where none comes the connection ends:
// nobody may be told that nothing was done.
task<upstream_link::received> receive_with_room(session& s, upstream_link& link, upstream_reply& reply,
                                                std::size_t limit) {
  const auto until = data_thread::now() + s.thread().settings->listen.buffer_timeout;
  reply.held = co_await s.room(link.room_needed(), until);
  if (reply.held.size() > 0) co_return co_await link.receive(reply.bytes, limit);
  if (s.is_open()) s.thread().count_shed(shed_reason::memory);
  link.close();
  co_return upstream_link::received::lost;
}

bool is_state_change(const protocol::reply_view& reply) noexcept {
  return protocol::is_state_change(reply.code) || protocol::is_state_change(reply.write_code);
}

// Of an exhaust cursor only the first reply names the client's request.
bool may_be_the_reply(session& s, const upstream_link& link, protocol::byte_view message) {
  return link.is_owed(message) || (s.pooled() == nullptr && !link.owes());
}

// U5 on a shared connection: the next message waits until this one is through.
task<exchange> settle_unanswered(session& s) {
  protocol::byte_buffer ping;
  {
    protocol::bson_builder command(ping);
    command.append_int32("ping", 1);
    command.append_string("$db", "admin");
  }
  protocol::byte_buffer message;
  protocol::reply_view reply;
  if (co_await s.ask(ping, message, reply)) co_return exchange::ok;
  co_return s.is_open() ? exchange::upstream_lost : exchange::client_lost;
}

prompt<error_code> send_on(upstream_link& link, const request& r, protocol::byte_view bytes) {
  link.owes_reply(r.header.request_id);
  const auto message = bytes.empty() ? protocol::byte_view(r.bytes) : bytes;
  // What streams by goes on as it comes: a compressed message has to be known to its end before it begins. And what is
  // large would keep everybody else of this thread waiting for as long as it takes to compress it.
  const bool small = r.whole() && message.size() <= session::whole_limit;
  return link.send(message, small ? r.command.name : std::string_view());
}

exchange after_sending(session& s, exchange how) {
  s.thread().metrics.upstream_busy_ended.add();
  if (how != exchange::ok) s.drop_upstream();
  return s.is_open() ? how : exchange::client_lost;
}

task<exchange> forward_later(session& s, request& r, protocol::byte_view bytes, const step* before_last) {
  auto* link = co_await s.upstream(selection_deadline(r, s.pooled() != nullptr));
  if (!s.is_open()) co_return exchange::client_lost;
  if (link == nullptr) co_return exchange::no_upstream;
  if (auto* const client = s.pooled()) {
    if (!prepare_for_pool(r)) co_return exchange::no_upstream;
    shorten_max_time(r, data_thread::now() - r.received);
  }
  s.thread().metrics.upstream_busy_begun.add();
  auto how = exchange::ok;
  if (co_await send_on(*link, r, bytes)) {
    how = exchange::upstream_lost;
  } else if (r.unread > 0) {
    how = co_await stream_request(s, r, *link, before_last);
  }
  co_return after_sending(s, how);
}

task<exchange> finish_sending(session& s, prompt<error_code> rest) {
  const bool failed = static_cast<bool>(co_await std::move(rest));
  co_return after_sending(s, failed ? exchange::upstream_lost : exchange::ok);
}

}  // namespace

// Of a getMore it is the time to wait for events.
std::int64_t time_limit_ms(const request& r) noexcept {
  return r.command.is("getMore") ? 0 : r.command.max_time_ms;
}

cache::instant selection_deadline(const request& r, bool pooled) noexcept {
  // A cursor is lost with its own connection, and who reads from it had better know soon; a pool only has to be waited
  // for.
  const auto limit = pooled ? time_limit_ms(r) : r.command.max_time_ms;
  const cache::duration asked = std::chrono::milliseconds(std::min<std::int64_t>(limit, 1'000'000));
  const auto longest = r.command.is("endSessions") ? longest_farewell : longest_selection;
  return r.received + (asked.count() > 0 ? std::min(asked, longest) : longest);
}

prompt<exchange> forward(session& s, request& r, protocol::byte_view bytes, const step* before_last) {
  auto* const link = s.pooled() == nullptr && r.whole() ? s.upstream_at_hand() : nullptr;
  if (link == nullptr) return forward_later(s, r, bytes, before_last);
  s.thread().metrics.upstream_busy_begun.add();
  auto sent = send_on(*link, r, bytes);
  if (!sent.await_ready()) return finish_sending(s, std::move(sent));
  return after_sending(s, sent.await_resume() ? exchange::upstream_lost : exchange::ok);
}

task<exchange> receive(session& s, upstream_reply& reply, std::size_t limit, bool may_stream) {
  reply.viewed = false;
  auto* link = s.open_upstream();
  if (link == nullptr) co_return s.is_open() ? exchange::upstream_lost : exchange::client_lost;
  s.thread().metrics.upstream_busy_begun.add();
  const auto before = data_thread::now();
  reply_room room{&s.shared().buffers, &reply.held};
  if (s.pooled() != nullptr) {
    // The id of a cursor stands behind its first batch, and has to be known before the client knows it: held whole.
    limit = protocol::max_message_size;
    room.waits_above = session::whole_limit;
  }
  co_await link->first_bytes();
  auto got = upstream_link::received::whole;
  if (!link->receive_at_once(reply.bytes, limit, room)) got = co_await link->receive(reply.bytes, limit, room);
  if (got == upstream_link::received::crowded) got = co_await receive_with_room(s, *link, reply, limit);
  // It goes on as it is; what the link read it into was given back.
  if (s.pooled() != nullptr && got == upstream_link::received::whole) reply.held = s.hold(reply.bytes.size());
  if (!s.is_awaiting()) s.thread().metrics.upstream_duration.observe(data_thread::now() - before);
  s.thread().metrics.upstream_busy_ended.add();
  if (!s.is_open()) co_return exchange::client_lost;
  if (got == upstream_link::received::lost) co_return exchange::upstream_lost;
  reply.whole = got == upstream_link::received::whole;
  reply.crowded_out = got == upstream_link::received::no_room;
  reply.flags = reply.bytes.size() >= 20 ? protocol::load_le<std::uint32_t>(reply.bytes.data() + 16) : 0;
  const bool goes_on = (reply.flags & protocol::op_msg_flags::more_to_come) != 0;
  if (!may_be_the_reply(s, *link, reply.bytes) || (goes_on && !may_stream)) {
    s.drop_upstream();
    co_return exchange::upstream_lost;
  }
  link->paid();
  if (!reply.whole) co_return exchange::ok;
  protocol::op_msg message;
  if (protocol::parse_op_msg(reply.bytes, message) != protocol::op_msg_error::none) co_return exchange::ok;
  reply.flags = message.flags;
  reply.body = message.body;
  reply.viewed = protocol::view_reply(message.body, reply.view);
  if (reply.viewed) s.learn(reply.view);
  if (auto* const client = s.pooled(); client != nullptr && reply.viewed) client->note_reply(reply.view);
  co_return exchange::ok;
}

task<exchange> finish_delivery(prompt<bool> rest) {
  co_return co_await std::move(rest) ? exchange::ok : exchange::client_lost;
}

task<exchange> deliver_without_topology_version(session& s, upstream_reply& reply) {
  protocol::byte_buffer patched;
  protocol::append_without_topology_version(patched, reply.bytes);
  co_return co_await s.send_reply(patched) ? exchange::ok : exchange::client_lost;
}

task<exchange> deliver_in_pieces(session& s, upstream_reply& reply) {
  if (s.is_legacy()) {  // its header is not the upstream's
    s.close(disconnect::no_room);
    co_return exchange::client_lost;
  }
  // In pieces as they come: a compressed request may be answered without compression.
  if (!co_await s.send(reply.bytes)) co_return exchange::client_lost;
  held_bytes held;
  const bool large = s.shared().buffers.try_hold(held, upstream_link::large_piece);
  auto* link = s.open_upstream();
  stretch mine;
  while (link != nullptr && link->unread() > 0) {
    const auto piece = co_await link->read_rest(large ? upstream_link::large_piece : upstream_link::small_piece);
    if (piece.empty()) co_return exchange::upstream_lost;
    const auto size = piece.size();
    if (!co_await s.send(piece)) co_return exchange::client_lost;
    if (mine.is_over(size)) co_await next_turn(s.thread().get_executor());
  }
  if (link != nullptr && link->is_open()) link->release_memory();
  co_return exchange::ok;
}

prompt<exchange> deliver(session& s, upstream_reply& reply) {
  if (auto* const client = s.pooled()) {
    client->reply_begun = true;
    if (reply.whole) s.release_upstream();  // a client that is slow to take it holds up nobody
  }
  // F4: a state-change error goes on without the topologyVersion that would make a driver stream.
  if (reply.viewed && reply.view.has_topology_version && is_state_change(reply.view)) {
    return deliver_without_topology_version(s, reply);
  }
  if (!reply.whole) return deliver_in_pieces(s, reply);
  auto sent = s.send_reply(reply.bytes);
  if (!sent.await_ready()) return finish_delivery(std::move(sent));
  return sent.await_resume() ? exchange::ok : exchange::client_lost;
}

void leave_deposed(session& s, const protocol::reply_view& reply) {
  if (!is_state_change(reply)) return;
  s.shared().request_topology_check();
  if (s.identity().is_bound()) {
    s.close_when_idle(disconnect::primary_changed);
  } else {
    s.drop_upstream();
  }
}

task<void> relay(session& s, request& r, verdict v, const cache::namespace_state* proves) {
  if (v.how == outcome::bypass) s.thread().uncached.note(r.command, v.reason, s.thread().dice);
  const auto sent = proves != nullptr ? data_thread::now() : cache::instant();
  const auto proofs_epoch = proves != nullptr ? s.shared().authorization.epoch() : 0;
  const bool reply_expected = !r.command.message.has(protocol::op_msg_flags::more_to_come);
  const bool may_stream = s.pooled() == nullptr && r.command.message.has(protocol::op_msg_flags::exhaust_allowed);
  auto how = co_await forward(s, r);
  upstream_reply reply;
  reply.bytes = s.thread().spare.take();
  bool more = reply_expected;
  if (how == exchange::ok && !reply_expected && s.pooled() != nullptr) how = co_await settle_unanswered(s);
  while (how == exchange::ok && more) {
    how = co_await receive(s, reply, session::whole_limit, may_stream);
    if (proves != nullptr && reply.viewed && reply.view.ok) s.identity().prove(*proves, sent, proofs_epoch);
    if (how == exchange::ok) how = co_await deliver(s, reply);
    more = (reply.flags & protocol::op_msg_flags::more_to_come) != 0;
    if (how == exchange::ok && reply.viewed) leave_deposed(s, reply.view);
  }
  if (how != exchange::ok) {
    co_await fail(s, r, how);
    v.how = outcome::error;
  }
  s.thread().spare.give(std::move(reply.bytes));
  s.finished(r, v);
}

}  // namespace mongocached::daemon
