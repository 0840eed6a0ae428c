// Replies: building ours, and reading what a relayed one says about itself.
// Wire rule F3: errors are replies {ok: 0, errmsg, code, codeName}, with error labels where a driver retries by them.
#pragma once

#include <optional>

#include "protocol/bson_builder.hpp"
#include "protocol/op_msg.hpp"

namespace mongocached::protocol {

// Server error codes that this program sends or reacts to (src/mongo/base/error_codes.yml).
enum class error_code : std::int32_t {
  none = 0,
  internal_error = 1,
  bad_value = 2,
  host_unreachable = 6,
  failed_to_parse = 9,
  unauthorized = 13,
  authentication_failed = 18,
  cursor_not_found = 43,
  max_time_ms_expired = 50,
  invalid_options = 72,
  command_not_found = 59,
  shutdown_in_progress = 91,
  failed_to_satisfy_read_preference = 133,
  max_staleness_out_of_range = 160,
  primary_stepped_down = 189,
  too_many_logical_sessions = 261,
  exceeded_time_limit = 262,
  operation_not_supported_in_transaction = 263,
  unsupported_op_query_command = 352,
  reauthentication_required = 391,
  query_exceeded_memory_limit = 292,
  not_writable_primary = 10107,
  interrupted_at_shutdown = 11600,
  interrupted = 11601,
  interrupted_due_to_repl_state_change = 11602,
  not_primary_no_secondary_ok = 13435,
  not_primary_or_secondary = 13436,
};
[[nodiscard]] const char* name_of(error_code code) noexcept;

// Appends a whole OP_MSG message around a body document.
void append_op_msg(byte_buffer& out, std::int32_t request_id, std::int32_t response_to, std::uint32_t flags,
                   bson_view body);

// Appends `body` as the reply to the request that has this header, in its opcode: OP_QUERY is answered by OP_REPLY.
void append_reply(byte_buffer& out, const message_header& request, std::int32_t request_id, bson_view body);

// Begins an OP_MSG message at the end of `out`: header (length 0), flags, section kind 0. Returns the message's start;
// the caller appends the body document and then calls end_op_msg, which writes the length.
[[nodiscard]] std::size_t begin_op_msg(byte_buffer& out, std::int32_t request_id, std::int32_t response_to,
                                       std::uint32_t flags = 0);
void end_op_msg(byte_buffer& out, std::size_t start) noexcept;

// Appends the error document {ok: 0, errmsg, code, codeName, errorLabels}; `message` must be UTF-8; at most ten labels.
void append_error_document(byte_buffer& out, error_code code, std::string_view message,
                           std::span<const std::string_view> labels = {});

// Appends a whole error reply as OP_MSG. `message` must be UTF-8; at most ten labels.
void append_error_reply(byte_buffer& out, std::int32_t request_id, std::int32_t response_to, error_code code,
                        std::string_view message, std::span<const std::string_view> labels = {});

// What a reply body says at its top level. Nested arrays are looked into only for error codes.
struct reply_view {
  bool ok = false;
  std::int32_t code = 0;  // of {ok: 0}
  // The first state-change code inside writeErrors or writeConcernError, else the first code there.
  std::int32_t write_code = 0;
  bool has_write_errors = false;
  std::uint64_t operation_time = 0;  // 0: none
  byte_view cluster_time;            // the $clusterTime document's bytes, empty if none
  std::uint64_t cluster_time_value = 0;
  bool has_topology_version = false;
  std::optional<bson_view> cursor;  // not looked into: see view_cursor()
  // Order of the fields behind `cursor` in a find reply as a string of o (ok), c ($clusterTime), t (operationTime);
  // empty if the reply's top level is anything but cursor first and these behind it, each at most once. Rule S8 needs
  // it to imitate the reply.
  char tail[4] = {};
};

// False if the top level is malformed. No allocation; views into `body`.
[[nodiscard]] bool view_reply(bson_view body, reply_view& out) noexcept;

struct cursor_view {
  std::int64_t id = 0;  // 0 as well where the reply has no cursor
  std::string_view ns;
  std::optional<bson_view> first_batch;  // of a find reply whose cursor is exactly {firstBatch, id, ns} in this order
};

// False if the cursor is malformed.
[[nodiscard]] bool view_cursor(const reply_view& reply, cursor_view& out) noexcept;

// signature.keyId of a $clusterTime document; 0 where there is none.
[[nodiscard]] std::int64_t signing_key(byte_view cluster_time) noexcept;

// Codes that mean "this server is no longer the primary you knew, or is going away" (rule F4; SDAM specification, "not
// writable primary" and "node is recovering" errors).
[[nodiscard]] bool is_state_change(std::int32_t code) noexcept;

// Those, and codes that mean "a server cannot be reached": whatever the form of the read that met them, it is not at
// fault (retryable reads specification, less those codes that a readConcern can cause).
[[nodiscard]] bool is_server_trouble(std::int32_t code) noexcept;

// Copies the reply message without the top-level field `topologyVersion` (rule F4). Checksum, if there was one, is
// dropped with its flag. `message` is a whole OP_MSG that parse_op_msg accepted.
void append_without_topology_version(byte_buffer& out, byte_view message);

}  // namespace mongocached::protocol
