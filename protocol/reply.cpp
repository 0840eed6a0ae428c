#include "protocol/reply.hpp"

#include <cstring>
#include <limits>
#include <utility>

#include "protocol/op_query.hpp"

namespace mongocached::protocol {
namespace {

void append_bytes(byte_buffer& out, byte_view bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

std::int32_t code_in(bson_view document) noexcept {
  const auto element = document.find("code");
  const auto code = element ? element->integer() : std::nullopt;
  if (!code || *code < std::numeric_limits<std::int32_t>::min() || *code > std::numeric_limits<std::int32_t>::max()) {
    return 0;
  }
  return static_cast<std::int32_t>(*code);
}

void note_write_code(std::int32_t code, reply_view& out) noexcept {
  if (out.write_code == 0 || (is_state_change(code) && !is_state_change(out.write_code))) out.write_code = code;
}

void view_write_errors(bson_view errors, reply_view& out) noexcept {
  out.has_write_errors = true;
  bson_element error;
  for (bson_cursor cursor(errors); cursor.next(error);) {
    if (const auto document = error.document()) note_write_code(code_in(*document), out);
  }
}

void view_cluster_time(bson_view document, reply_view& out) noexcept {
  out.cluster_time = document.bytes();
  const auto time = document.find("clusterTime");
  out.cluster_time_value = time ? time->timestamp().value_or(0) : 0;
}

enum class field : std::uint8_t {
  ok,
  cursor,
  write_errors,
  cluster_time,
  operation_time,
  topology_version,
  write_concern_error,
  other,
};

// By length first, which tells all of them apart.
field field_of(std::string_view name) noexcept {
  const auto if_is = [name](std::string_view wanted, field f) { return name == wanted ? f : field::other; };
  switch (name.size()) {
    case 2:
      return if_is("ok", field::ok);
    case 6:
      return if_is("cursor", field::cursor);
    case 11:
      return if_is("writeErrors", field::write_errors);
    case 12:
      return if_is("$clusterTime", field::cluster_time);
    case 13:
      return if_is("operationTime", field::operation_time);
    case 15:
      return if_is("topologyVersion", field::topology_version);
    case 17:
      return if_is("writeConcernError", field::write_concern_error);
    default:
      return field::other;
  }
}

// Collects reply_view::tail.
class tail_recorder {
 public:
  void add(field which) noexcept {
    const auto letter = letter_of(which);
    const auto bit = 1U << static_cast<unsigned>(which);
    if (seen_ == 0) {
      usable_ = which == field::cursor;
    } else if (letter == 0 || (seen_ & bit) != 0) {
      usable_ = false;
    } else if (usable_) {
      letters_[count_++] = letter;
    }
    seen_ |= bit;
  }

  void write(reply_view& out) const noexcept {
    if (usable_) std::memcpy(out.tail, letters_, count_);
  }

 private:
  static char letter_of(field which) noexcept {
    if (which == field::ok) return 'o';
    if (which == field::cluster_time) return 'c';
    return which == field::operation_time ? 't' : 0;
  }

  char letters_[3] = {};  // each at most once
  std::uint8_t count_ = 0;
  unsigned seen_ = 0;
  bool usable_ = false;
};

void view_field(field which, const bson_element& element, reply_view& out) noexcept {
  switch (which) {
    case field::ok:
      out.ok = element.truthy().value_or(false);
      return;
    case field::cursor:
      out.cursor = element.document();
      return;
    case field::operation_time:
      out.operation_time = element.timestamp().value_or(0);
      return;
    case field::cluster_time:
      if (const auto document = element.document()) view_cluster_time(*document, out);
      return;
    case field::write_errors:
      if (const auto document = element.document()) view_write_errors(*document, out);
      return;
    case field::write_concern_error:
      if (const auto document = element.document()) note_write_code(code_in(*document), out);
      return;
    case field::topology_version:
      out.has_topology_version = true;
      return;
    case field::other:
      return;
  }
}

}  // namespace

std::size_t begin_op_msg(byte_buffer& out, std::int32_t request_id, std::int32_t response_to, std::uint32_t flags) {
  const auto start = out.size();
  out.resize(start + header_size + 5);  // zeroed: the section kind is 0
  auto* at = out.data() + start;
  write_header(at, {.length = 0, .request_id = request_id, .response_to = response_to, .code = opcode::msg});
  store_le(at + header_size, flags & ~op_msg_flags::checksum_present);
  return start;
}

void end_op_msg(byte_buffer& out, std::size_t start) noexcept {
  store_le(out.data() + start, static_cast<std::int32_t>(out.size() - start));
}

void append_op_msg(byte_buffer& out, std::int32_t request_id, std::int32_t response_to, std::uint32_t flags,
                   bson_view body) {
  const auto start = begin_op_msg(out, request_id, response_to, flags);
  append_bytes(out, body.bytes());
  end_op_msg(out, start);
}

void append_reply(byte_buffer& out, const message_header& request, std::int32_t request_id, bson_view body) {
  if (request.code == opcode::query) return append_op_reply(out, request_id, request.request_id, body);
  append_op_msg(out, request_id, request.request_id, 0, body);
}

void append_error_document(byte_buffer& out, error_code code, std::string_view message,
                           std::span<const std::string_view> labels) {
  bson_builder body(out);
  body.append_double("ok", 0);
  body.append_string("errmsg", message);
  body.append_int32("code", static_cast<std::int32_t>(code));
  body.append_string("codeName", name_of(code));
  if (labels.empty()) return;
  auto array = body.open_array("errorLabels");
  char index[2] = "0";  // there are five labels in all of MongoDB
  for (const auto label : labels) {
    array.append_string(index, label);
    ++index[0];
  }
}

void append_error_reply(byte_buffer& out, std::int32_t request_id, std::int32_t response_to, error_code code,
                        std::string_view message, std::span<const std::string_view> labels) {
  const auto start = begin_op_msg(out, request_id, response_to);
  append_error_document(out, code, message, labels);
  end_op_msg(out, start);
}

bool view_reply(bson_view body, reply_view& out) noexcept {
  out = {};
  tail_recorder tail;
  bson_element element;
  bson_cursor cursor(body);
  while (cursor.next(element)) {
    const auto which = field_of(element.name);
    tail.add(which);
    view_field(which, element, out);
  }
  if (cursor.failed()) return false;
  tail.write(out);
  if (!out.ok) out.code = code_in(body);
  return true;
}

bool view_cursor(const reply_view& reply, cursor_view& out) noexcept {
  out = {};
  if (!reply.cursor) return true;
  std::optional<bson_view> batch;
  int position = 0;
  bool as_expected = true;
  bson_element element;
  bson_cursor cursor(*reply.cursor);
  for (; cursor.next(element); ++position) {
    if (element.name == "firstBatch") {
      as_expected = as_expected && position == 0 && element.is(bson_type::array);
      batch = element.document();
    } else if (element.name == "id") {
      as_expected = as_expected && position == 1 && element.is(bson_type::int64);
      out.id = element.integer().value_or(0);
    } else if (element.name == "ns") {
      as_expected = as_expected && position == 2 && element.is(bson_type::string);
      out.ns = element.text().value_or(std::string_view{});
    } else {
      as_expected = false;
    }
  }
  if (cursor.failed()) return false;
  if (as_expected && position == 3) out.first_batch = batch;
  return true;
}

std::int64_t signing_key(byte_view cluster_time) noexcept {
  const auto document = bson_view::parse(cluster_time);
  const auto signature = document ? document->find("signature") : std::nullopt;
  const auto signed_by = signature ? signature->document() : std::nullopt;
  const auto key = signed_by ? signed_by->find("keyId") : std::nullopt;
  return key ? key->integer().value_or(0) : 0;
}

void append_without_topology_version(byte_buffer& out, byte_view message) {
  op_msg msg;
  if (parse_op_msg(message, msg) != op_msg_error::none) return append_bytes(out, message);
  const auto start = begin_op_msg(out, load_le<std::int32_t>(message.data() + 4),
                                  load_le<std::int32_t>(message.data() + 8), msg.flags);
  const auto body_start = out.size();
  const auto body = msg.body.bytes();
  const auto* copied = body.data();
  bson_element element;
  for (bson_cursor cursor(msg.body); cursor.next(element);) {
    if (element.name != "topologyVersion") continue;
    append_bytes(out, {copied, element.raw.data()});
    copied = element.raw.data() + element.raw.size();
  }
  append_bytes(out, {copied, body.data() + body.size()});
  store_le(out.data() + body_start, static_cast<std::int32_t>(out.size() - body_start));
  for (std::size_t i = 0; i < msg.sequence_count; ++i) {
    const auto& sequence = msg.sequences[i];
    const auto section = out.size();
    out.resize(section + 5);
    out[section] = 1;
    store_le(out.data() + section + 1,
             static_cast<std::int32_t>(4 + sequence.name.size() + 1 + sequence.documents.size()));
    append_bytes(out, as_bytes(sequence.name));
    out.push_back(0);
    append_bytes(out, sequence.documents);
  }
  end_op_msg(out, start);
}

}  // namespace mongocached::protocol
