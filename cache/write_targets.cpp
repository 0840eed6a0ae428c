#include "cache/write_targets.hpp"

namespace mongocached::cache {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;

// Forgets the keys of a target that has outgrown them.
void widen(write_target& target) {
  target.reach = extent::collection;
  target.key_bytes.clear();
  target.keys.clear();
  target.changes.clear();
}

bool is_system(std::string_view collection) noexcept {
  return collection.starts_with("system.");
}

// The only field of a document; empty if it has none or more, or is malformed.
std::optional<bson_element> only_field(const bson_element& value) noexcept {
  const auto document = value.object();
  if (!document) return std::nullopt;
  bson_element field;
  bson_element more;
  bson_cursor cursor(*document);
  if (!cursor.next(field) || cursor.next(more) || cursor.failed()) return std::nullopt;
  return field;
}

}  // namespace

std::string_view text_of(const std::optional<bson_element>& element) noexcept {
  return element && element->is(bson_type::string) ? element->text().value_or("") : std::string_view();
}

split_namespace split(std::string_view name) noexcept {
  const auto dot = name.find('.');
  if (dot == std::string_view::npos) return {name, {}};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

void write_targets::add_everything(bool ddl) {
  for (const auto& target : plan_.targets) ddl = ddl || target.ddl;
  plan_.targets.clear();
  plan_.targets.push_back({.reach = extent::everything, .ddl = ddl});
  plan_.kind = command_kind::authorization;
  everything_ = true;
}

void write_targets::add_database(std::string_view db, bool ddl) {
  if (db.empty()) return add_everything(ddl);
  if (db == "admin") plan_.kind = command_kind::authorization;
  auto* target = find_or_add(db, {});
  if (target == nullptr) return;
  target->reach = extent::database;
  target->ddl = target->ddl || ddl;
}

void write_targets::add_collection(std::string_view db, std::string_view collection, bool ddl) {
  if (is_system(collection) || collection.empty()) return add_database(db, true);
  if (db.empty()) return add_everything(ddl);
  auto* target = find_or_add(db, collection);
  if (target == nullptr) return;
  widen(*target);
  target->ddl = target->ddl || ddl;
}

void write_targets::add_namespace(std::string_view name, bool ddl) {
  const auto [db, collection] = split(name);
  if (db.empty() || collection.empty()) return add_everything(ddl);
  add_collection(db, collection, ddl);
}

void write_targets::add_document(std::string_view db, std::string_view collection, bson_view document) {
  const auto id = document.find("_id");
  if (!id || is_system(collection) || !is_valid_namespace(db, collection)) return add_collection(db, collection);
  auto* target = find_or_add(db, collection);
  if (target != nullptr && target->reach == extent::keys && !add_key(*target, *id, effect_of_insert(document))) {
    widen(*target);
  }
}

void write_targets::add_filter(std::string_view db, std::string_view collection, const std::optional<bson_view>& filter,
                               bool upsert, const write_effect& effect) {
  if (!filter || is_system(collection) || !is_valid_namespace(db, collection)) return add_collection(db, collection);
  auto* target = find_or_add(db, collection);
  if (target == nullptr || target->reach != extent::keys) return;
  if (!add_filter_keys(*target, *filter, upsert, effect)) widen(*target);
}

// None once everything is reached.
write_target* write_targets::find_or_add(std::string_view db, std::string_view collection) {
  if (everything_) return nullptr;
  auto& targets = plan_.targets;
  const auto fits = [&](const write_target& t) { return t.db == db && t.collection == collection; };
  if (last_ < targets.size() && fits(targets[last_])) return &targets[last_];
  for (last_ = 0; last_ < targets.size(); ++last_) {
    if (fits(targets[last_])) return &targets[last_];
  }
  if (targets.size() == max_targets) {
    add_everything(false);
    return nullptr;
  }
  targets.push_back({.db = std::string(db), .collection = std::string(collection)});
  return &targets.back();
}

bool write_targets::add_key(write_target& target, const bson_element& id, const write_effect& effect) {
  if (++key_count_ > max_planned_keys) return false;
  const auto begin = target.key_bytes.size();
  append_key_prefix(target.key_bytes, key_kind::document, target.db, target.collection);
  if (!append_canonical_id(target.key_bytes, id)) return false;
  target.keys.emplace_back(begin, target.key_bytes.size());
  if (effect.what == list_write::kind::unknown) target.forget_changes();
  if (target.told) target.changes.push_back(change_of(effect, id));
  return true;
}

// The fields of a filter are all to hold, so that one on `_id` bounds it, whatever the others say.
bool write_targets::add_filter_keys(write_target& target, bson_view filter, bool upsert, const write_effect& effect) {
  std::optional<bson_element> id;
  bson_element field;
  bson_cursor cursor(filter);
  while (cursor.next(field)) {
    if (field.name != "_id") continue;
    if (id) return false;
    id = field;
  }
  if (cursor.failed() || !id) return false;
  return add_condition_keys(target, *id, upsert, effect);
}

// A value, {$eq: value} or {$in: [values]}; an upsert takes no _id from $in, but makes one up.
bool write_targets::add_condition_keys(write_target& target, const bson_element& id, bool upsert,
                                       const write_effect& effect) {
  const auto condition = only_field(id);
  if (condition && condition->name == "$eq") return add_key(target, *condition, effect);
  if (!condition || condition->name != "$in") return add_key(target, id, effect);
  const auto values = condition->array();
  if (!values || upsert) return false;
  bson_element value;
  bson_cursor cursor(*values);
  while (cursor.next(value)) {
    if (!add_key(target, value, effect)) return false;
  }
  return !cursor.failed();
}

}  // namespace mongocached::cache
