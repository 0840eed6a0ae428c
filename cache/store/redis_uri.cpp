#include "cache/store/redis_uri.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <stdexcept>

namespace mongocached::cache {
namespace {

[[noreturn]] void refuse(const char* what) {
  throw std::invalid_argument(what);
}

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    if (text.size() - i < 3) refuse("a % in user or password is not followed by two hex digits");
    const auto high = hex_digit(text[i + 1]);
    const auto low = hex_digit(text[i + 2]);
    if (!high || !low) refuse("a % in user or password is not followed by two hex digits");
    out.push_back(static_cast<char>(*high * 16 + *low));
    i += 2;
  }
  return out;
}

unsigned number(std::string_view text, unsigned ceiling, const char* message) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value > ceiling) refuse(message);
  return value;
}

void parse_login(std::string_view login, redis_uri& out) {
  const auto colon = login.find(':');
  if (colon == std::string_view::npos) refuse("a login needs both user and password: user:password@ or :password@");
  out.user = percent_decode(login.substr(0, colon));
  out.password = percent_decode(login.substr(colon + 1));
  if (out.password.empty()) refuse("the password before @ is empty");
}

void parse_address(std::string_view text, redis_uri& out) {
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) refuse("the [ of an IPv6 address is not closed");
    out.host = text.substr(1, close - 1);
    const auto rest = text.substr(close + 1);
    has_port = rest.starts_with(':');
    if (!rest.empty() && !has_port) refuse("only :port may follow the ] of an IPv6 address");
    if (has_port) port = rest.substr(1);
  } else {
    const auto colon = text.find(':');
    has_port = colon != std::string_view::npos;
    out.host = text.substr(0, colon);
    if (has_port) port = text.substr(colon + 1);
    if (port.find(':') != std::string_view::npos) refuse("an IPv6 address must stand in [ ]");
  }
  if (out.host.empty()) refuse("the host is missing");
  const auto odd = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; };
  if (std::any_of(out.host.begin(), out.host.end(), odd)) refuse("the host has a blank in it");
  if (has_port) out.port = static_cast<std::uint16_t>(number(port, 65535, "the port must be a number from 1 to 65535"));
  if (out.port == 0) refuse("the port must be a number from 1 to 65535");
}

}  // namespace

std::string redis_uri::address() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

redis_uri parse_redis_uri(std::string_view text) {
  redis_uri out;
  if (text.starts_with("redis://")) {
    text.remove_prefix(8);
  } else if (text.starts_with("rediss://")) {
    text.remove_prefix(9);
    out.tls = true;
  } else {
    refuse("it must start with redis:// or rediss://");
  }
  if (text.find_first_of("?#") != std::string_view::npos)
    refuse("it takes no ? or # part (write %3F, %23 in a password)");
  // An @ or / that someone forgot to encode in a password must not end up in an error message as a host: the last @
  // counts.
  const auto at = text.rfind('@');
  if (at != std::string_view::npos) {
    parse_login(text.substr(0, at), out);
    text.remove_prefix(at + 1);
  }
  const auto slash = text.find('/');
  if (slash != std::string_view::npos) {
    const auto database = text.substr(slash + 1);
    if (!database.empty()) out.database = number(database, 1'000'000, "the database behind / must be a number");
    text = text.substr(0, slash);
  }
  parse_address(text, out);
  return out;
}

}  // namespace mongocached::cache
