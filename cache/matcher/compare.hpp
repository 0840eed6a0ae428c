// MongoDB's total order of BSON values (coherence M): first by class, within a class by value. Source: the manual's
// "Comparison/Sort Order" and the server's BSONElement::compareElements.
//
// int32, int64 and double compare exactly, as numbers; NaN is below every number and equals itself (filters know
// better: condition.hpp). Documents compare field by field - class, then name, then value - and a shorter one that is a
// prefix is less; arrays likewise. Binaries compare by length, subtype, bytes. Dates are signed, timestamps unsigned.
//
// Not modelled, and so without an answer: undefined beside anything; a decimal128 beside a number; a symbol beside a
// string; two regular expressions, DBPointers, codes; two strings under a collation; arrays whose elements are not
// named alike; malformed bytes; nesting beyond max_match_depth. Never reads outside the element's bytes. Pure, any
// thread.
#pragma once

#include <compare>
#include <optional>

#include "cache/matcher/match.hpp"
#include "protocol/bson_view.hpp"

namespace mongocached::cache {

// In ascending order.
enum class comparison_class : std::uint8_t {
  min_key,
  undefined,
  null,
  number,
  string,
  document,
  array,
  binary,
  object_id,
  boolean,
  date,
  timestamp,
  regex,
  db_pointer,
  code,
  code_with_scope,
  max_key,
};
[[nodiscard]] comparison_class comparison_class_of(const protocol::bson_element& value) noexcept;

// collated: strings compare by a collation's rules, which are not modelled. Names always compare by their bytes.
enum class string_order : std::uint8_t { bytes, collated };

// The values' order; names of `a` and `b` themselves do not count. Empty: not modelled.
[[nodiscard]] std::optional<std::weak_ordering> compare_values(const protocol::bson_element& a,
                                                               const protocol::bson_element& b,
                                                               string_order strings = string_order::bytes) noexcept;

[[nodiscard]] bool is_nan(const protocol::bson_element& value) noexcept;

}  // namespace mongocached::cache
