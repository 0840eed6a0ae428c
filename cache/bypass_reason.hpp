// The closed list of reasons why a read was not served from the cache and not stored either: the label values of
// mongocached_bypass_total{reason}, which add up to the requests with outcome `bypass`. "Not sure: forward" always says
// why.
#pragma once

#include <cstdint>

namespace mongocached::cache {

enum class bypass_reason : std::uint8_t {
  none,
  not_a_read,          // a command that is neither cacheable nor a write (getMore, aggregate, listCollections, ...)
  disabled,            // cache.enabled = false, or for this collection
  internal_namespace,  // admin, local, config, system.*
  bad_namespace,       // no text, empty, NUL, too long
  unknown_field,       // S1: a field that is not on the allow-list of find
  transaction,         // S2
  read_concern,        // S2: snapshot, linearizable, available, or a field that is not modelled
  cursor_option,       // S2: tailable, awaitData, exhaust, noCursorTimeout with an open cursor, ...
  option,              // S2: allowPartialResults, returnKey, showRecordId, min, max, api_strict shapes
  expression,          // S2: an operator outside the allow-list ($where, $function, ...), $$NOW and the like
  collation,           // not modelled for this shape
  id_type,             // S5: an _id whose equality is not modelled
  in_list,             // S4: `$in` of more than 100 values, mixed classes, or an unmodelled member
  batch_size,          // S4: batchSize would cut the answer
  projection,          // S6: a projection that is not modelled on a look-up by _id
  projection_array,    // S6: a path crosses an array in this document
  namespace_unknown,   // K1: not known to be cacheable yet
  namespace_kind,      // K1: a view, time series, capped, default collation
  namespace_limit,     // more namespaces than are tracked
  sharded,             // S4: several shards may hold the same _id
  pending_write,       // R1: a write to it is in progress or its outcome is unknown
  gate_shut,           // G1: the change stream is not known to be within max_lag
  mode_strict,         // a list, in a mode that answers look-ups by _id only
  causal,              // R4: afterClusterTime beyond what is known
  hint,                // the comment asks for it, or for something that is not understood (read_hint.hpp)
  read_preference,     // tags or a mode that the primary's answer does not satisfy
  too_large,           // known to be larger than max_entry
  memory,              // no room in listen.max_buffered to answer it from the cache
  request_size,        // a request too large to be looked at whole
  malformed,           // bytes that are no well-formed BSON: the upstream shall say what is wrong with them
  count_,              // number of values that are counted
  // Of a miss, which is counted as that and may be stored: I2, no proof yet that this client may read the namespace
  // (the read itself becomes the proof).
  unproven,
};

[[nodiscard]] const char* name_of(bypass_reason reason) noexcept;

}  // namespace mongocached::cache
