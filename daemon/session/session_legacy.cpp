// OP_QUERY. As servers since 5.1 take it: for the handshake, and for what drivers send in it on a connection that has
// no other opcode agreed on yet (source: the server's list of commands that OP_QUERY may still carry).
#include <algorithm>
#include <array>

#include "cache/write_plan.hpp"
#include "daemon/hello.hpp"
#include "daemon/session/session.hpp"

namespace mongocached::daemon {
namespace {

constexpr std::string_view command_suffix = ".$cmd";
constexpr std::array<std::string_view, 5> taken_as_query{"saslStart", "saslContinue", "authenticate", "buildInfo",
                                                         "buildinfo"};

// The same command as an OP_MSG.
void append_as_op_msg(protocol::byte_buffer& out, const protocol::op_query& query, std::int32_t request_id) {
  const auto start = protocol::begin_op_msg(out, request_id, 0);
  {
    protocol::bson_builder body(out);
    protocol::bson_element element;
    for (protocol::bson_cursor cursor(query.query); cursor.next(element);) {
      if (element.name != "$db") body.append(element);
    }
    auto db = query.full_collection_name;
    db.remove_suffix(command_suffix.size());
    body.append_string("$db", db);
  }
  protocol::end_op_msg(out, start);
}

}  // namespace

session::step session::handle_op_query(protocol::byte_view message, const protocol::message_header& header) {
  protocol::op_query query;
  if (!protocol::parse_op_query(message, query)) {
    close_for(disconnect::bad_message);
    return step::closed;
  }
  protocol::bson_element first;
  protocol::bson_cursor cursor(query.query);
  const bool is_command = query.full_collection_name.ends_with(command_suffix) && cursor.next(first);
  if (is_command && std::ranges::find(taken_as_query, first.name) != taken_as_query.end()) {
    return take_legacy(query, header);
  }
  if (!is_command || !is_hello(first.name)) {
    refuse_legacy(header, is_command ? first.name : std::string_view());
    return step::next;
  }
  if (!has_user_fields(query.query) && answer_hello(query.query, header)) return step::next;
  place_request(message, header);
  legacy_ = true;
  start_flow();
  return step::busy;
}

void session::refuse_legacy(const protocol::message_header& header, std::string_view command) {
  const auto begun = data_thread::now();
  protocol::byte_buffer error;
  protocol::append_error_document(error, protocol::error_code::unsupported_op_query_command,
                                  "only the handshake and a login may be sent as OP_QUERY");
  protocol::append_op_reply(thread_.output, next_request_id(), header.request_id, *protocol::bson_view::parse(error));
  answered_at_once(outcome::error, cache::command_label(command), begun);
}

session::step session::take_legacy(const protocol::op_query& query, const protocol::message_header& header) {
  auto& r = thread_.next_request.emplace();
  r.header = header;
  append_as_op_msg(r.bytes, query, header.request_id);
  protocol::op_msg message;
  r.understood = query.query.validate() && protocol::parse_op_msg(r.bytes, message) == protocol::op_msg_error::none &&
                 protocol::view_command(message, header.request_id, r.command) == protocol::command_error::none;
  if (!r.understood) {
    thread_.next_request.reset();
    close_for(disconnect::bad_message);
    return step::closed;
  }
  legacy_ = true;
  start_flow();
  return step::busy;
}

task<bool> session::send_legacy(protocol::byte_view message) {
  protocol::message_header header;
  protocol::op_msg parsed;
  const bool is_op_msg = protocol::read_header(message, header) == protocol::frame_error::none &&
                         header.code == protocol::opcode::msg &&
                         protocol::parse_op_msg(message, parsed) == protocol::op_msg_error::none;
  if (!is_op_msg) co_return co_await send(message);
  protocol::byte_buffer out;
  protocol::append_op_reply(out, header.request_id, header.response_to, parsed.body);
  co_return co_await send(out);
}

}  // namespace mongocached::daemon
