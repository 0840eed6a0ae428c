// A command as far as the stub upstream looks at it. Views into the message that it was parsed from.
#pragma once

#include "protocol/bson_view.hpp"

namespace mongocached::bench {

struct stub_request {
  std::int32_t id = 0;
  bool legacy = false;  // came as OP_QUERY: a handshake
  std::string_view name;
  std::string_view collection;
  std::string_view db = "admin";
  protocol::bson_view filter;
  protocol::bson_view pipeline;
  std::int64_t limit = 0;
  std::int64_t max_time_ms = 1000;  // how long a change stream's getMore may wait
  bool wants_hello_ok = false;
  protocol::byte_view rest;  // sections behind the body

  // `message` is a whole message. False for bytes that are no command; `id` is set all the same.
  [[nodiscard]] bool parse(protocol::byte_view message);

 private:
  void take(const protocol::bson_element& e);
};

}  // namespace mongocached::bench
