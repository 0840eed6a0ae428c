#include "daemon/own_command.hpp"

#include <algorithm>
#include <array>

#include "daemon/json_text.hpp"

namespace mongocached::daemon {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;
using code = protocol::error_code;

constexpr std::size_t shown_of_a_name = 64;

// Generic fields that drivers and shells add by themselves; none of them changes the answer.
constexpr std::array<std::string_view, 11> generic{
    "$db",        "lsid",      "$clusterTime", "$readPreference", "readConcern",         "writeConcern",
    "apiVersion", "apiStrict", "comment",      "maxTimeMS",       "apiDeprecationErrors"};

constexpr const char* allowed_values =
    "mongocached: allowed are 1 (the status) and \"explain\" (what the cache would do with a command)";

std::string unknown_field(std::string_view name, bool explains) {
  return "mongocached: field '" + valid_utf8(name.substr(0, shown_of_a_name)) + "' is not known; allowed " +
         (explains ? "are command and generic fields" : "beside 1 are generic fields only");
}

bool is_generic(std::string_view name) noexcept {
  return std::ranges::find(generic, name) != generic.end();
}

// What speaks against it, whatever it asks for.
std::optional<refusal> check_form(const protocol::command_view& command) {
  if (command.message.sequence_count > 0)
    return refusal{code::failed_to_parse, "mongocached: takes no document sequence"};
  if (command.in_transaction || command.starts_transaction || command.has_txn_number)
    return refusal{code::operation_not_supported_in_transaction, "mongocached: not in a transaction"};
  if (command.unmodelled)
    return refusal{code::failed_to_parse, "mongocached: a generic field stands there twice, or is malformed"};
  return std::nullopt;
}

std::variant<own_command, refusal> parse_explain(const protocol::command_view& command) {
  own_command out{.what = own_command::kind::explain, .explained = {}};
  bool given = false;
  bson_element field;
  bson_cursor cursor(command.message.body);
  static_cast<void>(cursor.next(field));  // the first one was seen
  while (cursor.next(field)) {
    if (field.name == "command") {
      const auto document = field.object();
      if (!document || given) return refusal{code::failed_to_parse, "mongocached: command must be one document"};
      out.explained = *document;
      given = true;
    } else if (!is_generic(field.name)) {
      return refusal{code::invalid_options, unknown_field(field.name, true)};
    }
  }
  if (!given)
    return refusal{code::failed_to_parse,
                   "mongocached: \"explain\" needs the command in question: {mongocached: \"explain\", command: "
                   "{find: ..., filter: ...}}"};
  return out;
}

std::variant<own_command, refusal> parse_status(const protocol::command_view& command) {
  if (command.db != "admin") return refusal{code::unauthorized, "mongocached: 1 may be asked on database admin only"};
  bson_element field;
  bson_cursor cursor(command.message.body);
  static_cast<void>(cursor.next(field));
  while (cursor.next(field)) {
    if (!is_generic(field.name)) return refusal{code::invalid_options, unknown_field(field.name, false)};
  }
  return own_command{};
}

}  // namespace

bool asks_for_status(const protocol::command_view& command) noexcept {
  return command.is(own_command_name) && command.first.integer() == 1;
}

std::variant<own_command, refusal> parse_own_command(const protocol::command_view& command) {
  if (auto refused = check_form(command)) return std::move(*refused);
  if (asks_for_status(command)) return parse_status(command);
  if (command.first.is(bson_type::string) && command.first.text() == "explain") return parse_explain(command);
  return refusal{code::invalid_options, allowed_values};
}

std::variant<protocol::byte_buffer, refusal> message_of(bson_view explained, std::string_view db,
                                                        std::int32_t request_id) {
  protocol::byte_buffer body;
  {
    protocol::bson_builder copy(body);
    bson_element field;
    bson_cursor cursor(explained);
    bool named = false;
    while (cursor.next(field)) {
      if (field.name == "$db") {
        if (field.text() != db) return refusal{code::invalid_options, "mongocached: command is of another database"};
        named = true;
      }
      copy.append(field);
    }
    if (cursor.failed()) return refusal{code::failed_to_parse, "mongocached: command is malformed"};
    if (explained.empty()) return refusal{code::failed_to_parse, "mongocached: command is empty"};
    if (!named) copy.append_string("$db", db);
  }
  protocol::byte_buffer out;
  protocol::append_op_msg(out, request_id, 0, 0, *bson_view::parse(body));
  return out;
}

}  // namespace mongocached::daemon
