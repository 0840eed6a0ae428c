#include "protocol/op_msg.hpp"

namespace mongocached::protocol {
namespace {

constexpr std::size_t flags_size = 4;
constexpr std::size_t checksum_size = 4;
constexpr std::uint32_t known_required_flags = op_msg_flags::checksum_present | op_msg_flags::more_to_come;

// Reads a kind-1 section at the front of `bytes` (its kind byte already taken) and returns its size, or 0 if it does
// not fit.
//   int32 size (itself included) | name | NUL | document*
std::size_t read_sequence(byte_view bytes, document_sequence& out) noexcept {
  if (bytes.size() < 4) return 0;
  const auto length = load_le<std::int32_t>(bytes.data());
  if (length < 5 || static_cast<std::size_t>(length) > bytes.size()) return 0;
  const auto size = static_cast<std::size_t>(length);
  const auto text = as_text(bytes.subspan(4, size - 4));
  const auto nul = text.find('\0');
  if (nul == std::string_view::npos) return 0;
  out.name = text.substr(0, nul);
  out.documents = bytes.subspan(4 + nul + 1, size - 4 - nul - 1);
  out.count = 0;
  for (auto rest = out.documents; !rest.empty(); ++out.count) {
    const auto document = bson_view::parse_front(rest);
    if (!document) return 0;
    rest = rest.subspan(document->size());
  }
  return size;
}

op_msg_error add_sequence(byte_view& sections, op_msg& out) noexcept {
  if (out.sequence_count == op_msg::max_sequences) return op_msg_error::too_many_sequences;
  auto& sequence = out.sequences[out.sequence_count];
  const auto size = read_sequence(sections, sequence);
  if (size == 0) return op_msg_error::bad_sequence;
  // Two sequences of one name would leave it open which of them counts; the server refuses them too.
  for (std::size_t i = 0; i < out.sequence_count; ++i) {
    if (out.sequences[i].name == sequence.name) return op_msg_error::bad_sequence;
  }
  ++out.sequence_count;
  sections = sections.subspan(size);
  return op_msg_error::none;
}

op_msg_error parse_sections(byte_view sections, op_msg& out) noexcept {
  bool has_body = false;
  while (!sections.empty()) {
    const auto kind = sections[0];
    sections = sections.subspan(1);
    if (kind == 0) {
      if (has_body) return op_msg_error::two_bodies;
      const auto body = bson_view::parse_front(sections);
      if (!body) return op_msg_error::bad_body;
      has_body = true;
      out.body = *body;
      sections = sections.subspan(body->size());
    } else if (kind == 1) {
      if (const auto error = add_sequence(sections, out); error != op_msg_error::none) return error;
    } else {
      return op_msg_error::bad_section_kind;
    }
  }
  return has_body ? op_msg_error::none : op_msg_error::no_body;
}

}  // namespace

const char* name_of(op_msg_error error) noexcept {
  switch (error) {
    case op_msg_error::none:
      return "none";
    case op_msg_error::truncated:
      return "truncated";
    case op_msg_error::unknown_flag:
      return "unknown_flag";
    case op_msg_error::bad_checksum:
      return "bad_checksum";
    case op_msg_error::no_body:
      return "no_body";
    case op_msg_error::two_bodies:
      return "two_bodies";
    case op_msg_error::bad_body:
      return "bad_body";
    case op_msg_error::bad_section_kind:
      return "bad_section_kind";
    case op_msg_error::bad_sequence:
      return "bad_sequence";
    case op_msg_error::too_many_sequences:
      return "too_many_sequences";
  }
  return "unknown";
}

op_msg_error parse_op_msg(byte_view message, op_msg& out) noexcept {
  out = {};
  if (message.size() < header_size + flags_size) return op_msg_error::truncated;
  const auto length = load_le<std::int32_t>(message.data());
  if (length < 0 || static_cast<std::size_t>(length) != message.size()) return op_msg_error::truncated;
  out.flags = load_le<std::uint32_t>(message.data() + header_size);
  if ((out.flags & op_msg_flags::required_mask & ~known_required_flags) != 0) return op_msg_error::unknown_flag;
  auto sections = message.subspan(header_size + flags_size);
  if (out.has(op_msg_flags::checksum_present)) {
    if (sections.size() < checksum_size) return op_msg_error::truncated;
    const auto covered = message.first(message.size() - checksum_size);
    if (crc32c(covered) != load_le<std::uint32_t>(covered.data() + covered.size())) return op_msg_error::bad_checksum;
    sections = sections.first(sections.size() - checksum_size);
  }
  return parse_sections(sections, out);
}

}  // namespace mongocached::protocol
