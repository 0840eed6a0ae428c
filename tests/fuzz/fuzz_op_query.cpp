// OP_QUERY and OP_REPLY on any bytes: they stay within them, and a reply written anew means the same.
#include "protocol/op_query.hpp"
#include "require.hpp"
#include "support/message_builders.hpp"

namespace {

using namespace mongocached::protocol;
using mongocached::fuzz::require;
using mongocached::test_support::exact_copy;

bool within(byte_view part, byte_view whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

void check(byte_view message) {
  op_query query;
  if (parse_op_query(message, query)) {
    require(within(query.query.bytes(), message), "query lies within the message");
    require(within(as_bytes(query.full_collection_name), message), "name lies within the message");
    require(bson_view::parse(query.query.bytes()).has_value(), "query is a document");
  }
  op_reply reply;
  if (!parse_op_reply(message, reply)) return;
  require(within(reply.document.bytes(), message), "document lies within the message");
  byte_buffer copy;
  append_op_reply(copy, 1, 2, reply.document);
  op_reply again;
  require(parse_op_reply(copy, again), "what was accepted is accepted again");
  require(equal(reply.document.bytes(), again.document.bytes()), "same document");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const byte_view input(data, size);
  check(input);
  if (size < header_size) return 0;
  // Length and opcode put right, so that mutations reach what lies behind them.
  byte_buffer bytes(input.begin(), input.end());
  mongocached::test_support::fix_length(bytes);
  for (const auto code : {opcode::query, opcode::reply}) {
    store_le(bytes.data() + 12, static_cast<std::int32_t>(code));
    const exact_copy copy(bytes);
    check(copy.view());
  }
  return 0;
}
