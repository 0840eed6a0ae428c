// Does a document match a find filter, as MongoDB decides it? (coherence M: "do not know" is to be treated as a match.)
//
// Modelled: a value in the place of operators, $eq $ne $gt $gte $lt $lte $in $nin $exists $type $size $all $elemMatch
// $not, $and $or $nor, $comment; dotted paths (path.hpp); the comparison order (compare.hpp, condition.hpp).
//
// Unknown: every other operator ($regex, $mod, $expr, $where, $text, $jsonSchema, geo, bits, ...); regular expressions;
// null or an array in the list of $all; what condition.hpp says; a path with an empty component or one that starts with
// '$'; a filter the server would refuse; a filter or document that is malformed, nested deeper than max_match_depth, or
// more work than work_budget allows. An unknown part stays unknown only where the other parts do not decide: {a: 1, b:
// /x/} is a no for {a: 2}. Source: the manual's "Query Predicates", and the server's matcher where the manual is
// silent.
//
// Pure; any thread. The views are not kept.
#pragma once

#include "cache/matcher/compare.hpp"
#include "cache/matcher/match.hpp"
#include "protocol/bson_view.hpp"

namespace mongocached::cache {

// collated: the query or the collection has a collation; strings are then unknown.
[[nodiscard]] match matches(protocol::bson_view filter, protocol::bson_view document,
                            string_order strings = string_order::bytes);

}  // namespace mongocached::cache
