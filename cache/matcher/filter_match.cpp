#include "cache/matcher/filter_match.hpp"

#include "cache/matcher/condition.hpp"
#include "cache/matcher/path.hpp"
#include "cache/name_table.hpp"

namespace mongocached::cache {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;

enum class field_operator : std::uint8_t {
  eq,
  ne,
  gt,
  gte,
  lt,
  lte,
  in,
  nin,
  exists,
  type,
  size,
  all,
  elem_match,
  negation,
  comment,
};

constexpr name_table field_operators(std::to_array<named<field_operator>>({
    {"$eq", field_operator::eq},
    {"$ne", field_operator::ne},
    {"$gt", field_operator::gt},
    {"$gte", field_operator::gte},
    {"$lt", field_operator::lt},
    {"$lte", field_operator::lte},
    {"$in", field_operator::in},
    {"$nin", field_operator::nin},
    {"$exists", field_operator::exists},
    {"$type", field_operator::type},
    {"$size", field_operator::size},
    {"$all", field_operator::all},
    {"$elemMatch", field_operator::elem_match},
    {"$not", field_operator::negation},
    {"$comment", field_operator::comment},
}));

// What the operators behind a field name are asked of: the values at a path, or one element of an array (within
// $elemMatch), which is taken as it is.
struct subject {
  bson_view document;
  std::string_view path;
  const bson_element* element = nullptr;  // if not null, it alone counts
};

class evaluation {
 public:
  explicit evaluation(string_order strings) noexcept : strings_(strings) {}

  // All of the filter's parts.
  match filter(bson_view filter, bson_view document) {
    return all_of(filter, [&](const bson_element& part) {
      return part.name.starts_with('$') ? logical(part, document) : field(part, document);
    });
  }

 private:
  // In the place of a field name.
  match logical(const bson_element& part, bson_view document) {
    if (part.name == "$comment") return match::yes;
    const bool conjunction = part.name == "$and";
    if (!conjunction && part.name != "$or" && part.name != "$nor") return match::unknown;
    const auto filters = part.array();
    if (!filters || filters->empty()) return match::unknown;
    const auto one = [&](const bson_element& element) {
      const auto inner = element.object();
      return inner ? filter(*inner, document) : match::unknown;
    };
    if (conjunction) return all_of(*filters, one);
    const auto any = any_of(*filters, one);
    return part.name == "$or" ? any : negated(any);
  }

  match field(const bson_element& part, bson_view document) {
    if (!is_plain_path(part.name)) return match::unknown;
    const subject values{document, part.name};
    const auto operators = part.object();
    return operators && begins_with_operator(*operators) ? conditions(*operators, values) : equal(part, values);
  }

  match conditions(bson_view operators, const subject& values) {
    return all_of(operators, [&](const bson_element& condition) {
      const auto* op = field_operators.find(condition.name);
      return op == nullptr ? match::unknown : holds(*op, condition, values);
    });
  }

  match holds(field_operator op, const bson_element& operand, const subject& values) {
    switch (op) {
      case field_operator::eq:
        return equal(operand, values);
      case field_operator::ne:
        return negated(equal(operand, values));
      case field_operator::gt:
        return within(range::greater, operand, values);
      case field_operator::gte:
        return within(range::greater_or_equal, operand, values);
      case field_operator::lt:
        return within(range::less, operand, values);
      case field_operator::lte:
        return within(range::less_or_equal, operand, values);
      case field_operator::in:
        return in(operand, values);
      case field_operator::nin:
        return negated(in(operand, values));
      case field_operator::exists:
        return exists(operand, values);
      case field_operator::type:
        return any(values, leaf_arrays::traversed, [&](const bson_element* v) { return has_type(v, operand); });
      case field_operator::size:
        return any(values, leaf_arrays::whole, [&](const bson_element* v) { return has_size(v, operand, budget_); });
      case field_operator::all:
        return all(operand, values);
      case field_operator::elem_match:
        return elem_match(operand, values);
      case field_operator::negation:
        return negation(operand, values);
      case field_operator::comment:
        return match::yes;
    }
    return match::unknown;
  }

  match equal(const bson_element& operand, const subject& values) {
    return any(values, leaf_arrays::traversed, [&](const bson_element* v) {
      return afford(v, operand) ? equals(v, operand, strings_) : match::unknown;
    });
  }

