#include "cache/matcher/list_query.hpp"

#include <algorithm>

#include "cache/matcher/condition.hpp"
#include "cache/matcher/path.hpp"
#include "cache/name_table.hpp"

namespace mongocached::cache {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;

using changed_paths = std::span<const std::string_view>;

// Behind a field name. $not holds operators again.
enum class scope : std::uint8_t { own_path, operators };

constexpr name_table path_operators(std::to_array<named<scope>>({
    {"$eq", scope::own_path},           {"$ne", scope::own_path},         {"$gt", scope::own_path},
    {"$gte", scope::own_path},          {"$lt", scope::own_path},         {"$lte", scope::own_path},
    {"$in", scope::own_path},           {"$nin", scope::own_path},        {"$exists", scope::own_path},
    {"$type", scope::own_path},         {"$size", scope::own_path},       {"$all", scope::own_path},
    {"$elemMatch", scope::own_path},    {"$comment", scope::own_path},    {"$regex", scope::own_path},
    {"$options", scope::own_path},      {"$mod", scope::own_path},        {"$bitsAllSet", scope::own_path},
    {"$bitsAllClear", scope::own_path}, {"$bitsAnySet", scope::own_path}, {"$bitsAnyClear", scope::own_path},
    {"$not", scope::operators},
}));

path_use joined(path_use a, path_use b) noexcept {
  return std::max(a, b);
}

// The joined use of every element; malformed bytes are unmodelled.
template <class Use>
path_use each(bson_view view, Use use) noexcept {
  auto result = path_use::untouched;
  bson_element element;
  bson_cursor cursor(view);
  while (result != path_use::unmodelled && cursor.next(element)) result = joined(result, use(element));
  return cursor.failed() ? path_use::unmodelled : result;
}

path_use use_of_path(std::string_view path, changed_paths paths) noexcept {
  if (!is_plain_path(path)) return path_use::unmodelled;
  const bool touched = std::any_of(paths.begin(), paths.end(), [path](auto p) { return paths_touch(path, p); });
  return touched ? path_use::touched : path_use::untouched;
}

// Unmodelled or untouched: the path in front of the operators is the caller's.
path_use use_of_operators(bson_view operators, int depth) noexcept {
  if (depth <= 0) return path_use::unmodelled;
  return each(operators, [depth](const bson_element& condition) {
    const auto* kind = path_operators.find(condition.name);
    if (kind == nullptr) return path_use::unmodelled;
    const auto inner = *kind == scope::operators ? condition.object() : std::nullopt;
    return inner ? use_of_operators(*inner, depth - 1) : path_use::untouched;
  });
}

path_use use_of_field(const bson_element& field, changed_paths paths, int depth) noexcept {
  const auto inner = field.object();
  const auto own = use_of_path(field.name, paths);
  return inner && begins_with_operator(*inner) ? joined(own, use_of_operators(*inner, depth - 1)) : own;
}

path_use use_of_filter(bson_view filter, changed_paths paths, int depth) noexcept {
  if (depth <= 0) return path_use::unmodelled;
  return each(filter, [paths, depth](const bson_element& part) {
    if (part.name == "$comment") return path_use::untouched;
    if (!part.name.starts_with('$')) return use_of_field(part, paths, depth);
    const bool logical = part.name == "$and" || part.name == "$or" || part.name == "$nor";
    const auto filters = logical ? part.array() : std::nullopt;
    if (!filters) return path_use::unmodelled;
    return each(*filters, [paths, depth](const bson_element& element) {
      const auto inner = element.object();
      return inner ? use_of_filter(*inner, paths, depth - 2) : path_use::unmodelled;
    });
  });
}

// True for an inclusion; empty if the projection is empty but for _id: then `_id: 1` includes and `_id: 0` excludes.
bool is_inclusion(bson_view projection) noexcept {
  bson_element field;
  bool id = false;
  for (bson_cursor cursor(projection); cursor.next(field);) {
    if (field.name != "_id") return field.truthy().value_or(false);
    id = field.truthy().value_or(false);
  }
  return id;
}

}  // namespace

path_use filter_use(bson_view filter, changed_paths paths) noexcept {
  return use_of_filter(filter, paths, max_match_depth);
}

path_use sort_use(bson_view sort, changed_paths paths) noexcept {
  return each(sort, [paths](const bson_element& key) {
    const auto direction = key.integer();
    if (direction != 1 && direction != -1) return path_use::unmodelled;
    return use_of_path(key.name, paths);
  });
}

path_use projection_use(bson_view projection, changed_paths paths) noexcept {
  const bool inclusion = is_inclusion(projection);
  const auto use = each(projection, [paths](const bson_element& field) {
    const bool cuts_id = field.name.starts_with("_id.");  // the result's _id is not the document's
    return field.truthy() && !cuts_id ? use_of_path(field.name, paths) : path_use::unmodelled;
  });
  if (use != path_use::untouched || inclusion) return use;
  return paths.empty() ? path_use::untouched : path_use::touched;  // what is not excluded shows
}

bool keeps(bson_view projection, std::string_view path) noexcept {
  if (projection.empty()) return true;
  const bool inclusion = is_inclusion(projection);
  bool kept = path == "_id" || !inclusion;
  bson_element field;
  for (bson_cursor cursor(projection); cursor.next(field);) {
    const bool included = field.truthy().value_or(false);
    const bool covers = path == field.name || (path.starts_with(field.name) && path[field.name.size()] == '.');
    if (!included && paths_touch(path, field.name)) return false;
    if (included && covers) kept = true;
  }
  return kept;
}

}  // namespace mongocached::cache
