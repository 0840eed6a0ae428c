#include "cache/matcher/condition.hpp"

#include "cache/name_table.hpp"

namespace mongocached::cache {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;

// What "number" stands for is asked apart.
constexpr name_table type_aliases(std::to_array<named<bson_type>>({
    {"double", bson_type::float64},
    {"string", bson_type::string},
    {"object", bson_type::document},
    {"array", bson_type::array},
    {"binData", bson_type::binary},
    {"objectId", bson_type::object_id},
    {"bool", bson_type::boolean},
    {"date", bson_type::date},
    {"null", bson_type::null},
    {"regex", bson_type::regex},
    {"javascript", bson_type::code},
    {"int", bson_type::int32},
    {"timestamp", bson_type::timestamp},
    {"long", bson_type::int64},
    {"decimal", bson_type::decimal128},
    {"minKey", bson_type::min_key},
    {"maxKey", bson_type::max_key},
}));

bool is_literal(const bson_element& operand) noexcept {
  return !operand.is(bson_type::regex) && !operand.is(bson_type::undefined);
}

match has_type_number(const bson_element& value, std::int64_t number) noexcept {
  constexpr std::int64_t last = 0x13;
  if (number == -1) return to_match(value.is(bson_type::min_key));
  if (number == 0x7f) return to_match(value.is(bson_type::max_key));
  if (number < 1 || number > last) return match::unknown;
  return to_match(static_cast<std::int64_t>(value.type) == number);
}

match has_one_type(const bson_element& value, const bson_element& operand) noexcept {
  if (const auto number = operand.integer()) return has_type_number(value, *number);
  if (!operand.is(bson_type::string)) return match::unknown;
  const auto alias = operand.text().value_or("");
  if (alias == "number") return to_match(comparison_class_of(value) == comparison_class::number);
  const auto* type = type_aliases.find(alias);
  return type == nullptr ? match::unknown : to_match(value.is(*type));
}

match holds(range bound, std::weak_ordering order) noexcept {
  switch (bound) {
    case range::less:
      return to_match(std::is_lt(order));
    case range::less_or_equal:
      return to_match(std::is_lteq(order));
    case range::greater:
      return to_match(std::is_gt(order));
    case range::greater_or_equal:
      return to_match(std::is_gteq(order));
  }
  return match::unknown;
}

bool includes_equal(range bound) noexcept {
  return bound == range::less_or_equal || bound == range::greater_or_equal;
}

}  // namespace

std::size_t comparison_steps(const bson_element* value, const bson_element& operand) noexcept {
  return 1 + (value == nullptr ? 0 : std::min(value->value.size(), operand.value.size()) / 64);
}

match equals(const bson_element* value, const bson_element& operand, string_order strings) noexcept {
  if (!is_literal(operand)) return match::unknown;
  if (value == nullptr) return to_match(operand.is(bson_type::null));
  const auto order = compare_values(*value, operand, strings);
  return order ? to_match(std::is_eq(*order)) : match::unknown;
}

match in_range(range bound, const bson_element* value, const bson_element& operand, string_order strings) noexcept {
  if (!is_literal(operand) || operand.is(bson_type::min_key) || operand.is(bson_type::max_key)) return match::unknown;
  if (value == nullptr) return to_match(operand.is(bson_type::null) && includes_equal(bound));
  if (value->is(bson_type::undefined)) return match::unknown;
  if (comparison_class_of(*value) != comparison_class_of(operand)) return match::no;
  const auto order = compare_values(*value, operand, strings);
  if (!order) return match::unknown;
  if (is_nan(*value) || is_nan(operand)) return to_match(includes_equal(bound) && std::is_eq(*order));
  return holds(bound, *order);
}

match equals_any(const bson_element* value, bson_view operands, string_order strings, work_budget& budget) noexcept {
  auto found = match::no;
  bson_element operand;
  for (bson_cursor cursor(operands); found != match::yes && cursor.next(operand);) {
    if (!budget.spend(comparison_steps(value, operand))) return match::unknown;
    const auto document = operand.object();
    const bool refused = document && begins_with_operator(*document);
    found = either(found, refused ? match::unknown : equals(value, operand, strings));
  }
  return found;
}

match has_type(const bson_element* value, const bson_element& operand) noexcept {
  const bson_element none{bson_type::null, {}, {}, {}};
  const auto asked = [&](const bson_element& type) {
    const auto answer = has_one_type(value == nullptr ? none : *value, type);
    return value == nullptr && answer == match::yes ? match::no : answer;
  };
  if (!operand.is(bson_type::array)) return asked(operand);
  const auto types = operand.document();
  if (!types || types->empty()) return match::unknown;
  auto found = match::no;
  bson_element type;
  for (bson_cursor cursor(*types); cursor.next(type);) found = either(found, asked(type));
  return found;
}

match has_size(const bson_element* value, const bson_element& operand, work_budget& budget) noexcept {
  const auto wanted = operand.integer();
  if (!wanted || *wanted < 0) return match::unknown;
  const auto array = value == nullptr ? std::nullopt : value->array();
  if (!array) return match::no;
  std::int64_t size = 0;
  bson_element element;
  for (bson_cursor cursor(*array); cursor.next(element); ++size) {
    if (!budget.spend(1)) return match::unknown;
  }
  return to_match(size == *wanted);
}

bool begins_with_operator(bson_view document) noexcept {
  bson_element first;
  bson_cursor cursor(document);
  return cursor.next(first) && first.name.starts_with('$');
}

}  // namespace mongocached::cache
