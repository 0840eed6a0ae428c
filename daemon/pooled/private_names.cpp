#include "daemon/pooled/private_names.hpp"

#include <algorithm>
#include <array>

namespace mongocached::daemon {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;

constexpr std::array<std::string_view, 3> private_databases{"admin", "config", "local"};
constexpr std::string_view private_collections = "system.";

constexpr std::array<std::string_view, 16> by_first_field_only{
    "insert",          "update",      "delete",          "find",        "findAndModify", "findandmodify",
    "count",           "distinct",    "getMore",         "killCursors", "createIndexes", "listIndexes",
    "listCollections", "endSessions", "refreshSessions", "killSessions"};

// Fields that any command may have, and that name no collection. `$db` is looked at by itself.
constexpr std::array<std::string_view, 8> generic_fields{"$db",         "lsid", "$clusterTime", "$readPreference",
                                                         "readConcern", "let",  "comment",      "writeConcern"};

// Stages of values and expressions: what looks like a name there is none.
constexpr std::array<std::string_view, 20> value_stages{
    "$match",  "$project",    "$addFields",   "$set",    "$unset",       "$group",          "$sort",
    "$limit",  "$skip",       "$count",       "$unwind", "$replaceRoot", "$replaceWith",    "$sample",
    "$bucket", "$bucketAuto", "$sortByCount", "$redact", "$fill",        "$setWindowFields"};

template <std::size_t N>
bool is_in(const std::array<std::string_view, N>& names, std::string_view name) noexcept {
  return std::ranges::find(names, name) != names.end();
}

std::string_view database_of(std::string_view full_name) noexcept {
  return full_name.substr(0, std::min(full_name.find('.'), full_name.size()));
}

// `here`: a name without a database is one of a private database.
bool is_private(std::string_view name, bool here) noexcept {
  if (here && name.starts_with(private_collections)) return true;
  const auto db = database_of(name);
  return db.size() < name.size() && is_in(private_databases, db) &&
         name.substr(db.size() + 1).starts_with(private_collections);
}

// Commands take the UUID of a collection in place of its name.
bool is_uuid(const bson_element& element) noexcept {
  constexpr std::uint8_t uuid = 4;
  return element.is(bson_type::binary) && element.value.size() > 4 && element.value[4] == uuid;
}

bool is_value_stage(bson_view document) noexcept {
  bson_element stage;
  bson_element more;
  bson_cursor cursor(document);
  return cursor.next(stage) && is_in(value_stages, stage.name) && !cursor.next(more) && !cursor.failed();
}

// {db: "admin", coll: ...}, whatever the fields are called.
bool names_a_private_database(bson_view document) noexcept {
  bson_element element;
  for (bson_cursor cursor(document); cursor.next(element);) {
    if (const auto text = element.text(); text && is_in(private_databases, *text)) return true;
  }
  return false;
}

bool holds_private(const bson_element& element, bool here, int depth) noexcept;

bool holds_private(bson_view document, bool here, bool is_list, int depth) noexcept {
  if (depth == 0) return true;
  here = here || names_a_private_database(document);
  bson_element element;
  bson_cursor cursor(document);
  while (cursor.next(element)) {
    const auto stage = is_list ? element.object() : std::nullopt;
    if (stage && is_value_stage(*stage)) continue;
    if (holds_private(element, here, depth)) return true;
  }
  return cursor.failed();
}

bool holds_private(const bson_element& element, bool here, int depth) noexcept {
  if (const auto text = element.text()) return is_private(*text, here);
  if (element.is(bson_type::document) || element.is(bson_type::array)) {
    const auto inside = element.document();
    return !inside || holds_private(*inside, here, element.is(bson_type::array), depth - 1);
  }
  return here && is_uuid(element);
}

// A sequence stands for an array field.
bool holds_private(const protocol::document_sequence& sequence, bool here) noexcept {
  auto rest = sequence.documents;
  while (!rest.empty()) {
    const auto one = bson_view::parse_front(rest);
    if (!one) return true;
    if (!is_value_stage(*one) && holds_private(*one, here, false, protocol::max_depth)) return true;
    rest = rest.subspan(one->size());
  }
  return false;
}

// Into such a database or out of it, whatever the collection: what is there today is another's tomorrow.
bool renames_private(const protocol::command_view& command) noexcept {
  bson_element element;
  for (bson_cursor cursor(command.message.body); cursor.next(element);) {
    if (element.name == "$db") continue;
    if (const auto text = element.text(); text && is_in(private_databases, database_of(*text))) return true;
  }
  return false;
}

}  // namespace

bool names_by_first_field_only(std::string_view command) noexcept {
  return is_in(by_first_field_only, command);
}

bool reaches_private(const protocol::command_view& command) noexcept {
  const bool here = is_in(private_databases, command.db);
  if (is_private(command.collection, here)) return true;
  if (here && command.first.is(bson_type::binary)) return true;
  if (names_by_first_field_only(command.name)) return false;
  if (command.is("renameCollection") && renames_private(command)) return true;
  // What a bulkWrite writes are values, and where to stands in nsInfo.
  const auto names_nothing = [&command](std::string_view field) {
    return is_in(generic_fields, field) || (command.is("bulkWrite") && field == "ops");
  };
  bson_element element;
  bson_cursor cursor(command.message.body);
  while (cursor.next(element)) {
    if (!names_nothing(element.name) && holds_private(element, here, protocol::max_depth)) return true;
  }
  for (std::size_t i = 0; i < command.message.sequence_count; ++i) {
    const auto& sequence = command.message.sequences[i];
    if (!names_nothing(sequence.name) && holds_private(sequence, here)) return true;
  }
  return cursor.failed();
}

}  // namespace mongocached::daemon
