// One comparison of a filter against one value that its path leads to (coherence M). Source: the manual's query
// operators, and the server's ComparisonMatchExpression, InMatchExpression and TypeMatchExpression.
//
// `value` is null where the path leads to nothing; missing equals null. Only values of one class compare (type
// bracketing). NaN equals NaN and is neither above nor below anything. What compare_values does not model is unknown,
// as is a regular expression or undefined as operand, and an operand that the server would refuse. Pure; the elements
// come from validated documents.
#pragma once

#include "cache/matcher/compare.hpp"

namespace mongocached::cache {

// What comparing the two takes of a work_budget; equals() and in_range() leave the spending to the caller.
[[nodiscard]] std::size_t comparison_steps(const protocol::bson_element* value,
                                           const protocol::bson_element& operand) noexcept;

// $eq, an element of $all, or a value in the place of operators.
[[nodiscard]] match equals(const protocol::bson_element* value, const protocol::bson_element& operand,
                           string_order strings) noexcept;

enum class range : std::uint8_t { less, less_or_equal, greater, greater_or_equal };
// An operand of minKey or maxKey, to which type bracketing does not apply, is unknown.
[[nodiscard]] match in_range(range bound, const protocol::bson_element* value, const protocol::bson_element& operand,
                             string_order strings) noexcept;

// $in.
[[nodiscard]] match equals_any(const protocol::bson_element* value, protocol::bson_view operands, string_order strings,
                               work_budget& budget) noexcept;

// $type: a number, an alias, or an array of them.
[[nodiscard]] match has_type(const protocol::bson_element* value, const protocol::bson_element& operand) noexcept;

// $size: `operand` is what the array's length is to be.
[[nodiscard]] match has_size(const protocol::bson_element* value, const protocol::bson_element& operand,
                             work_budget& budget) noexcept;

// The first field's name starts with '$': operators rather than a value, or a DBRef.
[[nodiscard]] bool begins_with_operator(protocol::bson_view document) noexcept;

}  // namespace mongocached::cache
