// The arguments of a `find`, picked out in one walk over the body (wire rules S1, S2): views into the command, nothing
// judged yet but that every field is on the allow-list, stands there once and has a type and value that is modelled.
#pragma once

#include <optional>

#include "cache/bypass_reason.hpp"
#include "protocol/command_view.hpp"

namespace mongocached::cache {

struct find_fields {
  protocol::bson_view filter;  // the empty document if absent
  protocol::bson_view sort;
  protocol::bson_view projection;
  std::int64_t skip = 0;         // 0: none
  std::int64_t limit = 0;        // 0: none
  std::int64_t batch_size = -1;  // -1: absent
  bool single_batch = false;
  std::optional<protocol::bson_element> hint;         // a document or a string
  std::optional<protocol::bson_element> collation;    // a document
  std::optional<protocol::bson_element> let;          // a document
  std::optional<protocol::bson_element> api_version;  // a string
  bool api_strict = false;
  bool api_deprecation_errors = false;
  bool unstable_option = false;  // an option outside of Stable API version 1 is there, if only with its default value
};

// none, or why a find with these fields is not modelled. `out` starts out default-constructed and is unspecified on
// failure.
[[nodiscard]] bypass_reason read_find_fields(const protocol::command_view& command, find_fields& out) noexcept;

}  // namespace mongocached::cache
