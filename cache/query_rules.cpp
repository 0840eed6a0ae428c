#include "cache/query_rules.hpp"

#include "cache/name_table.hpp"

namespace mongocached::cache {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;

// Deeper than any query that people write; keeps the recursion bounded (the server's own limit is higher).
constexpr int max_query_depth = 64;

// What stands behind an operator of the match language.
enum class operand : std::uint8_t {
  literal,     // a value to compare with, whatever it holds
  filters,     // an array of filters
  expression,  // an aggregation expression
  conditions,  // operators again, or a regular expression
  element,     // $elemMatch: a filter or operators
  literals,    // $all: values, or {$elemMatch: ...}
};

// In the place of a field name.
constexpr name_table top_operators(std::to_array<named<operand>>({
    {"$and", operand::filters},
    {"$or", operand::filters},
    {"$nor", operand::filters},
    {"$expr", operand::expression},
    {"$comment", operand::literal},
    {"$jsonSchema", operand::literal},
    {"$text", operand::literal},
}));

// Behind a field name.
constexpr name_table field_operators(std::to_array<named<operand>>({
    {"$eq", operand::literal},          {"$ne", operand::literal},
    {"$gt", operand::literal},          {"$gte", operand::literal},
    {"$lt", operand::literal},          {"$lte", operand::literal},
    {"$in", operand::literal},          {"$nin", operand::literal},
    {"$exists", operand::literal},      {"$type", operand::literal},
    {"$size", operand::literal},        {"$mod", operand::literal},
    {"$regex", operand::literal},       {"$options", operand::literal},
    {"$bitsAllSet", operand::literal},  {"$bitsAllClear", operand::literal},
    {"$bitsAnySet", operand::literal},  {"$bitsAnyClear", operand::literal},
    {"$geoWithin", operand::literal},   {"$geoIntersects", operand::literal},
    {"$near", operand::literal},        {"$nearSphere", operand::literal},
    {"$minDistance", operand::literal}, {"$maxDistance", operand::literal},
    {"$comment", operand::literal},     {"$not", operand::conditions},
    {"$elemMatch", operand::element},   {"$all", operand::literals},
}));

// Functions of their arguments alone. Behind $literal nothing is evaluated.
enum class evaluation : std::uint8_t { arguments, literal };

constexpr name_table pure_expressions(std::to_array<named<evaluation>>({
    {"$literal", evaluation::literal},        {"$eq", evaluation::arguments},
    {"$ne", evaluation::arguments},           {"$gt", evaluation::arguments},
    {"$gte", evaluation::arguments},          {"$lt", evaluation::arguments},
    {"$lte", evaluation::arguments},          {"$cmp", evaluation::arguments},
    {"$and", evaluation::arguments},          {"$or", evaluation::arguments},
    {"$not", evaluation::arguments},          {"$in", evaluation::arguments},
    {"$add", evaluation::arguments},          {"$subtract", evaluation::arguments},
    {"$multiply", evaluation::arguments},     {"$divide", evaluation::arguments},
    {"$mod", evaluation::arguments},          {"$abs", evaluation::arguments},
    {"$ceil", evaluation::arguments},         {"$floor", evaluation::arguments},
    {"$round", evaluation::arguments},        {"$trunc", evaluation::arguments},
    {"$sqrt", evaluation::arguments},         {"$pow", evaluation::arguments},
    {"$cond", evaluation::arguments},         {"$ifNull", evaluation::arguments},
    {"$size", evaluation::arguments},         {"$type", evaluation::arguments},
    {"$isArray", evaluation::arguments},      {"$isNumber", evaluation::arguments},
    {"$concat", evaluation::arguments},       {"$toLower", evaluation::arguments},
    {"$toUpper", evaluation::arguments},      {"$strLenBytes", evaluation::arguments},
    {"$strLenCP", evaluation::arguments},     {"$substrBytes", evaluation::arguments},
    {"$substrCP", evaluation::arguments},     {"$strcasecmp", evaluation::arguments},
    {"$indexOfBytes", evaluation::arguments}, {"$indexOfCP", evaluation::arguments},
    {"$split", evaluation::arguments},        {"$trim", evaluation::arguments},
    {"$ltrim", evaluation::arguments},        {"$rtrim", evaluation::arguments},
    {"$regexMatch", evaluation::arguments},   {"$arrayElemAt", evaluation::arguments},
    {"$first", evaluation::arguments},        {"$last", evaluation::arguments},
    {"$slice", evaluation::arguments},        {"$concatArrays", evaluation::arguments},
    {"$setUnion", evaluation::arguments},     {"$setIsSubset", evaluation::arguments},
    {"$setEquals", evaluation::arguments},    {"$min", evaluation::arguments},
    {"$max", evaluation::arguments},          {"$sum", evaluation::arguments},
    {"$avg", evaluation::arguments},          {"$year", evaluation::arguments},
    {"$month", evaluation::arguments},        {"$dayOfMonth", evaluation::arguments},
    {"$toString", evaluation::arguments},     {"$toInt", evaluation::arguments},
    {"$toLong", evaluation::arguments},       {"$toDouble", evaluation::arguments},
    {"$toBool", evaluation::arguments},
}));

// A reference to a variable: the document itself, or one that the query defines (those begin with a small letter).
// System variables - $$NOW, $$CLUSTER_TIME, $$USER_ROLES, ... - are spelt in capitals.
bool is_pure_text(std::string_view text) noexcept {
  if (!text.starts_with("$$")) return true;
  const auto name = text.substr(2, text.find('.', 2) - 2);
  if (name == "ROOT" || name == "CURRENT" || name == "REMOVE") return true;
  return !name.empty() && name[0] >= 'a' && name[0] <= 'z';
}

bypass_reason check_filter_at(bson_view filter, int depth) noexcept;
bypass_reason check_expression_at(const bson_element& value, int depth) noexcept;

// Calls check(element) for each; the first refusal, or malformed, or none.
template <class Check>
bypass_reason each(bson_view view, Check check) noexcept {
  bson_element element;
  bson_cursor cursor(view);
  while (cursor.next(element)) {
    if (const auto reason = check(element); reason != bypass_reason::none) return reason;
  }
  return cursor.failed() ? bypass_reason::malformed : bypass_reason::none;
}

// The first field's name, empty if there is none.
std::string_view first_name(bson_view view) noexcept {
  bson_element element;
  bson_cursor cursor(view);
  return cursor.next(element) ? element.name : std::string_view();
}

bypass_reason check_conditions(const bson_element& value, int depth) noexcept;

bypass_reason check_filters(const bson_element& value, int depth) noexcept {
  const auto list = value.document();
  if (!list) return bypass_reason::expression;
  return each(*list, [depth](const bson_element& element) {
    const auto filter = element.document();
    return filter ? check_filter_at(*filter, depth - 1) : bypass_reason::expression;
  });
}

// A filter or operators; a field operator such as {$elemMatch: {$gt: 1}} tells.
bypass_reason check_element(const bson_element& value, int depth) noexcept {
  const auto document = value.document();
  if (!document) return bypass_reason::expression;
  if (field_operators.find(first_name(*document)) != nullptr) return check_conditions(value, depth - 1);
  return check_filter_at(*document, depth - 1);
}

bypass_reason check_all(const bson_element& value, int depth) noexcept {
  const auto list = value.document();
  if (!list) return bypass_reason::expression;
  return each(*list, [depth](const bson_element& element) {
    const auto document = element.document();
    const bool operators = element.is(bson_type::document) && document && first_name(*document).starts_with('$');
    return operators ? check_conditions(element, depth - 1) : bypass_reason::none;
  });
}

bypass_reason check_operand(operand kind, const bson_element& value, int depth) noexcept {
  switch (kind) {
    case operand::literal:
      return bypass_reason::none;
    case operand::filters:
      return check_filters(value, depth);
    case operand::expression:
      return check_expression_at(value, depth - 1);
    case operand::conditions:
      return value.is(bson_type::regex) ? bypass_reason::none : check_conditions(value, depth - 1);
    case operand::element:
      return check_element(value, depth);
    case operand::literals:
      return check_all(value, depth);
  }
  return bypass_reason::expression;
}

// {$op: operand, ...} behind a field name.
bypass_reason check_conditions(const bson_element& value, int depth) noexcept {
  const auto document = value.document();
  if (depth <= 0 || !document) return bypass_reason::expression;
  return each(*document, [depth](const bson_element& condition) {
    const auto* kind = field_operators.find(condition.name);
    return kind == nullptr ? bypass_reason::expression : check_operand(*kind, condition, depth);
  });
}

bypass_reason check_field(const bson_element& field, int depth) noexcept {
  if (!field.is(bson_type::document)) return bypass_reason::none;
  const auto document = field.document();
  if (!document) return bypass_reason::malformed;
  const auto first = first_name(*document);
  if (!first.starts_with('$') || first == "$ref" || first == "$id") return bypass_reason::none;  // a value, or a DBRef
  return check_conditions(field, depth - 1);
}

bypass_reason check_filter_at(bson_view filter, int depth) noexcept {
  if (depth <= 0) return bypass_reason::expression;
  return each(filter, [depth](const bson_element& element) {
    if (!element.name.starts_with('$')) return check_field(element, depth);
    const auto* kind = top_operators.find(element.name);
    return kind == nullptr ? bypass_reason::expression : check_operand(*kind, element, depth);
  });
}

bypass_reason check_expression_at(const bson_element& value, int depth) noexcept {
  if (depth <= 0) return bypass_reason::expression;
  if (const auto text = value.text()) return is_pure_text(*text) ? bypass_reason::none : bypass_reason::expression;
  const auto document = value.document();
  if (!document) return bypass_reason::none;
  return each(*document, [depth, array = value.is(bson_type::array)](const bson_element& element) {
    if (array || !element.name.starts_with('$')) return check_expression_at(element, depth - 1);
    const auto* kind = pure_expressions.find(element.name);
    if (kind == nullptr) return bypass_reason::expression;
    return *kind == evaluation::literal ? bypass_reason::none : check_expression_at(element, depth - 1);
  });
}

bool is_text_score(const bson_element& value) noexcept {
  return value.is(bson_type::string) && value.text() == "textScore";
}

bypass_reason check_projected(const bson_element& field, int depth) noexcept {
  const auto document = field.object();
  if (depth <= 0) return bypass_reason::expression;
  if (!document) return check_expression_at(field, depth - 1);
  return each(*document, [&](const bson_element& element) {
    if (!element.name.starts_with('$')) return check_projected(element, depth - 1);
    const auto inner = element.document();
    if (element.name == "$elemMatch") return inner ? check_filter_at(*inner, depth - 1) : bypass_reason::expression;
    if (element.name == "$meta") return is_text_score(element) ? bypass_reason::none : bypass_reason::expression;
    if (pure_expressions.find(element.name) == nullptr) return bypass_reason::expression;
    return check_expression_at(field, depth - 1);
  });
}

}  // namespace

bypass_reason check_filter(bson_view filter) noexcept {
  return check_filter_at(filter, max_query_depth);
}

bypass_reason check_sort(bson_view sort) noexcept {
  return each(sort, [](const bson_element& element) {
    if (!element.is(bson_type::document)) return bypass_reason::none;
    const auto document = element.document();
    const auto meta = document ? document->find("$meta") : std::nullopt;
    return meta && is_text_score(*meta) ? bypass_reason::none : bypass_reason::expression;
  });
}

bypass_reason check_projection(bson_view projection) noexcept {
  return each(projection, [](const bson_element& element) { return check_projected(element, max_query_depth); });
}

bypass_reason check_expression(const bson_element& value) noexcept {
  return check_expression_at(value, max_query_depth);
}

}  // namespace mongocached::cache
