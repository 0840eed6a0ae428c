// One value of a key: what kinds there are, how text becomes one, how one is printed. Internal to config/.
//
// A kind with its limits is a `value_spec`; the table in keys.cpp gives every key one. parse() never throws and never
// repeats the text it was given: secrets pass through it, and the caller decides what may be shown.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "config/settings.hpp"

namespace mongocached::config {

enum class value_kind {
  boolean,
  integer,
  time,
  size,
  share,
  choice,
  text,         // printable, may be empty
  word,         // letters, digits and ._:- , not empty
  path,         // empty: none
  socket_path,  // absolute and short enough for the kernel; empty: none
  listen_endpoint,
  listen_endpoint_or_none,
  public_endpoint_or_none,  // a port other than 0
  upstream_uri,
  redis_uri,  // or "none"
  pattern,    // of namespaces that may be cached
  secret,     // empty: none
  token,      // a secret that fits into an HTTP header; empty: none
};

struct value_spec {
  value_kind kind = value_kind::text;
  std::uint64_t least = 0;  // of an integer, of bytes, of nanoseconds
  std::uint64_t most = 0;
  std::span<const std::string_view> choices{};
};

// How the value was written. The command line and the environment know only text; a TOML file has types.
struct raw_value {
  enum class type { untyped, string, integer, number, boolean, other };
  type written_as = type::untyped;
  std::string text;               // untyped and string: the text itself; else only for messages
  std::int64_t integer = 0;       // type integer
  double number = 0;              // type number
  bool boolean = false;           // type boolean
  std::string_view other_type{};  // type other: "an array"
};

// none: nullopt of an optional setting. uint64: integers, sizes, choices (by position).
using value = std::variant<std::monostate, bool, std::uint64_t, duration, double, std::string, endpoint>;

struct parsed_value {
  std::optional<value> result;
  std::string why;  // no result: what is wrong, without the text itself
};

[[nodiscard]] parsed_value parse(const value_spec& spec, const raw_value& raw);

// What may be written, for messages and the reference: "a whole number from 0 to 1024".
[[nodiscard]] std::string allowed(const value_spec& spec);

// As TOML, passwords masked. parse() of what an unmasked value prints gives the value again.
[[nodiscard]] std::string to_toml(const value_spec& spec, const value& v);

// As plain text, passwords masked.
[[nodiscard]] std::string to_plain(const value_spec& spec, const value& v);

[[nodiscard]] bool is_secret(value_kind kind) noexcept;

[[nodiscard]] std::string print_duration(duration time);    // "5m", "90s", "0s": the largest unit that divides it
[[nodiscard]] std::string print_size(std::uint64_t bytes);  // "256MiB", "1GB", "0"

// `text` in double quotes, for a message or a TOML file: control characters and bytes that are no UTF-8 escaped.
[[nodiscard]] std::string in_quotes(std::string_view text);

// The same for a message: no longer than a line can bear.
[[nodiscard]] std::string in_quotes_short(std::string_view text);

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

}  // namespace mongocached::config
