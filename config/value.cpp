#include "config/value.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace mongocached::config {
namespace {

struct unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array duration_units{
    unit{"ns", 1},
    unit{"us", 1'000},
    unit{"ms", 1'000'000},
    unit{"s", 1'000'000'000},
    unit{"m", 60'000'000'000},
    unit{"h", 3'600'000'000'000},
    unit{"d", 86'400'000'000'000},
};

constexpr std::array size_units{
    unit{"B", 1},
    unit{"KB", 1'000},
    unit{"MB", 1'000'000},
    unit{"GB", 1'000'000'000},
    unit{"TB", 1'000'000'000'000},
    unit{"KiB", 1ULL << 10},
    unit{"MiB", 1ULL << 20},
    unit{"GiB", 1ULL << 30},
    unit{"TiB", 1ULL << 40},
};

parsed_value fault(std::string why) {
  return {std::nullopt, std::move(why)};
}
parsed_value ok(value v) {
  return {std::move(v), {}};
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

enum class number_fault { none, not_a_number, too_big };

number_fault whole_number(std::string_view text, std::uint64_t& out) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return number_fault::not_a_number;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error == std::errc::result_out_of_range) return number_fault::too_big;
  return error == std::errc{} && end == text.data() + text.size() ? number_fault::none : number_fault::not_a_number;
}

parsed_value in_range(const value_spec& spec, std::uint64_t number) {
  if (number < spec.least) return fault("is too small");
  if (number > spec.most) return fault("is too big");
  if (spec.kind == value_kind::time) return ok(duration{static_cast<std::int64_t>(number)});
  return ok(number);
}

// A whole number and a unit; "0" needs none.
parsed_value with_unit(const value_spec& spec, std::string_view text, std::span<const unit> units) {
  const auto digits = std::find_if_not(text.begin(), text.end(), is_digit) - text.begin();
  const auto number_text = text.substr(0, digits);
  auto unit_text = text.substr(digits);
  if (unit_text.starts_with(' ')) unit_text.remove_prefix(1);
  std::uint64_t number = 0;
  switch (whole_number(number_text, number)) {
    case number_fault::none:
      break;
    case number_fault::not_a_number:
      return fault("does not start with a whole number");
    case number_fault::too_big:
      return fault("is too big");
  }
  if (unit_text.empty()) return number == 0 ? in_range(spec, 0) : fault("has no unit");
  const auto* found =
      std::find_if(units.data(), units.data() + units.size(), [&](const unit& u) { return u.name == unit_text; });
  if (found == units.data() + units.size()) return fault("has an unknown unit");
  if (number > std::numeric_limits<std::int64_t>::max() / found->factor) return fault("is too big");
  return in_range(spec, number * found->factor);
}

parsed_value parse_share(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return fault("is not a decimal number");
  if (!(number >= 0 && number <= 1)) return fault("is out of range");
  return ok(std::abs(number));  // -0 prints badly
}

bool is_host(std::string_view host, bool bracketed) {
  return !host.empty() && host.size() <= 255 && std::all_of(host.begin(), host.end(), [&](char c) {
    return is_alnum(c) || c == '.' || c == '-' || c == '_' || (bracketed && (c == ':' || c == '%'));
  });
}

parsed_value parse_endpoint(std::string_view text, bool any_port) {
  endpoint out;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos || !text.substr(close + 1).starts_with(':')) {
      return fault("lacks the port behind the brackets");
    }
    out.host = text.substr(1, close - 1);
    port = text.substr(close + 2);
    if (!is_host(out.host, true)) return fault("has a bad host");
  } else {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return fault("lacks a port");
    out.host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (out.host.find(':') != std::string::npos) return fault("has an IPv6 host without brackets");
    if (!is_host(out.host, false)) return fault("has a bad host");
  }
  std::uint64_t number = 0;
  if (whole_number(port, number) != number_fault::none || number > 65535) return fault("has a bad port");
  if (number == 0 && !any_port) return fault("has port 0");
  out.port = static_cast<std::uint16_t>(number);
  return ok(std::move(out));
}

parsed_value parse_uri(std::string_view text, std::span<const std::string_view> schemes) {
  for (const auto scheme : schemes) {
    if (!text.starts_with(scheme)) continue;
    if (text.find_first_of(" \t") != std::string_view::npos) return fault("holds a space");
    const auto at = text.rfind('@');
    const auto hosts = text.substr(at == std::string_view::npos ? scheme.size() : at + 1);
    if (hosts.empty() || hosts.front() == '/' || hosts.front() == '?') return fault("names no host");
    return ok(std::string{text});
  }
  return fault(text.empty() ? "is empty" : "has another scheme");
}

// What MongoDB allows in names, less what is never cached: a rule for those would promise what cannot be kept.
parsed_value parse_pattern(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == text.size()) return fault("is not \"db.collection\"");
  const auto database = text.substr(0, dot);
  const auto collection = text.substr(dot + 1);
  if (text.size() > 255) return fault("is too long");
  if (database.find_first_of("/\\ \"$*") != std::string_view::npos || database.size() > 63) {
    return fault("has a bad database name");
  }
  if (text.substr(0, text.size() - 1).find('*') != std::string_view::npos) return fault("has a '*' before its end");
  if (database == "admin" || database == "local" || database == "config" || collection.starts_with("system.")) {
    return fault("is never cached");
  }
  return ok(std::string{text});
}

constexpr std::array<std::string_view, 2> upstream_schemes{"mongodb://", "mongodb+srv://"};
constexpr std::array<std::string_view, 2> redis_schemes{"redis://", "rediss://"};

// Larger than sun_path less its final NUL: the kernel would refuse or cut it.
constexpr std::size_t socket_path_limit = 107;

parsed_value parse_text(const value_spec& spec, std::string_view text) {
  switch (spec.kind) {
    case value_kind::boolean:
      if (text == "true") return ok(true);
      if (text == "false") return ok(false);
      return fault("is neither");
    case value_kind::integer: {
      std::uint64_t number = 0;
      switch (whole_number(text, number)) {
        case number_fault::none:
          return in_range(spec, number);
        case number_fault::not_a_number:
          return fault("is not a whole number");
        case number_fault::too_big:
          return fault("is too big");
      }
      return fault("is not a whole number");
    }
    case value_kind::time:
      return with_unit(spec, text, duration_units);
    case value_kind::size:
      return with_unit(spec, text, size_units);
    case value_kind::share:
      return parse_share(text);
    case value_kind::choice:
      for (std::size_t i = 0; i < spec.choices.size(); ++i) {
        if (spec.choices[i] == text) return ok(std::uint64_t{i});
      }
      return fault("is not known");
    case value_kind::word:
      if (text.empty()) return fault("is empty");
      if (text.size() > spec.most) return fault("is too long");
      if (!std::all_of(text.begin(), text.end(),
                       [](char c) { return is_alnum(c) || c == '.' || c == '_' || c == ':' || c == '-'; })) {
        return fault("holds another character");
      }
      return ok(std::string{text});
    case value_kind::socket_path:
      if (!text.empty() && text.front() != '/') return fault("is not absolute");
      if (text.size() > socket_path_limit) return fault("is too long");
      return ok(std::string{text});
    case value_kind::listen_endpoint:
      return parse_endpoint(text, true);
    case value_kind::listen_endpoint_or_none:
    case value_kind::public_endpoint_or_none:
      if (text == "none") return ok(std::monostate{});
      return parse_endpoint(text, spec.kind == value_kind::listen_endpoint_or_none);
    case value_kind::upstream_uri:
      return parse_uri(text, upstream_schemes);
    case value_kind::redis_uri:
      if (text == "none") return ok(std::monostate{});
      return parse_uri(text, redis_schemes);
    case value_kind::pattern:
      return parse_pattern(text);
    case value_kind::token:
      if (!std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; })) {
        return fault("holds another character");
      }
      return ok(std::string{text});
    case value_kind::text:
      if (text.size() < spec.least) return fault("is empty");
      if (text.size() > spec.most) return fault("is too long");
      return ok(std::string{text});
    case value_kind::secret:
      if (text.size() < spec.least) return fault("is empty");
      return ok(std::string{text});
    case value_kind::path:
      return ok(std::string{text});
  }
  return fault("cannot be read");
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// Numbers of TOML. A bare 0 is also "no time" and "no bytes"; any other duration or size has a unit, so it is a string.
parsed_value parse_integer(const value_spec& spec, std::int64_t number) {
  const bool zero = number == 0;
  if (spec.kind == value_kind::share && (zero || number == 1)) return ok(static_cast<double>(number));
  if (spec.kind == value_kind::share) return fault("is out of range");
  if (spec.kind == value_kind::integer && number < 0) return fault("is too small");
  if (spec.kind == value_kind::integer) return in_range(spec, static_cast<std::uint64_t>(number));
  if (spec.kind == value_kind::time || spec.kind == value_kind::size) {
    return zero ? in_range(spec, 0) : fault("has no unit");
  }
  return fault("is a number");
}

}  // namespace

parsed_value parse(const value_spec& spec, const raw_value& raw) {
  using type = raw_value::type;
  const bool text_kind =
      spec.kind != value_kind::boolean && spec.kind != value_kind::integer && spec.kind != value_kind::share;
  switch (raw.written_as) {
    case type::string:
      if (!text_kind) return fault("is a string, not to be put in quotes");
      [[fallthrough]];
    case type::untyped:
      if (!is_utf8(raw.text)) return fault("is not UTF-8");
      if (has_control(raw.text)) return fault("holds a control character");
      return parse_text(spec, raw.text);
    case type::integer:
      return parse_integer(spec, raw.integer);
    case type::number:
      if (spec.kind != value_kind::share) return fault("is a number with a fraction");
      if (!(raw.number >= 0 && raw.number <= 1)) return fault("is out of range");
      return ok(std::abs(raw.number));
    case type::boolean:
      if (spec.kind == value_kind::boolean) return ok(raw.boolean);
      return fault("is a boolean");
    case type::other:
      return fault("is " + std::string{raw.other_type});
  }
  return fault("cannot be read");
}

bool is_secret(value_kind kind) noexcept {
  return kind == value_kind::secret || kind == value_kind::token;
}

}  // namespace mongocached::config
