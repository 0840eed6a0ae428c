// The key of a query result (wire rule S7): it covers everything that changes the answer - database, collection,
// filter, sort, projection, skip, limit, batchSize, singleBatch, hint, collation, let, apiVersion - with BSON types and
// field order kept, and leaves out what does not: lsid, $clusterTime, comment, maxTimeMS, $readPreference,
// allowDiskUse, $db (it is in the namespace), read concern (it is compared through entry_level). An argument with its
// default value (an empty sort, skip: 0) is as good as none.
//
// The canonical command is a run of (tag byte, value) in a fixed order of tags; every value says its own length:
//   'f' filter  's' sort  'p' projection     the document's bytes
//   'k' skip    'l' limit  'b' batchSize     int64
//   '1' singleBatch  'S' apiStrict  'D' apiDeprecationErrors      nothing
//   'h' hint    'c' collation  'v' let  'a' apiVersion            BSON type byte, value bytes
#pragma once

#include "cache/find_fields.hpp"
#include "cache/key.hpp"

namespace mongocached::cache {

// Appends the canonical command behind begin_key(). The top-level fields are written in a fixed order, so that drivers
// which send the same query in another field order share entries. Returns none on success, else why this query is never
// stored (S1, S2: an unknown field, an expression outside the allow-list, ...). `out` is unspecified then.
// Transactions, read concern, read preference of the session and the namespace are plan_read's to judge.
[[nodiscard]] bypass_reason append_list_key(byte_buffer& out, const protocol::command_view& command);

// The same with the arguments already read.
[[nodiscard]] bypass_reason append_list_key(byte_buffer& out, const find_fields& fields);

}  // namespace mongocached::cache
