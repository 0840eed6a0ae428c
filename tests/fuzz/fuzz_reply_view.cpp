// view_reply and append_without_topology_version on any body: they stay within it, mean the same elsewhere, and a reply
// without its topologyVersion says all else as before.
#include <string_view>

#include "protocol/reply.hpp"
#include "require.hpp"
#include "support/message_builders.hpp"

namespace {

using namespace mongocached::protocol;
using mongocached::fuzz::require;
using mongocached::test_support::exact_copy;
using mongocached::test_support::must;

void require_same(const reply_view& a, const reply_view& b) {
  require(a.ok == b.ok && a.code == b.code && a.write_code == b.write_code && a.has_write_errors == b.has_write_errors,
          "same outcome");
  require(a.operation_time == b.operation_time && a.cluster_time_value == b.cluster_time_value &&
              signing_key(a.cluster_time) == signing_key(b.cluster_time) && equal(a.cluster_time, b.cluster_time),
          "same times");
  require(a.cursor.has_value() == b.cursor.has_value(), "both have a cursor or none");
  cursor_view left;
  cursor_view right;
  require(view_cursor(a, left) == view_cursor(b, right), "same verdict on the cursor");
  require(left.id == right.id && left.ns == right.ns, "same cursor");
  require(left.first_batch.has_value() == right.first_batch.has_value(), "both have a first batch or none");
  if (left.first_batch && right.first_batch)
    require(equal(left.first_batch->bytes(), right.first_batch->bytes()), "same first batch");
}

void check_tail(const reply_view& view) {
  const std::string_view tail(view.tail);
  require(tail.size() <= 3 && tail.find_first_not_of("oct") == std::string_view::npos, "tail is of its alphabet");
  if (!tail.empty()) require(!view.has_topology_version, "a reply with other fields has no tail");
}

void check(bson_view body) {
  reply_view view;
  const bool accepted = view_reply(body, view);
  const exact_copy moved(body.bytes());
  reply_view again;
  require(view_reply(must(bson_view::parse(moved.view())), again) == accepted, "same verdict elsewhere");
  if (accepted) {
    require_same(view, again);
    require(std::string_view(view.tail) == again.tail, "same tail");
    check_tail(view);
  }

  byte_buffer message;
  append_op_msg(message, 1, 2, 0, body);
  byte_buffer stripped;
  append_without_topology_version(stripped, message);
  op_msg msg;
  require(parse_op_msg(stripped, msg) == op_msg_error::none, "still a message without topologyVersion");
  if (!accepted) return;
  if (!view.has_topology_version) require(stripped == message, "nothing to take out, nothing changed");
  reply_view without;
  require(view_reply(msg.body, without), "still a reply without topologyVersion");
  require(!without.has_topology_version, "topologyVersion is gone");
  require_same(view, without);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 5) return 0;
  byte_buffer bytes(data, data + size);
  store_le(bytes.data(), static_cast<std::int32_t>(size));
  bytes.back() = 0;
  const exact_copy copy(bytes);
  check(must(bson_view::parse(copy.view())));
  return 0;
}
