#include "cache/read_plan.hpp"

#include <algorithm>

namespace mongocached::cache {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;
using protocol::command_view;

// S2, as far as it does not take the arguments.
bypass_reason check_command(const command_view& command) noexcept {
  namespace flags = protocol::op_msg_flags;
  if (command.unmodelled) return bypass_reason::option;
  if (!is_valid_namespace(command.db, command.collection)) return bypass_reason::bad_namespace;
  if (!is_user_namespace(command.db, command.collection)) return bypass_reason::internal_namespace;
  if (command.in_transaction || command.starts_transaction || command.has_txn_number) return bypass_reason::transaction;
  if (command.level == protocol::read_level::other || command.read_concern_unmodelled)
    return bypass_reason::read_concern;
  if (command.message.has(flags::more_to_come) || command.message.has(flags::exhaust_allowed)) {
    return bypass_reason::cursor_option;
  }
  return bypass_reason::none;
}

// The only field of a document; empty if it has none or more, or is malformed.
std::optional<bson_element> only_field(bson_view view) noexcept {
  bson_element field;
  bson_element more;
  bson_cursor cursor(view);
  if (!cursor.next(field) || cursor.next(more) || cursor.failed()) return std::nullopt;
  return field;
}

// What a filter on `_id` alone asks for: a value, or the array behind `$in`. Empty for ranges and the like: no look-up.
struct id_filter {
  bson_element value;
  bool in = false;
};

std::optional<id_filter> id_filter_of(bson_view filter) noexcept {
  const auto field = only_field(filter);
  if (!field || field->name != "_id") return std::nullopt;
  if (!field->is(bson_type::document)) return id_filter{*field, false};
  const auto document = field->document();
  const auto condition = document ? only_field(*document) : std::nullopt;
  if (condition && condition->name == "$eq") return id_filter{*condition, false};
  if (condition && condition->name == "$in" && condition->is(bson_type::array)) return id_filter{*condition, true};
  bson_element first;
  bson_cursor cursor(document.value_or(bson_view()));
  if (cursor.next(first) && first.name.starts_with('$')) return std::nullopt;  // other operators, or a DBRef
  return id_filter{*field, false};
}

// S4: the arguments that a look-up by _id does not model. Stable API version 1 changes no answer of what is left.
bypass_reason check_look_up(const find_fields& fields) noexcept {
  if (fields.collation) return bypass_reason::collation;
  if (fields.hint || fields.let || fields.skip != 0 || !fields.sort.empty()) return bypass_reason::option;
  if (fields.api_strict || fields.api_deprecation_errors) return bypass_reason::option;
  if (fields.api_version && fields.api_version->text() != "1") return bypass_reason::option;
  return bypass_reason::none;
}

// S4: whether batchSize surely cuts nothing, whatever is found of at most `most` documents.
bool batch_is_ample(const find_fields& fields, std::size_t most) noexcept {
  if (fields.batch_size < 0 || static_cast<std::uint64_t>(fields.batch_size) > most) return true;
  return fields.limit > 0 && fields.batch_size >= fields.limit;
}

// One id more: its key behind those that are there.
bypass_reason append_id(const command_view& command, const read_rules& rules, const bson_element& value,
                        read_plan& out) {
  const auto begin = out.key_bytes.size();
  append_key_prefix(out.key_bytes, key_kind::document, command.db, command.collection);
  if (!append_canonical_id(out.key_bytes, value)) return bypass_reason::id_type;
  if (!rules.string_ids && holds_string(value)) return bypass_reason::collation;
  out.ids.push_back({value, begin, out.key_bytes.size(), 0});
  return bypass_reason::none;
}

bypass_reason append_members(const command_view& command, const read_rules& rules, bson_view array, read_plan& out) {
  bson_element member;
  bson_cursor cursor(array);
  while (cursor.next(member)) {
    if (out.ids.size() == max_in_members) return bypass_reason::in_list;
    const auto reason = append_id(command, rules, member, out);
    if (reason != bypass_reason::none) return reason == bypass_reason::id_type ? bypass_reason::in_list : reason;
    if (class_of(member) != class_of(out.ids.front().value)) return bypass_reason::in_list;
  }
  return cursor.failed() || out.ids.empty() ? bypass_reason::in_list : bypass_reason::none;
}

bypass_reason plan_one(const command_view& command, const read_rules& rules, const find_fields& fields,
                       const bson_element& value, read_plan& out) {
  // With singleBatch a batch of one is the whole answer too.
  if (!batch_is_ample(fields, 1) && !(fields.single_batch && fields.batch_size > 0)) return bypass_reason::batch_size;
  out.shape = read_shape::by_id;
  return append_id(command, rules, value, out);
}

bypass_reason plan_many(const command_view& command, const read_rules& rules, const find_fields& fields,
                        bson_view array, read_plan& out) {
  if (const auto reason = append_members(command, rules, array, out); reason != bypass_reason::none) return reason;
  std::sort(out.ids.begin(), out.ids.end(),
            [](const planned_id& a, const planned_id& b) { return compare_ids(a.value, b.value) < 0; });
  const auto same = [](const planned_id& a, const planned_id& b) { return compare_ids(a.value, b.value) == 0; };
  out.ids.erase(std::unique(out.ids.begin(), out.ids.end(), same), out.ids.end());
  if (out.ids.size() > max_in_values) return bypass_reason::in_list;
  // A batch that may be cut is the caller's to judge, once it knows what was found; not so where the cursor would close
  // anyway.
  if (!batch_is_ample(fields, out.ids.size()) && fields.single_batch) return bypass_reason::batch_size;
  out.shape = read_shape::by_ids;
  out.limit = fields.limit;
  out.batch_size = std::max<std::int64_t>(fields.batch_size, 0);
  return bypass_reason::none;
}

bypass_reason plan_look_up(const command_view& command, const read_rules& rules, const find_fields& fields,
                           const id_filter& filter, read_plan& out) {
  if (const auto reason = check_look_up(fields); reason != bypass_reason::none) return reason;
  if (!fields.projection.empty()) {
    if (out.project.compile(fields.projection) == projection::verdict::unmodelled) return bypass_reason::projection;
    out.projected = true;
  }
  const auto array = filter.in ? filter.value.document() : std::nullopt;
  const auto reason =
      array ? plan_many(command, rules, fields, *array, out) : plan_one(command, rules, fields, filter.value, out);
  if (reason != bypass_reason::none) return reason;
  for (std::size_t i = 0; i < out.ids.size(); ++i) out.ids[i].hash = hash_key(out.id_key(i).bytes);
  return bypass_reason::none;
}

void reset(read_plan& out) noexcept {
  out.shape = read_shape::forward;
  out.reason = bypass_reason::none;
  out.hint = {};
  out.ids.clear();
  out.key_bytes.clear();
  out.list_hash = 0;
  out.projected = false;
  out.limit = 0;
  out.batch_size = 0;
}

void forward(read_plan& out, bypass_reason reason) noexcept {
  reset(out);
  out.reason = reason;
}

void plan_list(const command_view& command, const find_fields& fields, read_plan& out) {
  reset(out);
  begin_key(out.key_bytes, key_kind::list, command.db, command.collection);
  const auto reason = append_list_key(out.key_bytes, fields);
  if (reason != bypass_reason::none) return forward(out, reason);
  out.list_hash = hash_key(out.key_bytes);
  out.shape = read_shape::list;
}

void plan_find(const command_view& command, const read_rules& rules, read_plan& out) {
  find_fields fields;
  if (const auto reason = read_find_fields(command, fields); reason != bypass_reason::none) return forward(out, reason);
  if (fields.batch_size == 0) return forward(out, bypass_reason::batch_size);  // S4: opens a cursor, whatever is found
  auto refusal = bypass_reason::namespace_unknown;
  if (const auto filter = id_filter_of(fields.filter)) {
    if (rules.sharded) return forward(out, bypass_reason::sharded);
    refusal = plan_look_up(command, rules, fields, *filter, out);
    if (refusal == bypass_reason::none) return;
  }
  if (!rules.lists) return forward(out, refusal);
  plan_list(command, fields, out);
}

}  // namespace

void plan_read(const command_view& command, const read_rules& rules, read_plan& out) {
  reset(out);
  out.rules = rules;
  if (const auto reason = check_command(command); reason != bypass_reason::none) return forward(out, reason);
  const auto hint = command.comment.empty() ? read_hint{} : hint_in(command.comment);
  if (hint.bypass) return forward(out, bypass_reason::hint);
  plan_find(command, rules, out);
  out.hint = hint;
}

bool is_user_namespace(std::string_view db, std::string_view collection) noexcept {
  return db != "admin" && db != "local" && db != "config" && !collection.starts_with("system.");
}

}  // namespace mongocached::cache
