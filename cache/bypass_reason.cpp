#include "cache/bypass_reason.hpp"

namespace mongocached::cache {

const char* name_of(bypass_reason reason) noexcept {
  switch (reason) {
    case bypass_reason::none:
      return "none";
    case bypass_reason::not_a_read:
      return "not_a_read";
    case bypass_reason::disabled:
      return "disabled";
    case bypass_reason::internal_namespace:
      return "internal_namespace";
    case bypass_reason::bad_namespace:
      return "bad_namespace";
    case bypass_reason::unknown_field:
      return "unknown_field";
    case bypass_reason::transaction:
      return "transaction";
    case bypass_reason::read_concern:
      return "read_concern";
    case bypass_reason::cursor_option:
      return "cursor_option";
    case bypass_reason::option:
      return "option";
    case bypass_reason::expression:
      return "expression";
    case bypass_reason::collation:
      return "collation";
    case bypass_reason::id_type:
      return "id_type";
    case bypass_reason::in_list:
      return "in_list";
    case bypass_reason::batch_size:
      return "batch_size";
    case bypass_reason::projection:
      return "projection";
    case bypass_reason::projection_array:
      return "projection_array";
    case bypass_reason::namespace_unknown:
      return "namespace_unknown";
    case bypass_reason::namespace_kind:
      return "namespace_kind";
    case bypass_reason::namespace_limit:
      return "namespace_limit";
    case bypass_reason::sharded:
      return "sharded";
    case bypass_reason::pending_write:
      return "pending_write";
    case bypass_reason::gate_shut:
      return "gate_shut";
    case bypass_reason::mode_strict:
      return "mode_strict";
    case bypass_reason::causal:
      return "causal";
    case bypass_reason::hint:
      return "hint";
    case bypass_reason::read_preference:
      return "read_preference";
    case bypass_reason::unproven:
      return "unproven";
    case bypass_reason::too_large:
      return "too_large";
    case bypass_reason::memory:
      return "memory";
    case bypass_reason::request_size:
      return "request_size";
    case bypass_reason::malformed:
      return "malformed";
    case bypass_reason::count_:
      break;
  }
  return "unnamed";
}

}  // namespace mongocached::cache
