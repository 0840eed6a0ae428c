#include "daemon/json_text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

#include "protocol/utf8.hpp"

namespace mongocached::daemon {
namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";  // U+FFFD

void append_escape(std::string& out, char32_t code) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "\\u%04x", static_cast<unsigned>(code));
  out += text.data();
}

}  // namespace

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto size = protocol::decode_utf8(text).size;
    out += size == 0 ? replacement : text.substr(0, size);
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto next = protocol::decode_utf8(text);
    if (next.size == 0) {
      out += replacement;
      text.remove_prefix(1);
      continue;
    }
    switch (next.code) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (protocol::is_control(next.code)) {
          append_escape(out, next.code);
        } else {
          out += text.substr(0, next.size);
        }
    }
    text.remove_prefix(next.size);
  }
  out += '"';
}

}  // namespace mongocached::daemon
