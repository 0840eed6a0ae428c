// Text made safe for the places where a peer's bytes may end up: a JSON string, one line of a log, a BSON string.
#pragma once

#include <string>
#include <string_view>

namespace mongocached::daemon {

// `text` as a JSON string with its quotes, appended. Control characters (also those of Unicode that break lines or turn
// text round) are escaped; bytes that are no UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

[[nodiscard]] inline std::string json_quote(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

// The text with U+FFFD in place of bytes that are no UTF-8; control characters stay.
[[nodiscard]] std::string valid_utf8(std::string_view text);

}  // namespace mongocached::daemon
