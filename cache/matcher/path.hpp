// Dotted paths, as filters read them (coherence M). Source: the manual's "Query on Embedded/Nested Documents" and the
// server's ElementPath and BSONElementIterator.
//
// A path leads to any number of values. An array on the way is looked through, one level deep: each of its documents is
// searched for the rest of the path, and a numeric component may also be an index of the array. An array at the end
// stands for each of its elements and for itself. A document that has no such field gives "missing"; a value on the way
// that is neither document nor array does so too, but not within an array: {a: [1]} has nothing at all at a.b.
#pragma once

#include <functional>
#include <string_view>

#include "cache/matcher/match.hpp"
#include "protocol/bson_view.hpp"

namespace mongocached::cache {

// No empty component, and none that starts with '$'.
[[nodiscard]] bool is_plain_path(std::string_view path) noexcept;

// Nothing but digits, and one at least.
[[nodiscard]] bool is_numeric_component(std::string_view component) noexcept;

// Takes the first component off the path; the path is empty after the last.
[[nodiscard]] std::string_view take_component(std::string_view& path) noexcept;

// Whether a change of one path may change what the other leads to: once their numeric components, and those that stand
// for an index in an update ($, $[], $[name]), are dropped, one is a prefix of the other.
[[nodiscard]] bool paths_touch(std::string_view a, std::string_view b) noexcept;

// Whether an array at the end of the path also stands for its elements.
enum class leaf_arrays : std::uint8_t { traversed, whole };

// Asked of each value that the path leads to; null: missing.
using value_test = std::function<match(const protocol::bson_element*)>;

// Whether the test holds for any value of a plain path; stops at the first yes. Where servers and versions differ - a
// missing value behind a numeric component, an array reached by its index - a yes counts as unknown. The document has
// been validated to max_match_depth, which bounds the recursion.
[[nodiscard]] match any_value(protocol::bson_view document, std::string_view path, leaf_arrays leaves,
                              const value_test& test, work_budget& budget);

}  // namespace mongocached::cache
