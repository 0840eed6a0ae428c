// UTF-8 that a peer sent, one code point at a time, for text that people are shown.
#pragma once

#include <cstddef>
#include <string_view>

namespace mongocached::protocol {

struct code_point {
  char32_t code = 0;
  std::size_t size = 0;  // in bytes; 0: no UTF-8 here
};

// The first one of a text that is not empty, by the table of well-formed sequences (Unicode 15, table 3-7): no overlong
// forms, no surrogates.
[[nodiscard]] code_point decode_utf8(std::string_view text) noexcept;

// What a terminal or a log viewer may take for more than text: C0, DEL, C1, line and paragraph separators,
// bidirectional controls.
[[nodiscard]] bool is_control(char32_t code) noexcept;

}  // namespace mongocached::protocol
