#include "daemon/pooled/admission.hpp"

#include <algorithm>
#include <array>

#include "daemon/pooled/private_names.hpp"

namespace mongocached::daemon {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;
using code = protocol::error_code;

constexpr std::array<std::string_view, 4> open_to_all{"ping", "buildInfo", "buildinfo", "connectionStatus"};

// U2, I3: the proxy answers them itself, before it comes to this. One that is here all the same (in a message too large
// to be looked at whole) would change who a connection that others share is.
constexpr std::array<std::string_view, 7> never_upstream{"hello",        "isMaster", "ismaster",    "saslStart",
                                                         "saslContinue", "logout",   "authenticate"};

// applyOps and doTxn carry out anything, on collections that may be named by their UUID.
constexpr std::array<std::string_view, 22> for_administrators{"createUser",
                                                              "updateUser",
                                                              "dropUser",
                                                              "dropAllUsersFromDatabase",
                                                              "grantRolesToUser",
                                                              "revokeRolesFromUser",
                                                              "usersInfo",
                                                              "createRole",
                                                              "updateRole",
                                                              "dropRole",
                                                              "dropAllRolesFromDatabase",
                                                              "grantRolesToRole",
                                                              "revokeRolesFromRole",
                                                              "grantPrivilegesToRole",
                                                              "revokePrivilegesFromRole",
                                                              "rolesInfo",
                                                              "invalidateUserCache",
                                                              "killAllSessions",
                                                              "killAllSessionsByPattern",
                                                              "_mergeAuthzCollections",
                                                              "applyOps",
                                                              "doTxn"};

// The generic fields with a dollar that a client may send.
constexpr std::array<std::string_view, 4> own_dollar_fields{"$db", "$readPreference", "$clusterTime", "$queryOptions"};
// Fields without one that only a mongos or a server may set.
constexpr std::array<std::string_view, 6> of_servers{"mayBypassWriteBlocking", "maxTimeMSOpOnly", "expectPrefix",
                                                     "clientOperationKey",     "useTenantPrefix", "fromMongos"};
// What routing and ownership go by: must be there once.
constexpr std::array<std::string_view, 5> once{"$db", "lsid", "txnNumber", "$readPreference", "collection"};

template <std::size_t N>
bool is_in(const std::array<std::string_view, N>& names, std::string_view name) noexcept {
  return std::ranges::find(names, name) != names.end();
}

// {id: UUID} and nothing else: a `uid` beside it would speak for another user.
std::optional<std::string_view> session_id(const bson_element& element) noexcept {
  constexpr std::size_t prefix = 5;  // int32 length, subtype
  constexpr std::uint8_t uuid = 4;
  const auto document = element.object();
  if (!document) return std::nullopt;
  bson_cursor cursor(*document);
  bson_element id;
  if (!cursor.next(id) || id.name != "id" || !id.is(bson_type::binary)) return std::nullopt;
  if (id.value.size() != prefix + 16 || id.value[4] != uuid) return std::nullopt;
  bson_element more;
  if (cursor.next(more) || cursor.failed()) return std::nullopt;
  return protocol::as_text(id.value.subspan(prefix));
}

refusal unauthorized(std::string text) {
  return {code::unauthorized, std::move(text)};
}

std::optional<refusal> check_fields(bson_view body) {
  std::array<int, once.size()> seen{};
  bson_element element;
  bson_cursor cursor(body);
  for (bool first = true; cursor.next(element); first = false) {
    if (const auto at = std::ranges::find(once, element.name); at != once.end()) {
      if (++seen[static_cast<std::size_t>(at - once.begin())] > 1)
        return refusal{code::failed_to_parse, "field '" + std::string(element.name) + "' stands there twice"};
    }
    if (element.name == "lsid" && !session_id(element))
      return unauthorized("lsid may hold nothing but the id of a session of one's own");
    if (first) continue;
    const bool foreign = element.name.starts_with('$') && !is_in(own_dollar_fields, element.name);
    if (foreign || is_in(of_servers, element.name))
      return unauthorized("field '" + std::string(element.name) + "' is not accepted from clients");
  }
  if (cursor.failed()) return refusal{code::failed_to_parse, "malformed command"};
  return std::nullopt;
}

bool is_for_administrators(const protocol::command_view& command) {
  if (is_in(for_administrators, command.name)) return true;
  if (reaches_private(command)) return true;
  // Without a list: everybody's sessions, for upstream all are of one user.
  if (!command.is("killSessions")) return false;
  const auto named = sessions_named(command);
  return named && named->empty();
}

}  // namespace

bool names_sessions(std::string_view command) noexcept {
  return command == "endSessions" || command == "refreshSessions" || command == "killSessions";
}

std::optional<refusal> check_admission(const protocol::command_view& command, const caller& who) {
  if (is_in(never_upstream, command.name))
    return unauthorized("command " + std::string(command.name) + " is not accepted in this form");
  const bool in_transaction = command.has_txn_number || command.in_transaction || command.starts_transaction;
  if (!who.logged_in && (in_transaction || !is_in(open_to_all, command.name)))
    return unauthorized("command " + std::string(command.name) + " requires authentication");
  if (auto refused = check_fields(command.message.body)) return refused;
  if (names_sessions(command.name) && !sessions_named(command))
    return unauthorized("sessions may be named by nothing but their id");
  if (!who.admin && is_for_administrators(command))
    return unauthorized("command " + std::string(command.name) + " is for administrators of the proxy");
  return std::nullopt;
}

std::string_view session_of(const protocol::command_view& command) noexcept {
  const auto lsid = command.message.body.find("lsid");
  return lsid ? session_id(*lsid).value_or(std::string_view{}) : std::string_view{};
}

std::optional<std::vector<std::string_view>> sessions_named(const protocol::command_view& command) {
  const auto array = command.first.array();
  if (!array) return std::nullopt;
  std::vector<std::string_view> out;
  bson_element element;
  bson_cursor cursor(*array);
  while (cursor.next(element)) {
    const auto id = session_id(element);
    if (!id) return std::nullopt;
    out.push_back(*id);
  }
  if (cursor.failed()) return std::nullopt;
  return out;
}

std::optional<named_cursors> cursors_named(const protocol::command_view& command) {
  named_cursors out;
  const auto& body = command.message.body;
  if (command.is("getMore")) {
    const auto collection = body.find("collection");
    const auto id = command.first.integer();
    if (!id || !collection || !collection->text()) return std::nullopt;
    out.ns = std::string(command.db) + '.' + std::string(*collection->text());
    out.ids.push_back(*id);
    return out;
  }
  const auto cursors = body.find("cursors");
  const auto array = cursors ? cursors->array() : std::nullopt;
  if (!array || command.collection.empty()) return std::nullopt;
  out.ns = std::string(command.db) + '.' + std::string(command.collection);
  bson_element element;
  bson_cursor cursor(*array);
  while (cursor.next(element)) {
    const auto id = element.integer();
    if (!id) return std::nullopt;
    out.ids.push_back(*id);
  }
  if (cursor.failed() || out.ids.empty()) return std::nullopt;
  return out;
}

}  // namespace mongocached::daemon
