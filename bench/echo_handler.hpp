// What the bare echo answers, whatever loop is under it: one fixed OP_MSG reply with `responseTo` patched.
#pragma once

#include <array>
#include <cstring>

#include "bench/find_reply.hpp"

namespace mongocached::bench {

class echo_handler {
 public:
  explicit echo_handler(std::uint32_t reply_size) {
    const std::array<std::uint8_t, 12> id{};
    const find_reply_writer writer(reply_size);
    writer.append_one(reply_, 0, {protocol::bson_type::object_id, "_id", id, {}}, "bench.docs", first_operation_time());
  }

  template <class Connection>
  void on_message(Connection& c, protocol::byte_view message) {
    const std::size_t at = c.out.size();
    c.out.insert(c.out.end(), reply_.begin(), reply_.end());
    std::memcpy(c.out.data() + at + 8, message.data() + 4, 4);  // responseTo := the request's requestID
  }
  static int milliseconds_to_wait() { return -1; }
  template <class Server>
  void on_tick(Server&) {}

 private:
  protocol::byte_buffer reply_;
};

}  // namespace mongocached::bench
