#include "protocol/op_query.hpp"

namespace mongocached::protocol {
namespace {

constexpr std::uint32_t await_capable = 8;  // a response flag that every server since 1.6 sets
constexpr std::size_t reply_prefix_size = header_size + 20;

bool is_whole(byte_view message, opcode code) noexcept {
  message_header header;
  return read_header(message, header) == frame_error::none && header.code == code &&
         static_cast<std::size_t>(header.length) == message.size();
}

// Drivers wrap a command that carries a read preference: {$query: {hello: 1}, $readPreference: {...}}.
std::optional<bson_view> unwrap(bson_view query) noexcept {
  bson_element first;
  bson_cursor cursor(query);
  if (cursor.next(first) && first.is(bson_type::document) && (first.name == "$query" || first.name == "query")) {
    return first.document();
  }
  return query;
}

}  // namespace

bool parse_op_query(byte_view message, op_query& out) noexcept {
  out = {};
  if (message.size() < header_size + 4 || !is_whole(message, opcode::query)) return false;
  out.flags = load_le<std::uint32_t>(message.data() + header_size);
  auto rest = message.subspan(header_size + 4);
  const auto nul = as_text(rest).find('\0');
  if (nul == std::string_view::npos || rest.size() - nul - 1 < 8) return false;
  out.full_collection_name = as_text(rest.first(nul));
  rest = rest.subspan(nul + 1);
  out.number_to_skip = load_le<std::int32_t>(rest.data());
  out.number_to_return = load_le<std::int32_t>(rest.data() + 4);
  rest = rest.subspan(8);
  const auto query = bson_view::parse_front(rest);
  if (!query) return false;
  rest = rest.subspan(query->size());
  if (!rest.empty() && !bson_view::parse(rest)) return false;
  const auto command = unwrap(*query);
  if (!command) return false;
  out.query = *command;
  return true;
}

void append_op_reply(byte_buffer& out, std::int32_t request_id, std::int32_t response_to, bson_view document) {
  const auto start = out.size();
  out.resize(start + reply_prefix_size);
  auto* at = out.data() + start;
  const auto length = static_cast<std::int32_t>(reply_prefix_size + document.size());
  write_header(at, {.length = length, .request_id = request_id, .response_to = response_to, .code = opcode::reply});
  at += header_size;
  store_le(at, await_capable);
  store_le(at + 4, std::int64_t{0});   // cursor id
  store_le(at + 12, std::int32_t{0});  // starting from
  store_le(at + 16, std::int32_t{1});  // number returned
  out.insert(out.end(), document.bytes().begin(), document.bytes().end());
}

bool parse_op_reply(byte_view message, op_reply& out) noexcept {
  out = {};
  if (message.size() < reply_prefix_size || !is_whole(message, opcode::reply)) return false;
  out.flags = load_le<std::uint32_t>(message.data() + header_size);
  auto expected = load_le<std::int32_t>(message.data() + header_size + 16);
  auto rest = message.subspan(reply_prefix_size);
  if (expected < 1) return false;
  for (bool first = true; expected > 0; --expected, first = false) {
    const auto document = bson_view::parse_front(rest);
    if (!document) return false;
    if (first) out.document = *document;
    rest = rest.subspan(document->size());
  }
  return rest.empty();
}

}  // namespace mongocached::protocol
