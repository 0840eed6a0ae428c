#include "daemon/json_text.hpp"

#include <array>
#include <cstdint>
#include <cstdio>

#include "protocol/utf8.hpp"

namespace mongocached::daemon {
namespace {

void append_escape(std::string& out, char32_t code) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "\\u%04x", static_cast<unsigned>(code));
  out += text.data();
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto next = protocol::decode_utf8(text);
    if (next.size == 0) {
      out += "\xef\xbf\xbd";
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
