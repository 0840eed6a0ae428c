#include "cache/write_effect.hpp"

#include <algorithm>
#include <array>

#include "cache/matcher/condition.hpp"
#include "protocol/bson_builder.hpp"

namespace mongocached::cache {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;

bool names_paths(std::string_view update_operator) noexcept {
  constexpr std::array<std::string_view, 15> operators{"$set",     "$unset", "$inc",         "$mul",    "$min",
                                                       "$max",     "$push",  "$pull",        "$pop",    "$addToSet",
                                                       "$pullAll", "$bit",   "$currentDate", "$rename", "$setOnInsert"};
  return std::ranges::find(operators, update_operator) != operators.end();
}

// False if one of them is not understood.
bool read_operator(const bson_element& part, std::vector<std::string_view>& paths) {
  const auto fields = part.object();
  if (!names_paths(part.name) || !fields) return false;
  bson_element field;
  bson_cursor cursor(*fields);
  while (cursor.next(field)) {
    paths.push_back(field.name);
    if (part.name != "$rename") continue;
    if (!field.is(bson_type::string)) return false;
    paths.push_back(field.text().value_or(""));
  }
  return !cursor.failed();
}

}  // namespace

write_effect effect_of_insert(bson_view document) noexcept {
  return {list_write::kind::inserted, document, {}};
}

write_effect effect_of_update(const bson_element& modification, bool upsert) {
  const auto document = modification.object();
  if (!document || upsert) return {};
  if (!begins_with_operator(*document)) return {list_write::kind::replaced, *document, {}};
  write_effect out{list_write::kind::updated, {}, {}};
  bson_element part;
  bson_cursor cursor(*document);
  while (cursor.next(part)) {
    if (!read_operator(part, out.paths)) return {};
  }
  return cursor.failed() ? write_effect{} : out;
}

planned_change change_of(const write_effect& effect, const bson_element& id) {
  planned_change out;
  out.what = effect.what;
  const bool whole = out.what == list_write::kind::inserted || out.what == list_write::kind::replaced;
  if (out.what == list_write::kind::unknown) return out;
  {
    protocol::bson_builder document(out.document);
    if (!whole || !effect.document.find("_id")) document.append_as("_id", id);
    bson_element field;
    for (bson_cursor cursor(effect.document); whole && cursor.next(field);) document.append(field);
  }
  out.paths.assign(effect.paths.begin(), effect.paths.end());
  return out;
}

}  // namespace mongocached::cache
