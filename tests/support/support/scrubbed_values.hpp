// A document with the same names, types and sizes, and other values: whatever does not depend on values sees no
// difference.
#pragma once

#include "protocol/bson_view.hpp"

namespace mongocached::test_support {

inline void scrub(protocol::bson_view within, std::uint8_t* base, const std::uint8_t* begin, int depth) {
  using protocol::bson_type;
  protocol::bson_element e;
  for (protocol::bson_cursor cursor(within); cursor.next(e);) {
    auto* const at = base + (e.value.data() - begin);
    const auto size = e.value.size();
    switch (e.type) {
      case bson_type::document:
      case bson_type::array:
        if (const auto inner = e.document(); inner && depth > 0) scrub(*inner, base, begin, depth - 1);
        break;
      case bson_type::string:
      case bson_type::code:
      case bson_type::symbol:
        for (std::size_t i = 4; i + 1 < size; ++i) at[i] = at[i] == 'j' ? 'k' : 'j';
        break;
      case bson_type::binary:
        for (std::size_t i = 5; i < size; ++i) at[i] ^= 0x5a;
        break;
      case bson_type::regex:
        for (std::size_t i = 0; i < size; ++i) {
          if (at[i] != 0) at[i] = 'j';
        }
        break;
      case bson_type::boolean:
        at[0] ^= 1;
        break;
      case bson_type::db_pointer:
      case bson_type::code_with_scope:
        break;
      default:
        for (std::size_t i = 0; i < size; ++i) at[i] ^= 0x5a;
    }
  }
}

// The first element (a command's name and what it is about) and `$db` stay.
inline protocol::byte_buffer with_other_values(protocol::byte_view command) {
  protocol::byte_buffer out(command.begin(), command.end());
  const auto body = protocol::bson_view::parse(command);
  protocol::bson_element e;
  bool first = true;
  for (protocol::bson_cursor cursor(body.value_or(protocol::bson_view())); cursor.next(e);) {
    if (!first && e.name != "$db" && (e.is(protocol::bson_type::document) || e.is(protocol::bson_type::array))) {
      if (const auto inner = e.document()) scrub(*inner, out.data(), command.data(), protocol::max_depth);
    } else if (!first && e.is(protocol::bson_type::string) && e.name != "$db") {
      for (std::size_t i = 4; i + 1 < e.value.size(); ++i)
        out[static_cast<std::size_t>(e.value.data() - command.data()) + i] = 'j';
    }
    first = false;
  }
  return out;
}

}  // namespace mongocached::test_support
