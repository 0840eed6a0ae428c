// The handshake and authentication: what travels to the client's own upstream connection, and what is learned from it.
// Wire rules H1, H3, I1, I2.
#include "daemon/hello.hpp"
#include "daemon/session/flows.hpp"

namespace mongocached::daemon {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_view;
using code = protocol::error_code;

constexpr std::string_view x509_refusal =
    "MONGODB-X509 cannot be used through this proxy: the server would take the certificate of the proxy for the "
    "client's";

// The mechanism that a hello sets out to use.
std::string_view mechanism_in_hello(bson_view body) {
  const auto speculative = body.find("speculativeAuthenticate");
  const auto start = speculative ? speculative->document() : std::nullopt;
  return start ? start->text_of("mechanism") : std::string_view{};
}

// Which of several mechanisms counts is for the server to say. `authenticate` knows no other any more, so that it may
// be meant where none is named.
bool names_x509(bson_view login) {
  bson_element element;
  bool bare = false;
  bson_cursor cursor(login);
  for (bool first = true; cursor.next(element); first = false) {
    if (first) bare = element.name == "authenticate";
    if (element.name != "mechanism") continue;
    if (element.text() == "MONGODB-X509") return true;
    bare = false;
  }
  return bare;
}

bool may_be_x509(bson_view command) {
  if (names_x509(command)) return true;
  bson_element element;
  for (bson_cursor cursor(command); cursor.next(element);) {
    if (element.name != "speculativeAuthenticate") continue;
    if (const auto login = element.document(); login && names_x509(*login)) return true;
  }
  return false;
}

bool is_done(bson_view conversation) {
  const auto done = conversation.find("done");
  return done && done->truthy() == true;
}

task<void> no_server(session& s, request& r) {
  s.thread().count_shed(shed_reason::no_upstream);
  co_await refuse(s, r, code::failed_to_satisfy_read_preference,
                  "no suitable upstream server is available: " + s.thread().upstream->description);
}

// The client's own hello is the first command on its own upstream connection (H3).
task<void> send_hello_upstream(session& s, request& r, bson_view body) {
  if (s.identity().is_bound() || !body.find("speculativeAuthenticate")) {
    if (!s.open_upstream() && co_await s.upstream(selection_deadline(r), false) == nullptr)
      co_return co_await no_server(s, r);
  } else {
    // Client metadata may be sent once a connection only.
    s.drop_upstream();
    if (co_await s.upstream(selection_deadline(r), false) == nullptr) co_return co_await no_server(s, r);
  }
  const bool speculates = body.find("speculativeAuthenticate").has_value();
  if (speculates) s.identity().changing(mechanism_in_hello(body));
  protocol::byte_buffer command;
  append_upstream_hello(command, body, s.shared().compression.compressors);
  s.open_upstream()->offer(s.shared().compression);
  protocol::byte_buffer message;
  protocol::reply_view view;
  const bool told = co_await s.ask(command, message, view);
  if (!told || message.empty()) co_return co_await fail(s, r, exchange::upstream_lost);
  protocol::op_msg parsed;
  static_cast<void>(protocol::parse_op_msg(message, parsed));
  if (auto* const link = s.open_upstream()) link->agree(parsed.body);
  if (!view.ok) {
    // F4: a driver that saw a topologyVersion here would stream.
    protocol::byte_buffer plain;
    protocol::append_without_topology_version(plain, message);
    static_cast<void>(protocol::parse_op_msg(plain, parsed));
    co_return co_await answer(s, r, parsed.body, {outcome::bypass, cache::bypass_reason::not_a_read});
  }
  if (const auto begun = parsed.body.find("speculativeAuthenticate"); speculates && begun && begun->document()) {
    s.shared().clock.saw_authentication();
    if (is_done(*begun->document())) s.identity().authenticated();
  }
  protocol::byte_buffer document;
  append_hello_reply(document, body, parsed.body, s.hello_facts_now(), true);
  co_await answer(s, r, *bson_view::parse(document), {outcome::bypass, cache::bypass_reason::not_a_read});
}

}  // namespace

task<void> serve_hello(session& s, request& r, bson_view body) {
  r.label = cache::command_label("hello");
  s.remember_metadata(body);
  if (may_be_x509(body)) {
    co_return co_await refuse(s, r, code::authentication_failed, x509_refusal);
  }
  if (has_user_fields(body) && s.pooled() == nullptr) co_return co_await send_hello_upstream(s, r, body);
  const auto until = selection_deadline(r);
  // GCC 12 evaluates a co_await behind && in the condition of a loop whatever stands before it.
  while (s.is_open() && s.thread().upstream->hello.empty()) {
    if (!co_await s.upstream_change(until)) break;
  }
  const auto upstream = bson_view::parse(s.thread().upstream->hello);
  if (!upstream) co_return co_await no_server(s, r);
  if (has_user_fields(body)) co_return co_await serve_pooled_hello(s, r, body);
  protocol::byte_buffer document;
  append_hello_reply(document, body, *upstream, s.hello_facts_now(), false);
  co_await answer(s, r, *bson_view::parse(document), {outcome::local, cache::bypass_reason::none});
}

task<void> serve_authentication(session& s, request& r) {
  const auto body = r.command.message.body;
  if (may_be_x509(body)) {
    co_return co_await refuse(s, r, code::authentication_failed, x509_refusal);
  }
  if (s.pooled() != nullptr) co_return co_await serve_pooled_authentication(s, r);
  if (!r.command.is("saslContinue")) s.identity().changing(body.text_of("mechanism"));
  auto how = co_await forward(s, r);
  upstream_reply reply;
  const bool mute = r.command.message.has(protocol::op_msg_flags::more_to_come);
  if (how == exchange::ok && !mute) how = co_await receive(s, reply);
  if (how == exchange::ok && reply.viewed && reply.view.ok) {
    s.shared().clock.saw_authentication();
    if (r.command.is("authenticate") || is_done(reply.body)) s.identity().authenticated();
  }
  if (how == exchange::ok && !mute) how = co_await deliver(s, reply);
  if (how != exchange::ok) co_await fail(s, r, how);
  s.finished(r, {how == exchange::ok ? outcome::bypass : outcome::error, cache::bypass_reason::not_a_read});
}

}  // namespace mongocached::daemon
