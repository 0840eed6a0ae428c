#include "bench/stub_request.hpp"

#include "protocol/op_query.hpp"

namespace mongocached::bench {

using protocol::bson_element;
using protocol::bson_view;

bool stub_request::parse(protocol::byte_view message) {
  constexpr std::size_t op_msg_body = protocol::header_size + 5;  // behind the flags and the section's kind
  id = protocol::load_le<std::int32_t>(message.data() + 4);
  const auto code = static_cast<protocol::opcode>(protocol::load_le<std::int32_t>(message.data() + 12));
  bson_view body;
  if (code == protocol::opcode::msg && message.size() > op_msg_body) {
    body = bson_view::parse_front(message.subspan(op_msg_body)).value_or(bson_view());
    if (!body.empty()) rest = message.subspan(op_msg_body + body.size());
  } else if (protocol::op_query query; code == protocol::opcode::query && protocol::parse_op_query(message, query)) {
    body = query.query;
    legacy = true;
  }
  protocol::bson_cursor elements(body);
  for (bson_element e; elements.next(e);) take(e);
  return !name.empty() && !elements.failed();
}

void stub_request::take(const bson_element& e) {
  if (name.empty()) {
    name = e.name;
    collection = e.text().value_or("");
  } else if (e.name == "filter") {
    filter = e.document().value_or(bson_view());
  } else if (e.name == "pipeline") {
    pipeline = e.document().value_or(bson_view());
  } else if (e.name == "limit") {
    limit = e.integer().value_or(0);
  } else if (e.name == "maxTimeMS") {
    max_time_ms = e.integer().value_or(max_time_ms);
  } else if (e.name == "$db") {
    db = e.text().value_or("admin");
  } else if (e.name == "helloOk") {
    wants_hello_ok = true;
  }
}

}  // namespace mongocached::bench