  match within(range bound, const bson_element& operand, const subject& values) {
    return any(values, leaf_arrays::traversed, [&](const bson_element* v) {
      return afford(v, operand) ? in_range(bound, v, operand, strings_) : match::unknown;
    });
  }

  match in(const bson_element& operand, const subject& values) {
    const auto operands = operand.array();
    if (!operands) return match::unknown;
    return any(values, leaf_arrays::traversed,
               [&](const bson_element* v) { return equals_any(v, *operands, strings_, budget_); });
  }

  match exists(const bson_element& operand, const subject& values) {
    const auto wanted = operand.truthy();
    if (!wanted) return match::unknown;
    const auto there = any(values, leaf_arrays::whole, [](const bson_element* v) { return to_match(v != nullptr); });
    return *wanted ? there : negated(there);
  }

  match negation(const bson_element& operand, const subject& values) {
    const auto operators = operand.object();
    return operators && !operators->empty() ? negated(conditions(*operators, values)) : match::unknown;
  }

  // Values, or nothing but {$elemMatch: ...}; an empty list matches nothing. Servers that speak the protocol differ
  // over null beside missing, and over an array as a value.
  match all(const bson_element& operand, const subject& values) {
    const auto operands = operand.array();
    if (!operands) return match::unknown;
    if (operands->empty()) return match::no;
    return all_of(*operands, [&](const bson_element& one) {
      const auto document = one.object();
      if (one.is(bson_type::null) || one.is(bson_type::array)) return match::unknown;
      if (!document || !begins_with_operator(*document)) return equal(one, values);
      const auto inner = document->find("$elemMatch");
      return inner && inner->raw.size() + 5 == document->size() ? elem_match(*inner, values) : match::unknown;
    });
  }

  match elem_match(const bson_element& operand, const subject& values) {
    const auto inner = operand.object();
    if (!inner) return match::unknown;
    const auto kind = kind_of(*inner);
    if (kind == elements::unknown) return match::unknown;
    return any(values, leaf_arrays::whole, [&](const bson_element* v) {
      const auto array = v == nullptr ? std::nullopt : v->array();
      if (!array) return match::no;
      return any_of(*array, [&](const bson_element& e) {
        return kind == elements::values ? conditions(*inner, {{}, {}, &e}) : element(e, *inner);
      });
    });
  }

  // What $elemMatch is about: the first name tells.
  enum class elements : std::uint8_t { values, documents, unknown };
  static elements kind_of(bson_view inner) noexcept {
    bson_element first;
    bson_cursor cursor(inner);
    if (!cursor.next(first) || !first.name.starts_with('$')) return elements::documents;
    if (first.name == "$and" || first.name == "$or" || first.name == "$nor") return elements::documents;
    const auto* op = field_operators.find(first.name);
    return op == nullptr || *op == field_operator::comment ? elements::unknown : elements::values;
  }

  // The server takes an array within the array for a document, named by its indices; ours does not go there.
  match element(const bson_element& element, bson_view inner) {
    if (element.is(bson_type::array)) return match::unknown;
    const auto document = element.object();
    return document ? filter(inner, *document) : match::no;
  }

  match any(const subject& values, leaf_arrays leaves, const value_test& test) {
    if (values.element != nullptr) return budget_.spend(1) ? test(values.element) : match::unknown;
    return any_value(values.document, values.path, leaves, test, budget_);
  }

  template <class Test>
  match all_of(bson_view parts, Test test) {
    auto result = match::yes;
    bson_element part;
    for (bson_cursor cursor(parts); result != match::no && cursor.next(part);) {
      result = both(result, budget_.spend(1) ? test(part) : match::unknown);
    }
    return result;
  }

  template <class Test>
  match any_of(bson_view parts, Test test) {
    auto result = match::no;
    bson_element part;
    for (bson_cursor cursor(parts); result != match::yes && cursor.next(part);) {
      result = either(result, budget_.spend(1) ? test(part) : match::unknown);
    }
    return result;
  }

  bool afford(const bson_element* value, const bson_element& operand) {
    return budget_.spend(comparison_steps(value, operand));
  }

  string_order strings_;
  work_budget budget_;
};

}  // namespace

match matches(bson_view filter, bson_view document, string_order strings) {
  if (!filter.validate(max_match_depth) || !document.validate(max_match_depth)) return match::unknown;
  return evaluation(strings).filter(filter, document);
}

}  // namespace mongocached::cache
