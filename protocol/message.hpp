// Frames: where one wire message ends and the next begins, and what its 16-byte header says.
// Source: the MongoDB wire protocol; wire rule F1 (floor 16, ceiling 48 000 000, any segmentation).
#pragma once

#include <optional>

#include "protocol/bytes.hpp"

namespace mongocached::protocol {

inline constexpr std::size_t header_size = 16;
inline constexpr std::size_t max_message_size = 48'000'000;

enum class opcode : std::int32_t {
  reply = 1,
  query = 2004,
  compressed = 2012,
  msg = 2013,
};

struct message_header {
  std::int32_t length = 0;  // of the whole message, this header included
  std::int32_t request_id = 0;
  std::int32_t response_to = 0;
  opcode code{};  // any int32: a peer may send what the enum does not name
};

// Why bytes are no message. Each closes the connection (wire rules F1, F2) and is counted under its own name.
enum class frame_error {
  none,
  too_short,     // length below the floor of 16
  too_long,      // length above the ceiling
  http_request,  // "GET ", "POST", ...: somebody points a browser at the port
  tls_hello,     // a TLS client hello on a plain port
};

[[nodiscard]] const char* name_of(frame_error error) noexcept;

// Reads the header at the front of `bytes` (at least header_size of them) and checks its length. `first` says that
// these are the first bytes of a connection, where http_request and tls_hello are recognised.
[[nodiscard]] frame_error read_header(byte_view bytes, message_header& out, bool first = false,
                                      std::size_t ceiling = max_message_size) noexcept;
// The same on fewer than header_size bytes: whether what is there can still become a message.
[[nodiscard]] frame_error probe_prefix(byte_view bytes) noexcept;

void write_header(std::uint8_t* at, const message_header& header) noexcept;

}  // namespace mongocached::protocol
