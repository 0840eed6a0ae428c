#include "cache/matcher/affected_list.hpp"

#include "cache/matcher/filter_match.hpp"
#include "cache/matcher/path.hpp"

namespace mongocached::cache {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;

// What a walk over the result tells.
struct result_facts {
  bool plain = false;  // documents, each with an _id
  bool holds_id = false;
  std::uint64_t count = 0;
  bson_view last;
};

result_facts examine(bson_view result, const std::optional<bson_element>& id) noexcept {
  result_facts facts;
  bson_element element;
  bson_cursor cursor(result);
  while (cursor.next(element)) {
    const auto document = element.object();
    const auto own = document ? document->find("_id") : std::nullopt;
    if (!own) return {};
    if (id) {
      const auto order = compare_values(*own, *id);
      facts.holds_id = facts.holds_id || !order || std::is_eq(*order);
    }
    ++facts.count;
    facts.last = *document;
  }
  facts.plain = !cursor.failed();
  return facts;
}

bool is_modelled(const list_query& query) noexcept {
  return filter_use(query.filter, {}) != path_use::unmodelled && sort_use(query.sort, {}) != path_use::unmodelled &&
         projection_use(query.projection, {}) != path_use::unmodelled && query.skip == 0 && !query.hint;
}

constexpr bson_element null_element{bson_type::null, {}, {}, {}};

// What a document sorts by: missing counts as null. Empty if an array is on the way or at its end, for then the least
// or greatest of several values decides.
std::optional<bson_element> sort_value(bson_view document, std::string_view path) noexcept {
  for (;;) {
    const auto field = document.find(take_component(path));
    if (!field) return null_element;
    if (field->is(bson_type::array)) return std::nullopt;
    if (path.empty()) return field;
    if (!field->is(bson_type::document)) return null_element;
    document = field->document().value_or(bson_view{});
  }
}

// Strictly: documents with equal keys come in any order.
bool sorts_behind(const list_query& query, bson_view document, bson_view last) noexcept {
  if (!last.validate(max_match_depth)) return false;
  const auto strings = query.collation ? string_order::collated : string_order::bytes;
  bson_element key;
  for (bson_cursor cursor(query.sort); cursor.next(key);) {
    const auto own = sort_value(document, key.name);
    const auto other = sort_value(last, key.name);
    if (!own || !other || !keeps(query.projection, key.name)) return false;
    const auto order = compare_values(*own, *other, strings);
    if (!order) return false;
    if (std::is_neq(*order)) return key.integer() == 1 ? std::is_gt(*order) : std::is_lt(*order);
  }
  return false;
}

bool is_full(const list_query& query, std::uint64_t count) noexcept {
  const auto size = static_cast<std::uint64_t>(query.limit);
  return query.limit != 0 && count >= (query.limit < 0 ? 0 - size : size);
}

// The server fills in what an inserted document lacks: an _id, and timestamps of zero at its top level.
bool is_stored_as_written(bson_view document) noexcept {
  bson_element field;
  for (bson_cursor cursor(document); cursor.next(field);) {
    if (field.timestamp() == 0) return false;
  }
  return document.find("_id").has_value();
}

bool may_enter(const list_query& query, bson_view document, const result_facts& facts) {
  const auto strings = query.collation ? string_order::collated : string_order::bytes;
  if (matches(query.filter, document, strings) == match::no) return false;
  return !is_full(query, facts.count) || !sorts_behind(query, document, facts.last);
}

bool update_touches(const list_query& query, const list_write& write) noexcept {
  if (filter_use(query.filter, write.paths) != path_use::untouched) return true;
  if (sort_use(query.sort, write.paths) != path_use::untouched) return true;
  return !write.id && projection_use(query.projection, write.paths) != path_use::untouched;
}

}  // namespace

bool may_change(const list_query& query, const std::optional<bson_view>& result, const list_write& write) {
  using kind = list_write::kind;
  if (write.what == kind::unknown || !result || !is_modelled(query)) return true;
  const bool whole = write.what == kind::inserted || write.what == kind::replaced;
  if (whole && (!write.document.validate(max_match_depth) || !is_stored_as_written(write.document))) return true;
  const auto id = whole ? write.document.find("_id") : write.id;
  const auto facts = examine(*result, id);
  if (!facts.plain || facts.holds_id) return true;
  if (whole) return may_enter(query, write.document, facts);
  if (write.what == kind::updated) return update_touches(query, write);
  return !id;
}

}  // namespace mongocached::cache
