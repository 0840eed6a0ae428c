// OP_MSG: flag bits, one kind-0 section (the command or reply), any number of kind-1 document sequences, a checksum if
// announced. Source: "OP_MSG" specification; wire rule F1: exactly one kind-0 section, unknown required flag bits
// refused, checksum verified, kind-1 sequences bounded.
#pragma once

#include <array>

#include "protocol/bson_view.hpp"
#include "protocol/message.hpp"

namespace mongocached::protocol {

namespace op_msg_flags {
inline constexpr std::uint32_t checksum_present = 1U << 0;
inline constexpr std::uint32_t more_to_come = 1U << 1;
inline constexpr std::uint32_t exhaust_allowed = 1U << 16;
inline constexpr std::uint32_t required_mask = 0xffff;  // an unknown bit here must be refused
}  // namespace op_msg_flags

enum class op_msg_error {
  none,
  truncated,     // the message ends inside a part
  unknown_flag,  // a required flag bit that is not known
  bad_checksum,
  no_body,     // no kind-0 section
  two_bodies,  // more than one kind-0 section
  bad_body,    // the kind-0 section is no BSON document frame
  bad_section_kind,
  bad_sequence,        // a kind-1 section whose size, name or documents do not fit, or a second one of the same name
  too_many_sequences,  // more than max_sequences
};

[[nodiscard]] const char* name_of(op_msg_error error) noexcept;

// A kind-1 section. `documents` is the run of documents, each checked to be a document frame.
struct document_sequence {
  std::string_view name;
  byte_view documents;
  std::size_t count = 0;
};

struct op_msg {
  // bulkWrite has two (ops, nsInfo), every other command at most one.
  static constexpr std::size_t max_sequences = 4;

  std::uint32_t flags = 0;
  bson_view body;
  std::array<document_sequence, max_sequences> sequences{};
  std::size_t sequence_count = 0;

  [[nodiscard]] bool has(std::uint32_t flag) const noexcept { return (flags & flag) != 0; }
};

// `message` is the whole message, its 16-byte header included (the checksum covers it); its length field must be its
// size. That the opcode is OP_MSG is the caller's to know. The body's elements are not checked here. Views into
// `message`. No allocation.
[[nodiscard]] op_msg_error parse_op_msg(byte_view message, op_msg& out) noexcept;

// CRC-32C (Castagnoli) as OP_MSG uses it; hardware instruction where the processor has it.
[[nodiscard]] std::uint32_t crc32c(byte_view bytes) noexcept;
// The same without the instruction, for processors that lack it and for tests.
[[nodiscard]] std::uint32_t crc32c_portable(byte_view bytes) noexcept;

}  // namespace mongocached::protocol
