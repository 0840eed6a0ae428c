// May this `find` be looked up, and under which keys? Pure: the command in, a plan out; no clock, no state.
// Wire rules S1-S7. "Not understood" is the only failure, and it always has a reason.
//
// What asks for documents by `_id` but is not modelled as a look-up (a computed projection, an _id of an odd type, a
// hint, a collation, more than 100 values, ...) is still a query result like any other: it becomes a list where lists
// are allowed.
#pragma once

#include "cache/bypass_reason.hpp"
#include "cache/document_id.hpp"
#include "cache/list_key.hpp"
#include "cache/projection.hpp"
#include "cache/read_hint.hpp"
#include "protocol/command_view.hpp"

namespace mongocached::cache {

enum class read_shape : std::uint8_t {
  forward,  // reason says why
  by_id,    // one document
  by_ids,   // {_id: {$in: [...]}}
  list,     // a query result
};

// What the namespace allows (coherence K1) and what kind of upstream there is; decided by the caller.
struct read_rules {
  bool lists = true;       // false: only look-ups by _id; what is none of these is namespace_unknown
  bool string_ids = true;  // false: the default collation is not known, strings (also nested) cannot be compared
  bool sharded = false;    // S4: look-ups by _id are forwarded, with that reason; lists are as good as anywhere

  bool operator==(const read_rules&) const = default;
};

// S4: at most so many distinct values of `$in`, and so many with repetitions.
inline constexpr std::size_t max_in_values = 100;
inline constexpr std::size_t max_in_members = 1000;

// One _id of the plan. `key` is an index range into read_plan::key_bytes.
struct planned_id {
  protocol::bson_element value;  // as the client sent it; views into the command
  std::size_t key_begin = 0;
  std::size_t key_end = 0;
  std::uint64_t hash = 0;
};

// Reusable: plan_read() forgets what was before and allocates nothing once its buffers have grown.
struct read_plan {
  read_rules rules;  // that it was made by
  read_shape shape = read_shape::forward;
  bypass_reason reason = bypass_reason::none;
  read_hint hint;                           // never with bypass set: that is a reason to forward
  protocol::pooled_vector<planned_id> ids;  // by_id: one; by_ids: distinct, in BSON _id order
  byte_buffer key_bytes;                    // by_id/by_ids: the keys of `ids`; list: the one key
  std::uint64_t list_hash = 0;
  projection project;  // by_id/by_ids; compiled when `projected`
  bool projected = false;
  std::int64_t limit = 0;  // by_ids: 0 none
  // by_ids: 0 absent. Where it is not 0, the documents found (after `limit`) must be fewer, unless batch_size >= limit
  // > 0 (S4); else forward with bypass_reason::batch_size. An answer above the server's batch size of 16 MB must be
  // forwarded as well.
  std::int64_t batch_size = 0;

  [[nodiscard]] key_view id_key(std::size_t i) const noexcept {
    const auto& id = ids[i];
    return {byte_view(key_bytes).subspan(id.key_begin, id.key_end - id.key_begin), id.hash};
  }
  [[nodiscard]] key_view list_key() const noexcept { return {key_bytes, list_hash}; }
};

// `command` must be a `find`. The plan's views point into the command's bytes. Whether the client may read, and whether
// the entry is good enough for its read concern and times, is for the caller to say.
void plan_read(const protocol::command_view& command, const read_rules& rules, read_plan& out);

// Whether a namespace may ever be cached by its name alone (S2): not admin, local, config, system.*.
[[nodiscard]] bool is_user_namespace(std::string_view db, std::string_view collection) noexcept;

}  // namespace mongocached::cache
