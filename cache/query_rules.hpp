// May a query's result be kept as a list? Only if it is a function of the collection and the command (wire rule S2): no
// clock, no chance, no roles of the asker, no code. Decided by allow-lists of operators; what is not on them is
// `expression`. That an operator is used as the server wants it is not checked: the server's errors are never stored
// (S3).
#pragma once

#include "cache/bypass_reason.hpp"
#include "protocol/bson_view.hpp"

namespace mongocached::cache {

// none, expression, or malformed.
[[nodiscard]] bypass_reason check_filter(protocol::bson_view filter) noexcept;
[[nodiscard]] bypass_reason check_sort(protocol::bson_view sort) noexcept;
[[nodiscard]] bypass_reason check_projection(protocol::bson_view projection) noexcept;
// An aggregation expression, or a document of them: `$expr`, `let`, a computed field.
[[nodiscard]] bypass_reason check_expression(const protocol::bson_element& value) noexcept;

}  // namespace mongocached::cache
