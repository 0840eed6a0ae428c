#include "bench/find_request.hpp"

#include <array>

#include "bench/find_reply.hpp"
#include "protocol/reply.hpp"

namespace mongocached::bench {

protocol::byte_buffer pymongo_find_one(protocol::byte_view object_id) {
  static constexpr std::array<std::uint8_t, 16> session{1, 2, 3, 4};
  static constexpr std::array<std::uint8_t, 20> hash{};
  protocol::byte_buffer out;
  const std::size_t start = protocol::begin_op_msg(out, 1, 0);
  protocol::bson_builder body(out);
  body.append_string("find", "docs");
  body.open_document("filter").append_value(protocol::bson_type::object_id, "_id", object_id);
  body.append_int32("limit", 1);
  body.append_bool("singleBatch", true);
  body.open_document("lsid").append_binary("id", 4, session);
  {
    auto time = body.open_document("$clusterTime");
    time.append_timestamp("clusterTime", 1);
    auto signature = time.open_document("signature");
    signature.append_binary("hash", 0, hash);
    signature.append_int64("keyId", 0);
  }
  body.append_string("$db", "bench");
  body.finish();
  protocol::end_op_msg(out, start);
  return out;
}

bool view_request(protocol::byte_view message, protocol::command_view& out) noexcept {
  protocol::message_header header;
  protocol::op_msg parsed;
  return protocol::read_header(message, header) == protocol::frame_error::none &&
         protocol::parse_op_msg(message, parsed) == protocol::op_msg_error::none &&
         protocol::view_command(parsed, header.request_id, out) == protocol::command_error::none;
}

}  // namespace mongocached::bench
