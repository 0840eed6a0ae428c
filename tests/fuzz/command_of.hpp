// The fuzzer's bytes as a command: framed as they stand, the length and the flag of a checksum put right, so that what
// is tried is what lies behind the framing.
#pragma once

#include <cstdint>
#include <memory>

#include "protocol/command_view.hpp"
#include "support/message_builders.hpp"

namespace mongocached::fuzz {

struct framed_command {
  explicit framed_command(const protocol::byte_buffer& bytes) : copy(bytes) {}
  test_support::exact_copy copy;
  protocol::command_view command;
};

// Null where they make none.
inline std::unique_ptr<framed_command> command_of(const std::uint8_t* data, std::size_t size) {
  if (size < protocol::header_size + 5) return nullptr;
  protocol::byte_buffer bytes(data, data + size);
  test_support::fix_length(bytes);
  bytes[protocol::header_size] &= static_cast<std::uint8_t>(~protocol::op_msg_flags::checksum_present);
  auto out = std::make_unique<framed_command>(bytes);
  protocol::op_msg message;
  if (parse_op_msg(out->copy.view(), message) != protocol::op_msg_error::none) return nullptr;
  if (view_command(message, 1, out->command) != protocol::command_error::none) return nullptr;
  return out;
}

}  // namespace mongocached::fuzz
