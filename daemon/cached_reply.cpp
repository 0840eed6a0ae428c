#include "daemon/cached_reply.hpp"

#include <charconv>
#include <cstring>

namespace mongocached::daemon {
namespace {

using protocol::bson_type;
using protocol::byte_buffer;
using protocol::byte_view;

void append_bytes(byte_buffer& out, byte_view bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_text(byte_buffer& out, std::string_view text) {
  append_bytes(out, protocol::as_bytes(text));
}

template <class T>
void append_le(byte_buffer& out, T value) {
  const auto at = out.size();
  out.resize(at + sizeof value);
  protocol::store_le(out.data() + at, value);
}

// Type byte and name with its NUL, which `name` must hold.
template <std::size_t N>
void append_head(byte_buffer& out, bson_type type, const char (&name)[N]) {
  out.push_back(static_cast<std::uint8_t>(type));
  append_bytes(out, {reinterpret_cast<const std::uint8_t*>(name), N});
}

std::size_t open_document(byte_buffer& out) {
  const auto at = out.size();
  append_le<std::int32_t>(out, 0);
  return at;
}

void close_document(byte_buffer& out, std::size_t at) {
  out.push_back(0);
  protocol::store_le(out.data() + at, static_cast<std::int32_t>(out.size() - at));
}

}  // namespace

cached_reply::cached_reply(byte_buffer& out, const reply_frame& frame) : out_(out), frame_(frame) {
  message_ = protocol::begin_op_msg(out_, frame.request_id, frame.response_to);
  body_ = open_document(out_);
  append_head(out_, bson_type::document, "cursor");
  cursor_ = open_document(out_);
  append_head(out_, bson_type::array, "firstBatch");
}

void cached_reply::open_batch() {
  if (batch_open_) return;
  batch_ = open_document(out_);
  batch_open_ = true;
}

void cached_reply::append_index() {
  char digits[12];
  const auto end = std::to_chars(digits, digits + sizeof digits, count_).ptr;
  append_text(out_, {digits, static_cast<std::size_t>(end - digits)});
  out_.push_back(0);
}

void cached_reply::begin_document() {
  open_batch();
  out_.push_back(static_cast<std::uint8_t>(bson_type::document));
  append_index();
}

void cached_reply::append_document(byte_view document) {
  begin_document();
  append_bytes(out_, document);
  end_document();
}

void cached_reply::append_batch(byte_view array) {
  append_bytes(out_, array);
  batch_open_ = false;
  count_ = 1;
}

void cached_reply::finish() {
  if (batch_open_ || count_ == 0) {
    open_batch();
    close_document(out_, batch_);
  }
  append_head(out_, bson_type::int64, "id");
  append_le<std::int64_t>(out_, 0);
  append_head(out_, bson_type::string, "ns");
  append_le(out_, static_cast<std::int32_t>(frame_.db.size() + frame_.collection.size() + 2));
  append_text(out_, frame_.db);
  out_.push_back('.');
  append_text(out_, frame_.collection);
  out_.push_back(0);
  close_document(out_, cursor_);
  for (const char* field = frame_.tail; *field != 0; ++field) {
    if (*field == 'o') {
      append_head(out_, bson_type::float64, "ok");
      append_le(out_, 1.0);
    } else if (*field == 'c') {
      append_head(out_, bson_type::document, "$clusterTime");
      append_bytes(out_, frame_.cluster_time->bytes());
    } else {
      append_head(out_, bson_type::timestamp, "operationTime");
      append_le(out_, frame_.operation_time);
    }
  }
  close_document(out_, body_);
  protocol::end_op_msg(out_, message_);
}

bool can_show(const cache::entry_meta& meta, const signed_time& newest) noexcept {
  const bool needs_cluster_time = std::memchr(meta.tail, 'c', sizeof meta.tail) != nullptr;
  return !needs_cluster_time || (newest.size != 0 && newest.time >= meta.upper);
}

}  // namespace mongocached::daemon
