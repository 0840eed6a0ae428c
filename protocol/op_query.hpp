// OP_QUERY and OP_REPLY, as far as they still live: the handshake of drivers that do not yet know whether a server
// speaks OP_MSG. Source: "Legacy opcodes" of the wire protocol; wire rule H1.
#pragma once

#include "protocol/bson_view.hpp"
#include "protocol/message.hpp"

namespace mongocached::protocol {

struct op_query {
  std::uint32_t flags = 0;
  std::string_view full_collection_name;  // "admin.$cmd" for commands
  std::int32_t number_to_skip = 0;
  std::int32_t number_to_return = 0;
  bson_view query;  // the command; unwrapped where it came as {$query: {...}, ...}
};

// False where the message is no OP_QUERY; leftover bytes are refused (a field selector document is allowed). Views into
// `message`.
[[nodiscard]] bool parse_op_query(byte_view message, op_query& out) noexcept;

// Appends a whole OP_REPLY message with one document.
void append_op_reply(byte_buffer& out, std::int32_t request_id, std::int32_t response_to, bson_view document);

struct op_reply {
  std::uint32_t flags = 0;
  bson_view document;  // the first one
};
[[nodiscard]] bool parse_op_reply(byte_view message, op_reply& out) noexcept;

}  // namespace mongocached::protocol
