// With upstream.auth = "pooled" the proxy is what a client logs in to, and who stands between it and what others have
// opened. Wire rules H3, I3, U3, U6.
#include "daemon/hello.hpp"
#include "daemon/pooled/private_names.hpp"
#include "daemon/session/flows.hpp"

namespace mongocached::daemon {
namespace {

using protocol::bson_builder;
using protocol::bson_view;
using code = protocol::error_code;

// All failures look the same, whatever was wrong.
constexpr std::string_view login_failed = "Authentication failed.";

// Of a message whose body comes first, as it should.
constexpr std::size_t body_at = protocol::header_size + 4 + 1;

constexpr verdict local{outcome::local, cache::bypass_reason::none};

void append_sasl_answer(bson_builder& out, const sasl_answer& said) {
  out.append_int32("conversationId", sasl_conversation::id);
  out.append_bool("done", said.done);
  out.append_binary("payload", 0, protocol::as_bytes(said.payload));
}

// A step of the login; what comes of it is the client's from here on.
std::optional<sasl_answer> log_in_step(session& s, bson_view body, bool starts, std::string_view db) {
  auto& client = *s.pooled();
  if (starts) {
    client.log_out();
    client.login = std::make_unique<sasl_conversation>(s.shared().users.load());
  }
  if (!client.login) return std::nullopt;
  auto said = starts ? client.login->start(body, db) : client.login->next(body);
  if (!said) {
    s.tell("login failed", {"user", client.login->claimed()});
    client.login.reset();
  } else if (said->done) {
    client.log_in(client.login->user());
    client.login.reset();
  }
  return said;
}

void append_connection_status(protocol::byte_buffer& out, const pooled_client& client, bson_view request) {
  const auto privileges = request.find("showPrivileges");
  bson_builder reply(out);
  {
    auto info = reply.open_document("authInfo");
    {
      auto users = info.open_array("authenticatedUsers");
      if (client.user()) {
        auto one = users.open_document("0");
        one.append_string("user", client.user()->name);
        one.append_string("db", sasl_conversation::source);
      }
    }
    static_cast<void>(info.open_array("authenticatedUserRoles"));
    if (privileges && privileges->truthy() == true) static_cast<void>(info.open_array("authenticatedUserPrivileges"));
  }
  reply.append_double("ok", 1.0);
}

std::optional<refusal> claim_session(session& s, std::string_view id) {
  switch (s.shared().pins.sessions.use(id, s.pooled()->id(), data_thread::now())) {
    case session_owners::claim::granted:
      return std::nullopt;
    case session_owners::claim::foreign:
      return refusal{code::unauthorized, "the session is another user's"};
    case session_owners::claim::full:
      break;
  }
  return refusal{code::too_many_logical_sessions, "too many sessions are in use"};
}

std::optional<refusal> claim_sessions(session& s, const protocol::command_view& command) {
  if (const auto own = session_of(command); !own.empty()) {
    if (auto refused = claim_session(s, own)) return refused;
  }
  if (!names_sessions(command.name)) return std::nullopt;
  const auto named = sessions_named(command);
  if (!named) return refusal{code::unauthorized, "sessions may be named by nothing but their id"};
  for (const auto id : *named) {
    if (auto refused = claim_session(s, id)) return refused;
    if (!command.is("refreshSessions")) s.pooled()->ended.emplace_back(id);
  }
  return std::nullopt;
}

refusal no_such_cursor(std::int64_t id) {
  return {code::cursor_not_found, "cursor id " + std::to_string(id) + " not found"};
}

// To the server where the cursors are, if they are this user's and all there: of others' it says what a server says of
// cursors that are not there. True if the request is answered.
task<bool> pin_to_cursors(session& s, request& r) {
  auto& client = *s.pooled();
  auto named = cursors_named(r.command);
  if (!named) {
    const refusal why{code::failed_to_parse, "malformed command: cursors cannot be told"};
    co_await refuse(s, r, why);
    co_return true;
  }
  std::size_t owned = 0;
  std::int64_t strange = 0;
  for (const auto id : named->ids) {
    auto where = s.shared().pins.cursors.find(cursor_key(client.id(), id, named->ns), data_thread::now());
    const bool here = where && (!client.pinned || *client.pinned == *where);
    if (here) ++owned;
    if (!here) strange = id;
    if (here) client.pinned = std::move(where);
  }
  if (owned < named->ids.size() && r.command.is("killCursors")) {
    co_await serve_kill_cursors(s, r, std::move(*named));
    co_return true;
  }
  if (owned < named->ids.size()) {
    const auto why = no_such_cursor(strange);
    co_await refuse(s, r, why);
    co_return true;
  }
  client.cursors = std::move(*named);
  co_return false;
}

void pin_to_transaction(session& s, const protocol::command_view& command) {
  auto& client = *s.pooled();
  auto key = transaction_key(client.id(), command.lsid, command.txn_number);
  if (command.starts_transaction) {
    client.transaction = std::move(key);
    return;
  }
  client.pinned = s.shared().pins.transactions.find(key, data_thread::now());
  // A replica set's transactions go on with whoever is primary, and so does a commit's retry behind any mongos.
  client.pin_may_move = command.is("commitTransaction") || s.thread().upstream->kind != upstream_kind::sharded;
}

}  // namespace

task<bool> admit(session& s, request& r) {
  auto& client = *s.pooled();
  if (client.is_revoked()) {
    s.close(disconnect::user_changed);  // an error would be the program's, a lost connection is the driver's to mend
    co_return false;
  }
  if (!r.whole() && !client.who().logged_in) {
    // It would hold a connection of the pool for as long as its sender likes.
    const refusal why{code::unauthorized, "a message of this size requires authentication"};
    co_await refuse(s, r, why);
    co_return false;
  }
  if (!r.understood) {
    const refusal why{code::failed_to_parse, "malformed command"};
    co_await refuse(s, r, why);
    co_return false;
  }
  const auto& command = r.command;
  if (auto refused = check_admission(command, client.who())) {
    co_await refuse(s, r, *refused);
    co_return false;
  }
  if (command.is("connectionStatus")) {
    protocol::byte_buffer document;
    append_connection_status(document, client, command.message.body);
    co_await answer(s, r, *bson_view::parse(document), local);
    co_return false;
  }
  // What is answered before the login uses no session, whatever it names; a server does not look at it either.
  if (!client.who().logged_in) co_return true;
  if (auto refused = claim_sessions(s, command)) {
    co_await refuse(s, r, *refused);
    co_return false;
  }
  if (command.in_transaction) pin_to_transaction(s, command);
  if (command.is("getMore") || command.is("killCursors")) co_return !co_await pin_to_cursors(s, r);
  co_return true;
}

task<bool> read_whole(session& s, request& r) {
  const auto here = r.bytes.size();
  r.bytes.resize(here + r.unread);
  if (r.held.size() < r.bytes.size()) r.held = s.hold(r.bytes.size());
  while (r.unread > 0) {
    const auto at = r.bytes.size() - r.unread;
    if (co_await s.read_rest(r, std::span(r.bytes).subspan(at)) == 0) co_return false;
  }
  protocol::op_msg message;
  r.understood = protocol::parse_op_msg(r.bytes, message) == protocol::op_msg_error::none &&
                 protocol::view_command(message, r.header.request_id, r.command) == protocol::command_error::none;
  co_return true;
}

bool shows_its_body(const request& r) noexcept {
  if (r.bytes.size() < body_at + 5 || r.bytes[body_at - 1] != 0) return false;
  return bson_view::parse_front(protocol::byte_view(r.bytes).subspan(body_at)).has_value();
}

bool shows_its_names(const request& r) noexcept {
  if (!shows_its_body(r)) return false;
  protocol::bson_element first;
  protocol::bson_cursor body(*bson_view::parse_front(protocol::byte_view(r.bytes).subspan(body_at)));
  // What else names collections may stand in a sequence behind the body.
  return body.next(first) && names_by_first_field_only(first.name);
}

task<bool> prefer(session& s, request& r) {
  auto& client = *s.pooled();
  const auto given = r.command.message.body.find("$readPreference");
  if (!given || client.pinned) co_return true;
  const auto document = given->object();
  auto wanted = document ? parse_read_preference(*document) : std::nullopt;
  if (!wanted || wanted->mode == read_mode::primary) co_return true;
  if (wanted->max_staleness && *wanted->max_staleness < least_max_staleness) {
    const refusal why{code::max_staleness_out_of_range, "maxStalenessSeconds must be at least 90"};
    co_await refuse(s, r, why);
    co_return false;
  }
  client.preference = std::move(wanted);
  co_return true;
}

bool reads_the_target(session& s) {
  if (!s.pooled()->preference) return true;
  const auto& now = *s.thread().upstream;
  const auto where = s.choose_server_now();
  if (!where || !now.available || where->host != now.host || where->port != now.port) return false;
  s.pooled()->preference.reset();  // the choice stands: only the target's answers may be kept
  return true;
}

task<void> serve_pooled_hello(session& s, request& r, bson_view body) {
  protocol::byte_buffer known;
  {
    bson_builder all(known);
    protocol::bson_element element;
    for (protocol::bson_cursor cursor(*bson_view::parse(s.thread().upstream->hello)); cursor.next(element);) {
      if (element.name != "saslSupportedMechs" && element.name != "speculativeAuthenticate") all.append(element);
    }
    if (body.find("saslSupportedMechs")) {
      // The same for every name, whether there is such a user or not.
      auto mechanisms = all.open_array("saslSupportedMechs");
      mechanisms.append_string("0", auth::mechanism_of(auth::scram_hash::sha256));
    }
    const auto begun = body.find("speculativeAuthenticate");
    const auto start = begun ? begun->object() : std::nullopt;
    if (const auto said = start ? log_in_step(s, *start, true, start->text_of("db")) : std::nullopt) {
      auto reply = all.open_document("speculativeAuthenticate");
      append_sasl_answer(reply, *said);
    }
  }
  protocol::byte_buffer document;
  append_hello_reply(document, body, *bson_view::parse(known), s.hello_facts_now(), false);
  co_await answer(s, r, *bson_view::parse(document), local);
}

task<void> serve_pooled_authentication(session& s, request& r) {
  const auto& command = r.command;
  protocol::byte_buffer document;
  if (command.is("logout")) {
    s.pooled()->login.reset();
    s.pooled()->log_out();
    bson_builder reply(document);
    reply.append_double("ok", 1.0);
    reply.finish();
    co_return co_await answer(s, r, *bson_view::parse(document), local);
  }
  const bool starts = command.is("saslStart");
  std::optional<sasl_answer> said;
  if (starts || command.is("saslContinue")) said = log_in_step(s, command.message.body, starts, command.db);
  if (!said) {
    const refusal why{code::authentication_failed, std::string(login_failed)};
    co_return co_await refuse(s, r, why);
  }
  {
    bson_builder reply(document);
    append_sasl_answer(reply, *said);
    reply.append_double("ok", 1.0);
  }
  co_await answer(s, r, *bson_view::parse(document), local);
}

}  // namespace mongocached::daemon
