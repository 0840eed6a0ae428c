#include "protocol/message.hpp"

#include <algorithm>
#include <array>

namespace mongocached::protocol {
namespace {

// As lengths these would all be above the ceiling, so a recognised method never hides a message.
bool looks_like_http(byte_view bytes) noexcept {
  static constexpr std::array<std::string_view, 10> methods = {"GET ", "POST", "HEAD", "PUT ", "OPTI",
                                                               "DELE", "PATC", "CONN", "TRAC", "PRI "};
  if (bytes.size() < 4) return false;
  const auto front = as_text(bytes.first(4));
  return std::ranges::find(methods, front) != methods.end();
}

bool is_known(opcode code) noexcept {
  switch (code) {
    case opcode::reply:
    case opcode::query:
    case opcode::compressed:
    case opcode::msg:
      return true;
  }
  return false;
}

// A TLS record of type handshake (0x16), version 3.x, whose first message is a client hello (1) of less than 64 KiB and
// version 3.x:
//   16 03 0x | record length (2) | 01 00 | hello length (2) | 03 0x | random ...
// Read as a message length this is often below the ceiling (16 03 01 00 is 66326), so the opcode has the last word.
bool looks_like_tls(byte_view bytes, opcode code) noexcept {
  return bytes[0] == 0x16 && bytes[1] == 0x03 && bytes[2] <= 4 && bytes[5] == 1 && bytes[6] == 0 && bytes[9] == 3 &&
         !is_known(code);
}

frame_error check_length(std::int32_t length, std::size_t ceiling) noexcept {
  if (length < static_cast<std::int32_t>(header_size)) return frame_error::too_short;
  return static_cast<std::size_t>(length) > ceiling ? frame_error::too_long : frame_error::none;
}

}  // namespace

const char* name_of(frame_error error) noexcept {
  switch (error) {
    case frame_error::none:
      return "none";
    case frame_error::too_short:
      return "too_short";
    case frame_error::too_long:
      return "too_long";
    case frame_error::http_request:
      return "http_request";
    case frame_error::tls_hello:
      return "tls_hello";
  }
  return "unknown";
}

frame_error read_header(byte_view bytes, message_header& out, bool first, std::size_t ceiling) noexcept {
  if (bytes.size() < header_size) return frame_error::too_short;
  out.length = load_le<std::int32_t>(bytes.data());
  out.request_id = load_le<std::int32_t>(bytes.data() + 4);
  out.response_to = load_le<std::int32_t>(bytes.data() + 8);
  out.code = static_cast<opcode>(load_le<std::int32_t>(bytes.data() + 12));
  if (first) {
    if (looks_like_http(bytes)) return frame_error::http_request;
    if (looks_like_tls(bytes, out.code)) return frame_error::tls_hello;
  }
  return check_length(out.length, ceiling);
}

frame_error probe_prefix(byte_view bytes) noexcept {
  if (bytes.size() < 4) return frame_error::none;
  if (looks_like_http(bytes)) return frame_error::http_request;
  return check_length(load_le<std::int32_t>(bytes.data()), max_message_size);
}

void write_header(std::uint8_t* at, const message_header& header) noexcept {
  store_le(at, header.length);
  store_le(at + 4, header.request_id);
  store_le(at + 8, header.response_to);
  store_le(at + 12, static_cast<std::int32_t>(header.code));
}

}  // namespace mongocached::protocol
