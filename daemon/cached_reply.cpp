#include "daemon/cached_reply.hpp"

#include <array>
#include <charconv>
#include <cstring>
#include <type_traits>

namespace mongocached::daemon {
namespace {

using protocol::bson_type;
using protocol::byte_buffer;
using protocol::byte_view;

// Room at the buffer's end, to be written in full.
std::uint8_t* grow(byte_buffer& out, std::size_t by) {
  const auto at = out.size();
  out.resize(at + by);
  return out.data() + at;
}

// Writes one piece behind another into room that is known to suffice.
class piece_writer {
 public:
  explicit constexpr piece_writer(std::uint8_t* at) noexcept : at_(at) {}

  void bytes(byte_view piece) noexcept {
    if (!piece.empty()) std::memcpy(at_, piece.data(), piece.size());
    at_ += piece.size();
  }
  void text(std::string_view piece) noexcept { bytes(protocol::as_bytes(piece)); }
  template <class T>
  void number(T value) noexcept {
    protocol::store_le(at_, value);
    at_ += sizeof value;
  }
  constexpr void byte(std::uint8_t value) noexcept { *at_++ = value; }
  // Type byte and name with its NUL, which `name` must hold.
  template <std::size_t N>
  constexpr void head(bson_type type, const char (&name)[N]) noexcept {
    byte(static_cast<std::uint8_t>(type));
    if (std::is_constant_evaluated()) {
      for (const char letter : name) byte(static_cast<std::uint8_t>(letter));
    } else {
      text({name, N});
    }
  }
  constexpr void skip(std::size_t size) noexcept { at_ += size; }
  [[nodiscard]] const std::uint8_t* position() const noexcept { return at_; }

 private:
  std::uint8_t* at_;
};

constexpr std::size_t length_size = sizeof(std::int32_t);
constexpr std::size_t body_at = protocol::header_size + 5;  // behind the flags and the section's kind
constexpr std::size_t cursor_at = body_at + length_size + 1 + sizeof "cursor";
constexpr std::size_t batch_at = cursor_at + length_size + 1 + sizeof "firstBatch";

// Everything before the batch; lengths and ids are zero.
constexpr auto front = [] {
  std::array<std::uint8_t, batch_at> out{};
  piece_writer writer(out.data() + body_at + length_size);
  writer.head(bson_type::document, "cursor");
  writer.skip(length_size);
  writer.head(bson_type::array, "firstBatch");
  return out;
}();

std::size_t tail_size(const reply_frame& frame) noexcept {
  std::size_t out = 0;
  for (const char* field = frame.tail; *field != 0; ++field) {
    if (*field == 'o') {
      out += 1 + sizeof "ok" + sizeof(double);
    } else if (*field == 'c') {
      out += 1 + sizeof "$clusterTime" + frame.cluster_time->size;
    } else {
      out += 1 + sizeof "operationTime" + sizeof frame.operation_time;
    }
  }
  return out;
}

void write_tail(piece_writer& writer, const reply_frame& frame) noexcept {
  for (const char* field = frame.tail; *field != 0; ++field) {
    if (*field == 'o') {
      writer.head(bson_type::float64, "ok");
      writer.number(1.0);
    } else if (*field == 'c') {
      writer.head(bson_type::document, "$clusterTime");
      writer.bytes(frame.cluster_time->bytes());
    } else {
      writer.head(bson_type::timestamp, "operationTime");
      writer.number(frame.operation_time);
    }
  }
}

}  // namespace

cached_reply::cached_reply(byte_buffer& out, const reply_frame& frame) noexcept
    : out_(out), frame_(frame), message_(out.size()) {}

void cached_reply::write_front(std::uint8_t* at) const noexcept {
  std::memcpy(at, front.data(), front.size());
  protocol::write_header(
      at,
      {.length = 0, .request_id = frame_.request_id, .response_to = frame_.response_to, .code = protocol::opcode::msg});
}

void cached_reply::begin_document() {
  std::array<char, 24> head;
  head[0] = static_cast<char>(bson_type::document);
  char* end = std::to_chars(head.data() + 1, head.data() + head.size() - 1, count_).ptr;
  *end++ = 0;
  const auto size = static_cast<std::size_t>(end - head.data());
  if (count_ > 0) return piece_writer(grow(out_, size)).text({head.data(), size});
  auto* const at = grow(out_, batch_at + length_size + size);
  write_front(at);
  piece_writer(at + batch_at + length_size).text({head.data(), size});
}

void cached_reply::append_document(byte_view document) {
  begin_document();
  out_.insert(out_.end(), document.begin(), document.end());
  end_document();
}

void cached_reply::append_batch(byte_view array) {
  write_front(grow(out_, batch_at));
  out_.insert(out_.end(), array.begin(), array.end());
  own_batch_ = false;
}

void cached_reply::finish() {
  if (own_batch_ && count_ == 0) write_front(grow(out_, batch_at + length_size));
  const auto name_size = frame_.db.size() + frame_.collection.size() + 2;
  const auto size = (own_batch_ ? 1 : 0) + 1 + sizeof "id" + sizeof(std::int64_t) + 1 + sizeof "ns" + length_size +
                    name_size + 1 + tail_size(frame_) + 1;
  piece_writer writer(grow(out_, size));
  auto* const start = out_.data() + message_;
  const auto close = [start, &writer](std::size_t at) {
    writer.byte(0);
    protocol::store_le(start + at, static_cast<std::int32_t>(writer.position() - start - at));
  };
  if (own_batch_) close(batch_at);
  writer.head(bson_type::int64, "id");
  writer.number(std::int64_t{0});
  writer.head(bson_type::string, "ns");
  writer.number(static_cast<std::int32_t>(name_size));
  writer.text(frame_.db);
  writer.byte('.');
  writer.text(frame_.collection);
  writer.byte(0);
  close(cursor_at);
  write_tail(writer, frame_);
  close(body_at);
  protocol::end_op_msg(out_, message_);
}

bool can_show(const cache::entry_meta& meta, const signed_time& newest) noexcept {
  const bool needs_cluster_time = std::memchr(meta.tail, 'c', sizeof meta.tail) != nullptr;
  return !needs_cluster_time || (newest.size != 0 && newest.time >= meta.upper);
}

}  // namespace mongocached::daemon
