#include "daemon/session/administrator.hpp"

#include <algorithm>

#include "daemon/session/namespace_probe.hpp"

namespace mongocached::daemon {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_view;

constexpr const char* only_administrators =
    "only an administrator of the proxy may ask: a [[user]] of its settings with admin = true, logged in on database "
    "admin";
constexpr const char* none_configured =
    "only an administrator of the proxy may ask, and there is none: configure a [[user]] with this user's name and "
    "admin = true";
constexpr const char* not_from_afar =
    "without a login only clients on the machine of the proxy may ask: configure a [[user]] with admin = true, and log "
    "in as that user";
constexpr const char* login_demanded =
    "the cluster asks for a login, or is not known to ask for none: configure a [[user]] with admin = true, and log in "
    "as that user";

bool has_administrator(std::span<const config::user> users) noexcept {
  return std::ranges::any_of(users, [](const config::user& one) { return one.admin; });
}

// A question of our own on the client's connection, given up in time. False: no answer.
task<bool> ask_in_time(session& s, cache::instant until, protocol::byte_view question, protocol::byte_buffer& message,
                       protocol::reply_view& reply) {
  const session::patience limited(s, until, [&s] {
    if (auto* const link = s.open_upstream()) link->close();
  });
  co_return co_await s.ask(question, message, reply);
}

task<bool> is_administrator_upstream(session& s, cache::instant until) {
  protocol::byte_buffer message;
  protocol::reply_view reply;
  const auto question = on_admin("connectionStatus");
  if (!co_await ask_in_time(s, until, question, message, reply) || !reply.ok) co_return false;
  protocol::op_msg parsed;
  static_cast<void>(protocol::parse_op_msg(message, parsed));
  co_return names_administrator(parsed.body, s.thread().settings->users);
}

// What a server that demands a login refuses without one, and every kind of server answers.
protocol::byte_buffer protected_question() {
  protocol::byte_buffer out;
  protocol::bson_builder command(out);
  command.append_int32("listDatabases", 1);
  command.append_bool("nameOnly", true);
  {
    auto filter = command.open_document("filter");
    filter.append_string("name", "admin");
  }
  command.append_string("$db", "admin");
  command.finish();
  return out;
}

// While there is no upstream to ask, what it last showed stands.
task<bool> upstream_asks_no_login(session& s, cache::instant until) {
  auto& known = s.shared().upstream_asks_no_login;
  if (!s.thread().upstream->available || co_await s.upstream(until) == nullptr) co_return known.load();
  protocol::byte_buffer message;
  protocol::reply_view reply;
  const auto question = protected_question();
  if (!co_await ask_in_time(s, until, question, message, reply)) co_return false;
  known.store(reply.ok);
  co_return reply.ok;
}

task<const char*> objection_in_passthrough(session& s, cache::instant until) {
  const bool configured = has_administrator(s.thread().settings->users);
  if (s.identity().is_bound()) {
    if (!configured) co_return none_configured;
    if (!co_await is_administrator_upstream(s, until)) co_return only_administrators;
    co_return nullptr;
  }
  if (configured) co_return only_administrators;
  if (!s.is_local()) co_return not_from_afar;
  if (!co_await upstream_asks_no_login(s, until)) co_return login_demanded;
  co_return nullptr;
}

}  // namespace

bool names_administrator(bson_view status, std::span<const config::user> users) noexcept {
  const auto info = status.find("authInfo");
  const auto document = info ? info->object() : std::nullopt;
  const auto named = document ? document->find("authenticatedUsers") : std::nullopt;
  const auto array = named ? named->array() : std::nullopt;
  if (!array) return false;
  bson_element one;
  for (bson_cursor cursor(*array); cursor.next(one);) {
    const auto who = one.object();
    const auto name = who ? who->find("user") : std::nullopt;
    const auto db = who ? who->find("db") : std::nullopt;
    if (!name || !db || db->text() != "admin") continue;
    const auto is_it = [&](const config::user& user) { return user.admin && name->text() == user.name; };
    if (std::ranges::any_of(users, is_it)) return true;
  }
  return false;
}

task<std::optional<refusal>> check_administrator(session& s, const request& r) {
  const char* objection = nullptr;
  if (auto* const client = s.pooled()) {
    if (client->who().admin) co_return std::nullopt;
    objection = s.thread().settings->users.empty() ? not_from_afar : only_administrators;
  } else {
    objection = co_await objection_in_passthrough(s, selection_deadline(r));
  }
  if (objection == nullptr) co_return std::nullopt;
  co_return refusal{protocol::error_code::unauthorized, std::string("mongocached: ") + objection};
}

}  // namespace mongocached::daemon
