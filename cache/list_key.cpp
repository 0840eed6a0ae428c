#include "cache/list_key.hpp"

#include "cache/query_rules.hpp"

namespace mongocached::cache {
namespace {

using protocol::bson_element;
using protocol::bson_view;

void append_tagged(byte_buffer& out, char tag, byte_view bytes) {
  out.push_back(static_cast<std::uint8_t>(tag));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_document(byte_buffer& out, char tag, bson_view document) {
  if (!document.empty()) append_tagged(out, tag, document.bytes());
}

void append_count(byte_buffer& out, char tag, std::int64_t count, std::int64_t absent) {
  if (count == absent) return;
  append_tagged(out, tag, {reinterpret_cast<const std::uint8_t*>(&count), sizeof count});
}

void append_flag(byte_buffer& out, char tag, bool flag) {
  if (flag) out.push_back(static_cast<std::uint8_t>(tag));
}

void append_element(byte_buffer& out, char tag, const std::optional<bson_element>& element) {
  if (!element) return;
  out.push_back(static_cast<std::uint8_t>(tag));
  append_tagged(out, static_cast<char>(element->type), element->value);
}

bypass_reason first_refusal(const find_fields& fields) noexcept {
  if (const auto reason = check_filter(fields.filter); reason != bypass_reason::none) return reason;
  if (const auto reason = check_sort(fields.sort); reason != bypass_reason::none) return reason;
  if (const auto reason = check_projection(fields.projection); reason != bypass_reason::none) return reason;
  return fields.let ? check_expression(*fields.let) : bypass_reason::none;
}

}  // namespace

bypass_reason append_list_key(byte_buffer& out, const find_fields& fields) {
  if (fields.batch_size == 0) return bypass_reason::batch_size;  // opens a cursor
  if (const auto reason = first_refusal(fields); reason != bypass_reason::none) return reason;
  append_document(out, 'f', fields.filter);
  append_document(out, 's', fields.sort);
  append_document(out, 'p', fields.projection);
  append_count(out, 'k', fields.skip, 0);
  append_count(out, 'l', fields.limit, 0);
  append_count(out, 'b', fields.batch_size, -1);
  append_flag(out, '1', fields.single_batch);
  append_element(out, 'h', fields.hint);
  append_element(out, 'c', fields.collation);
  append_element(out, 'v', fields.let);
  append_element(out, 'a', fields.api_version);
  append_flag(out, 'S', fields.api_strict);
  append_flag(out, 'D', fields.api_deprecation_errors);
  return bypass_reason::none;
}

bypass_reason append_list_key(byte_buffer& out, const protocol::command_view& command) {
  find_fields fields;
  if (const auto reason = read_find_fields(command, fields); reason != bypass_reason::none) return reason;
  return append_list_key(out, fields);
}

}  // namespace mongocached::cache
