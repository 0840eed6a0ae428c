#include "cache/matcher/affected_list.hpp"

#include <algorithm>

#include "cache/document_id.hpp"
#include "cache/entry.hpp"
#include "cache/matcher/filter_match.hpp"
#include "cache/matcher/path.hpp"

namespace mongocached::cache {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;

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

bool update_touches(const list_query& query, const list_write& write) noexcept {
  if (filter_use(query.filter, write.paths) != path_use::untouched) return true;
  if (sort_use(query.sort, write.paths) != path_use::untouched) return true;
  return !write.id && projection_use(query.projection, write.paths) != path_use::untouched;
}

bool is_whole(const list_write& write) noexcept {
  return write.what == list_write::kind::inserted || write.what == list_write::kind::replaced;
}

match match_of(const list_query& query, const list_write& write) {
  return matches(query.filter, write.document, query.collation ? string_order::collated : string_order::bytes);
}

// By the sizes of what is walked: each condition may search the whole document, or be compared with each path.
std::size_t cost_of(const list_query& query, const list_write& write) noexcept {
  constexpr std::size_t a_condition = 16;
  constexpr std::size_t a_search = 256;
  const auto conditions = (query.filter.size() + query.sort.size() + query.projection.size()) / a_condition;
  return 1 + conditions * (1 + write.document.size() / a_search + write.paths.size());
}

// A replacement keeps the _id that is stored: it equals the one that is told, and may be a number of another type.
bool goes_by_type(bson_view filter, int depth = max_match_depth) noexcept {
  bson_element field;
  bson_cursor cursor(filter);
  while (cursor.next(field)) {
    if (field.name == "$type") return true;
    const auto inner = field.document();
    if (inner && (depth == 0 || goes_by_type(*inner, depth - 1))) return true;
  }
  return cursor.failed();
}

enum class effect : std::uint8_t { none, certain, by_window };

// What can be said of the write without the result, but for its _id.
effect effect_of(const list_query& query, const list_write& write) {
  if (is_whole(write)) {
    if (write.what == list_write::kind::replaced && goes_by_type(query.filter)) return effect::certain;
    if (match_of(query, write) == match::no) return effect::none;
    return query.limit == 0 ? effect::certain : effect::by_window;
  }
  const bool changes = write.what == list_write::kind::updated ? update_touches(query, write) : !write.id;
  return changes ? effect::certain : effect::none;
}

bool may_be_equal(const bson_element& a, const bson_element& b) noexcept {
  const auto order = compare_values(a, b);
  return !order || std::is_eq(*order);
}

}  // namespace

// What a walk over the result tells.
struct write_set::result_facts {
  bool clear = false;  // documents, each with an _id, and none of those that were written
  std::uint64_t count = 0;
  bson_view last;
};

write_set::write_set(std::span<const list_write> writes, telling when)
    : writes_(writes.begin(), writes.end()), when_(when) {
  byte_buffer form;
  for (auto& write : writes_) {
    const bool whole = is_whole(write);
    unknown_ = unknown_ || write.what == list_write::kind::unknown ||
               (whole && (!write.document.validate(max_match_depth) || !is_stored_as_written(write.document)));
    if (unknown_) return;
    if (whole) write.id = write.document.find("_id");
    if (write.what == list_write::kind::inserted && write.new_id) continue;
    searches_ = true;
    if (!write.id) continue;
    ids_.push_back(*write.id);
    form.clear();
    if (append_canonical_id(form, *write.id)) {
      hashes_.push_back(hash_key(form));
    } else {
      formless_.push_back(*write.id);
    }
  }
  std::ranges::sort(hashes_);
}

// A collision of hashes costs a list and serves nothing wrong.
bool write_set::may_hold(const bson_element& id, byte_buffer& scratch, step_budget& budget) const {
  const auto equals = [&id](const bson_element& written) { return may_be_equal(id, written); };
  scratch.clear();
  if (append_canonical_id(scratch, id)) {
    if (std::ranges::binary_search(hashes_, hash_key(scratch))) return true;
    return !formless_.empty() && (!budget.take(formless_.size()) || std::ranges::any_of(formless_, equals));
  }
  return !budget.take(ids_.size()) || std::ranges::any_of(ids_, equals);
}

write_set::result_facts write_set::examine(bson_view result, step_budget& budget) const {
  result_facts facts;
  byte_buffer scratch;
  bson_element element;
  bson_cursor cursor(result);
  while (cursor.next(element)) {
    const auto document = element.object();
    const auto own = document && budget.take(1) ? document->find("_id") : std::nullopt;
    if (!own || (!ids_.empty() && may_hold(*own, scratch, budget))) return {};
    ++facts.count;
    facts.last = *document;
  }
  facts.clear = !cursor.failed();
  return facts;
}

bool write_set::may_change(const list_query& query, const std::optional<bson_view>& result, step_budget& budget) const {
  if (unknown_ || !result || !budget.take(1 + query.filter.size() / 64) || !is_modelled(query)) return true;
  // The filter first: where it decides, the result need not be walked.
  bool by_window = false;
  for (const auto& write : writes_) {
    if (!budget.take(cost_of(query, write))) return true;
    const auto told = effect_of(query, write);
    if (told == effect::certain || (told == effect::by_window && when_ == telling::ahead)) return true;
    by_window = by_window || told == effect::by_window;
  }
  if (!searches_ && !by_window) return false;
  const auto facts = examine(*result, budget);
  if (!facts.clear) return true;
  if (!by_window) return false;
  return std::ranges::any_of(writes_, [&](const list_write& write) {
    if (!is_whole(write)) return false;
    if (!budget.take(cost_of(query, write))) return true;
    if (match_of(query, write) == match::no) return false;
    return !is_full(query, facts.count) || !sorts_behind(query, write.document, facts.last);
  });
}

}  // namespace mongocached::cache
