#include "daemon/cached_reply.hpp"

#include <array>
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

// Small pieces, put together on the stack and appended to the buffer at once.
class gatherer {
 public:
  explicit gatherer(byte_buffer& out) noexcept : out_(out) {}
  ~gatherer() = default;
  gatherer(const gatherer&) = delete;
  gatherer& operator=(const gatherer&) = delete;

  // Where the next byte will be in the buffer.
  [[nodiscard]] std::size_t position() const noexcept { return out_.size() + size_; }
  void bytes(byte_view piece) {
    if (piece.size() > bytes_.size() - size_) flush();
    if (piece.size() > bytes_.size()) return append_bytes(out_, piece);
    if (!piece.empty()) std::memcpy(bytes_.data() + size_, piece.data(), piece.size());
    size_ += piece.size();
  }
  void text(std::string_view piece) { bytes(protocol::as_bytes(piece)); }
  template <class T>
  void number(T value) {
    std::array<std::uint8_t, sizeof value> piece;
    protocol::store_le(piece.data(), value);
    bytes(piece);
  }
  // Type byte and name with its NUL, which `name` must hold.
  template <std::size_t N>
  void head(bson_type type, const char (&name)[N]) {
    number(static_cast<std::uint8_t>(type));
    text({name, N});
  }
  // Ends a document whose length field is at `at` in the buffer, in what was flushed.
  void close(std::size_t at) {
    number(std::uint8_t{0});
    protocol::store_le(out_.data() + at, static_cast<std::int32_t>(position() - at));
  }
  void flush() {
    append_bytes(out_, byte_view(bytes_).first(size_));
    size_ = 0;
  }

 private:
  byte_buffer& out_;
  std::array<std::uint8_t, 512> bytes_;
  std::size_t size_ = 0;
};

}  // namespace

cached_reply::cached_reply(byte_buffer& out, const reply_frame& frame) : out_(out), frame_(frame) {
  message_ = protocol::begin_op_msg(out_, frame.request_id, frame.response_to);
  gatherer pieces(out_);
  body_ = pieces.position();
  pieces.number(std::int32_t{0});
  pieces.head(bson_type::document, "cursor");
  cursor_ = pieces.position();
  pieces.number(std::int32_t{0});
  pieces.head(bson_type::array, "firstBatch");
  pieces.flush();
}

void cached_reply::open_batch() {
  if (batch_open_) return;
  batch_ = out_.size();
  out_.resize(batch_ + sizeof(std::int32_t));
  batch_open_ = true;
}

void cached_reply::begin_document() {
  open_batch();
  std::array<char, 24> head;
  head[0] = static_cast<char>(bson_type::document);
  char* end = std::to_chars(head.data() + 1, head.data() + head.size() - 1, count_).ptr;
  *end++ = 0;
  append_bytes(out_, protocol::as_bytes({head.data(), static_cast<std::size_t>(end - head.data())}));
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
  const bool own_batch = batch_open_ || count_ == 0;
  if (own_batch) open_batch();
  gatherer pieces(out_);
  if (own_batch) pieces.close(batch_);
  pieces.head(bson_type::int64, "id");
  pieces.number(std::int64_t{0});
  pieces.head(bson_type::string, "ns");
  pieces.number(static_cast<std::int32_t>(frame_.db.size() + frame_.collection.size() + 2));
  pieces.text(frame_.db);
  pieces.text(".");
  pieces.text(frame_.collection);
  pieces.number(std::uint8_t{0});
  pieces.close(cursor_);
  for (const char* field = frame_.tail; *field != 0; ++field) {
    if (*field == 'o') {
      pieces.head(bson_type::float64, "ok");
      pieces.number(1.0);
    } else if (*field == 'c') {
      pieces.head(bson_type::document, "$clusterTime");
      pieces.bytes(frame_.cluster_time->bytes());
    } else {
      pieces.head(bson_type::timestamp, "operationTime");
      pieces.number(frame_.operation_time);
    }
  }
  pieces.close(body_);
  pieces.flush();
  protocol::end_op_msg(out_, message_);
}

bool can_show(const cache::entry_meta& meta, const signed_time& newest) noexcept {
  const bool needs_cluster_time = std::memchr(meta.tail, 'c', sizeof meta.tail) != nullptr;
  return !needs_cluster_time || (newest.size != 0 && newest.time >= meta.upper);
}

}  // namespace mongocached::daemon
