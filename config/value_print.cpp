// The printing half of value.hpp.
#include <array>
#include <charconv>
#include <string>

#include "config/value.hpp"

namespace mongocached::config {
namespace {

std::string list(std::span<const std::string_view> choices) {
  std::string out;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (i > 0) out += i + 1 == choices.size() ? " or " : ", ";
    out += in_quotes(choices[i]);
  }
  return out;
}

struct unit {
  const char* name;
  std::uint64_t factor;
};

template <std::size_t N>
std::string largest(std::uint64_t number, const std::array<unit, N>& units) {
  for (const auto& u : units) {
    if (number % u.factor == 0) return std::to_string(number / u.factor) + u.name;
  }
  return std::to_string(number);
}

std::string print_share(double share) {
  std::array<char, 400> buffer{};  // the smallest double has 326
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), share, std::chars_format::fixed);
  return {buffer.data(), end.ptr};
}

// The length of the UTF-8 character that `text` starts with; 0: it is none (RFC 3629: no overlong forms, no
// surrogates).
std::size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const auto first = byte(0);
  if (text.empty()) return 0;
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return tail(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool overlong = first == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = first == 0xed && byte(1) > 0x9f;
    return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool overlong = first == 0xf0 && byte(1) < 0x90;
    const bool beyond = first == 0xf4 && byte(1) > 0x8f;
    return tail(1) && tail(2) && tail(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string in_quotes(std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string out = "\"";
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text.front());
    const auto length = utf8_length(text);
    if (length == 0 || c < 0x20 || c == 0x7f) {
      out += "\\u00";  // a byte that is no UTF-8 is shown as the code point of its value
      out += hex[c >> 4U];
      out += hex[c & 15U];
      text.remove_prefix(1);
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += text.substr(0, length);
    text.remove_prefix(length);
  }
  return out + '"';
}

std::string in_quotes_short(std::string_view text) {
  constexpr std::size_t limit = 120;
  if (text.size() <= limit) return in_quotes(text);
  auto end = limit;
  while (end > limit - 4 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
  return in_quotes(text.substr(0, end)) + "...";
}

std::string print_duration(duration time) {
  static constexpr std::array units{unit{"d", 86'400'000'000'000},
                                    unit{"h", 3'600'000'000'000},
                                    unit{"m", 60'000'000'000},
                                    unit{"s", 1'000'000'000},
                                    unit{"ms", 1'000'000},
                                    unit{"us", 1'000},
                                    unit{"ns", 1}};
  if (time.count() <= 0) return "0s";
  return largest(static_cast<std::uint64_t>(time.count()), units);
}

std::string print_size(std::uint64_t bytes) {
  static constexpr std::array units{unit{"TiB", 1ULL << 40},       unit{"GiB", 1ULL << 30},   unit{"MiB", 1ULL << 20},
                                    unit{"TB", 1'000'000'000'000}, unit{"GB", 1'000'000'000}, unit{"MB", 1'000'000},
                                    unit{"KiB", 1ULL << 10},       unit{"KB", 1'000},         unit{"B", 1}};
  return bytes == 0 ? "0" : largest(bytes, units);
}

std::string allowed(const value_spec& spec) {
  const auto span = [&](auto print) { return " from " + print(spec.least) + " to " + print(spec.most); };
  const auto nanoseconds = [](std::uint64_t n) { return print_duration(duration{static_cast<std::int64_t>(n)}); };
  switch (spec.kind) {
    case value_kind::boolean:
      return "true or false";
    case value_kind::integer:
      return "a whole number" + span([](std::uint64_t n) { return std::to_string(n); });
    case value_kind::time:
      return "a duration" + span(nanoseconds) + ", such as \"5s\" (ns, us, ms, s, m, h, d)";
    case value_kind::size:
      if (spec.least == spec.most) return in_quotes(print_size(spec.least));
      return "a size" + span(print_size) + ", such as \"64MiB\" (B, KB, MB, GB, TB, KiB, MiB, GiB, TiB)";
    case value_kind::share:
      return "a number from 0 to 1";
    case value_kind::choice:
      return list(spec.choices);
    case value_kind::text: {
      const auto most = " of at most " + std::to_string(spec.most) + " bytes";
      return spec.least == 0 ? "a text" + most : "a text, not empty," + most;
    }
    case value_kind::word:
      return "1 to " + std::to_string(spec.most) + " letters, digits, '.', '_', ':' and '-'";
    case value_kind::path:
      return "a file, or \"\" for none";
    case value_kind::socket_path:
      return "an absolute path of at most 107 bytes, or \"\" for none";
    case value_kind::listen_endpoint:
      return "\"HOST:PORT\" (an IPv6 host in brackets; port 0: any free port)";
    case value_kind::listen_endpoint_or_none:
      return "\"HOST:PORT\" (an IPv6 host in brackets; port 0: any free port) or \"none\"";
    case value_kind::public_endpoint_or_none:
      return "\"HOST:PORT\" (an IPv6 host in brackets) or \"none\"";
    case value_kind::upstream_uri:
      return "\"mongodb://...\" or \"mongodb+srv://...\"";
    case value_kind::redis_uri:
      return "\"redis://...\", \"rediss://...\" or \"none\"";
    case value_kind::pattern:
      return "\"db.collection\", where a '*' may end the collection (not admin, local, config or system.*)";
    case value_kind::secret:
      return spec.least > 0 ? "a text in UTF-8 without control characters, not empty"
                            : "a text in UTF-8 without control characters, or \"\" for none";
    case value_kind::token:
      return "printable ASCII without spaces, or \"\" for none";
  }
  return {};
}

std::string to_plain(const value_spec& spec, const value& v) {
  if (std::holds_alternative<std::monostate>(v)) return "none";
  if (const auto* flag = std::get_if<bool>(&v)) return *flag ? "true" : "false";
  if (const auto* time = std::get_if<duration>(&v)) return print_duration(*time);
  if (const auto* share = std::get_if<double>(&v)) return print_share(*share);
  if (const auto* address = std::get_if<endpoint>(&v)) return to_string(*address);
  if (const auto* number = std::get_if<std::uint64_t>(&v)) {
    if (spec.kind == value_kind::size) return print_size(*number);
    if (spec.kind == value_kind::choice) return *number < spec.choices.size() ? std::string{spec.choices[*number]} : "";
    return std::to_string(*number);
  }
  const auto& text = std::get<std::string>(v);
  if (is_secret(spec.kind)) return secret{text}.masked();
  if (spec.kind == value_kind::upstream_uri || spec.kind == value_kind::redis_uri) return mask_uri(text);
  return mask_text(text);  // a URI may have been put into any text
}

std::string to_toml(const value_spec& spec, const value& v) {
  const auto plain = to_plain(spec, v);
  const bool bare =
      spec.kind == value_kind::boolean || spec.kind == value_kind::integer || spec.kind == value_kind::share;
  return bare ? plain : in_quotes(plain);
}

}  // namespace mongocached::config
