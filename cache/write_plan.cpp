#include "cache/write_plan.hpp"

#include "cache/command_table.hpp"
#include "cache/read_plan.hpp"
#include "cache/write_outputs.hpp"
#include "cache/write_targets.hpp"

namespace mongocached::cache {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;
using protocol::command_view;

// Calls take(document) for every document of an argument, whether it stands in the body as an array or behind it as a
// sequence. False if there is none of that name or more than one, or if not all could be read.
template <class Take>
bool each_document(const command_view& command, std::string_view name, Take take) {
  int found = 0;
  bson_element element;
  bson_cursor body(command.message.body);
  while (body.next(element)) {
    if (element.name != name) continue;
    ++found;
    const auto array = element.array();
    if (!array) return false;
    bson_element member;
    bson_cursor members(*array);
    while (members.next(member)) {
      const auto document = member.object();
      if (!document) return false;
      take(*document);
    }
    if (members.failed()) return false;
  }
  for (std::size_t i = 0; i < command.message.sequence_count; ++i) {
    const auto& sequence = command.message.sequences[i];
    if (sequence.name != name) continue;
    ++found;
    for (auto rest = sequence.documents; !rest.empty();) {
      const auto document = bson_view::parse_front(rest);
      if (!document) return false;
      take(*document);
      rest = rest.subspan(document->size());
    }
  }
  return found == 1 && !body.failed();
}

// A statement that changes what a filter matches: of update, delete, findAndModify and bulkWrite.
struct statement {
  std::optional<bson_view> filter;  // empty: none, or one whose extent is not known
  bool upsert = false;
  write_effect effect;
};

// With a collation strings compare otherwise than by their bytes: no keys. An argument that stands there twice is not
// trusted. `modification` names the update document; empty: the statement deletes.
statement read_statement(bson_view arguments, std::string_view filter_name, std::string_view modification) {
  statement out;
  bool plain = true;
  bool seen = false;
  std::optional<bson_element> update;
  bson_element element;
  bson_cursor cursor(arguments);
  while (cursor.next(element)) {
    if (element.name == filter_name) {
      plain = plain && !seen;
      seen = true;
      out.filter = element.object();
    } else if (element.name == "upsert") {
      out.upsert = out.upsert || element.truthy().value_or(true);
    } else if (element.name == "collation") {
      plain = false;
    } else if (element.name == modification) {
      plain = plain && !update;
      update = element;
    }
  }
  if (!plain || cursor.failed()) out.filter.reset();
  if (modification.empty()) {
    out.effect = effect_of_delete();
  } else if (update) {
    out.effect = effect_of_update(*update, out.upsert);
  }
  return out;
}

void plan_insert(const command_view& command, write_targets& to) {
  const auto take = [&](bson_view document) { to.add_document(command.db, command.collection, document); };
  if (!each_document(command, "documents", take)) to.add_collection(command.db, command.collection);
}

void plan_statements(const command_view& command, std::string_view name, std::string_view modification,
                     write_targets& to) {
  const auto take = [&](bson_view arguments) {
    const auto s = read_statement(arguments, "q", modification);
    to.add_filter(command.db, command.collection, s.filter, s.upsert, s.effect);
  };
  if (!each_document(command, name, take)) to.add_collection(command.db, command.collection);
}

void plan_find_and_modify(const command_view& command, write_targets& to) {
  const auto& body = command.message.body;
  const auto remove = body.find("remove");
  const bool updates = body.find("update").has_value();
  auto s = read_statement(body, "query", updates ? "update" : "");
  // Which of the two it does is the server's to say.
  if (updates == (remove && remove->truthy().value_or(true))) s.effect = {};
  to.add_filter(command.db, command.collection, s.filter, s.upsert, s.effect);
}

// One of {insert: i, document}, {update: i, filter, ...}, {delete: i, filter, ...}, i an index into nsInfo. False if it
// is none.
bool plan_bulk_operation(bson_view operation, const std::vector<std::string_view>& namespaces, write_targets& to) {
  bson_element first;
  bson_cursor cursor(operation);
  if (!cursor.next(first)) return false;
  const auto index = first.integer();
  if (!index || *index < 0 || static_cast<std::uint64_t>(*index) >= namespaces.size()) return false;
  const auto [db, collection] = split(namespaces[static_cast<std::size_t>(*index)]);
  if (first.name == "insert") {
    const auto document = operation.find("document");
    const auto view = document ? document->object() : std::nullopt;
    to.add_document(db, collection, view.value_or(bson_view{}));
    return true;
  }
  if (first.name != "update" && first.name != "delete") return false;
  const auto s = read_statement(operation, "filter", first.name == "update" ? "updateMods" : "");
  to.add_filter(db, collection, s.filter, s.upsert, s.effect);
  return true;
}

// The client-level bulkWrite, against `admin`.
void plan_bulk_write(const command_view& command, write_targets& to) {
  std::vector<std::string_view> namespaces;
  bool known =
      each_document(command, "nsInfo", [&](bson_view info) { namespaces.push_back(text_of(info.find("ns"))); });
  const auto take = [&](bson_view operation) { known = known && plan_bulk_operation(operation, namespaces, to); };
  if (!known || !each_document(command, "ops", take) || !known) to.add_everything(false);
}

void plan_rename(const command_view& command, write_targets& to) {
  to.add_namespace(command.collection, true);
  to.add_namespace(text_of(command.message.body.find("to")), true);
}

void plan_validate(const command_view& command, write_targets& to, write_plan& out) {
  if (command.message.body.find("repair")) return to.add_collection(command.db, command.collection, true);
  out.kind = command_kind::read;
}

// It might change any collection of its database, whatever its first argument says; against `admin` and the like,
// anything.
void plan_unknown(const command_view& command, write_targets& to, write_plan& out) {
  out.unknown_command = true;
  const bool reaches_all = command.db.empty() || !is_user_namespace(command.db, {});
  return reaches_all ? to.add_everything(true) : to.add_database(command.db, true);
}

// Only the front of the message was seen, of a command whose arguments may stand behind it.
void plan_cut(command_action action, const command_view& command, write_targets& to) {
  if (action == command_action::bulk_write) return to.add_everything(false);
  to.add_collection(command.db, command.collection);
}

// What stands behind what was seen of it may make it more than it seems to be.
void assume_the_worst(command_action action, const command_view& command, write_targets& to, write_plan& out) {
  if (action == command_action::aggregate && out.kind == command_kind::write) out.deferred = true;
  if (action == command_action::validate && out.kind == command_kind::read) {
    out.kind = command_kind::write;
    to.add_collection(command.db, command.collection, true);
  }
}

bool may_be_cut(command_action action) noexcept {
  return action == command_action::insert || action == command_action::update || action == command_action::remove ||
         action == command_action::find_and_modify || action == command_action::bulk_write;
}

void plan_action(command_action action, const command_view& command, write_targets& to, write_plan& out) {
  switch (action) {
    case command_action::read:
      out.kind = command_kind::read;
      return;
    case command_action::session:
      out.kind = command_kind::session;
      return;
    case command_action::commit:
      out.kind = command_kind::commit;
      return;
    case command_action::authorization:
      out.kind = command_kind::authorization;
      return;
    case command_action::insert:
      return plan_insert(command, to);
    case command_action::update:
      return plan_statements(command, "updates", "u", to);
    case command_action::remove:
      return plan_statements(command, "deletes", "", to);
    case command_action::find_and_modify:
      return plan_find_and_modify(command, to);
    case command_action::bulk_write:
      return plan_bulk_write(command, to);
    case command_action::aggregate:
      return plan_aggregate(command, to, out);
    case command_action::map_reduce:
      return plan_map_reduce(command, to, out);
    case command_action::ddl_collection:
      return to.add_collection(command.db, command.collection, true);
    case command_action::ddl_namespace:
      return to.add_namespace(command.collection, true);
    case command_action::ddl_database:
      return to.add_database(command.db, true);
    case command_action::ddl_named:
      return to.add_database(command.collection, true);
    case command_action::rename:
      return plan_rename(command, to);
    case command_action::validate:
      return plan_validate(command, to, out);
    case command_action::everything:
      return to.add_everything(true);
    case command_action::unknown:
      return plan_unknown(command, to, out);
  }
}

}  // namespace

void plan_write(const command_view& command, bool whole, write_plan& out) {
  out.kind = command_kind::write;
  out.unknown_command = false;
  out.deferred = false;
  out.uncommitted = false;
  out.unacknowledged = command.unacknowledged || command.message.has(protocol::op_msg_flags::more_to_come);
  out.targets.clear();
  write_targets to(out);
  const auto action = action_of(command.name);
  if (!whole && may_be_cut(action)) return plan_cut(action, command, to);
  plan_action(action, command, to, out);
  if (!whole) assume_the_worst(action, command, to, out);
  if (out.kind == command_kind::write && out.targets.empty()) to.add_collection(command.db, command.collection);
}

}  // namespace mongocached::cache
