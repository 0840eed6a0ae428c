// What a list was asked for, as far as it decides which writes may change it (coherence M).
//
// Lists are judged by the paths that their filter, sort and projection use, so every operator must be known to look at
// its path alone: those of filter_match.hpp, and $regex, $options, $mod, $bits*, whose values are not evaluated. All
// else makes the query unmodelled. Pure, any thread; views are the caller's to keep.
#pragma once

#include <span>

#include "cache/matcher/compare.hpp"
#include "protocol/bson_view.hpp"

namespace mongocached::cache {

struct list_query {
  protocol::bson_view filter;  // the empty document if absent, as the next two
  protocol::bson_view sort;
  protocol::bson_view projection;
  std::int64_t limit = 0;  // documents, the batch size of a single batch included; 0: none; its sign does not matter
  std::int64_t skip = 0;
  bool collation = false;  // there is one, of the query or the collection
  bool hint = false;       // an index may hide documents, by paths that the query does not name
};

enum class path_use : std::uint8_t { untouched, touched, unmodelled };

// Whether the filter uses a path that a change of `paths` touches; unmodelled wins.
[[nodiscard]] path_use filter_use(protocol::bson_view filter, std::span<const std::string_view> paths) noexcept;

// Every field is a path and 1 or -1; unmodelled otherwise.
[[nodiscard]] path_use sort_use(protocol::bson_view sort, std::span<const std::string_view> paths) noexcept;

// Whether the change may show in projected documents. Unmodelled if a value is neither a number nor a boolean, or if it
// leaves only a part of `_id`.
[[nodiscard]] path_use projection_use(protocol::bson_view projection, std::span<const std::string_view> paths) noexcept;

// Whether a modelled projection surely leaves what is at a path as it is, so that a missing value is missing in the
// document itself.
[[nodiscard]] bool keeps(protocol::bson_view projection, std::string_view path) noexcept;

}  // namespace mongocached::cache
