#include "config/secret.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <ostream>

namespace mongocached::config {
namespace {

constexpr std::string_view mask = "***";
constexpr auto npos = std::string_view::npos;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

std::string lower(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  return out;
}

// What stands before the '@'. A user name without a password may stay: it holds no ':' (nor an escaped one) and nothing
// that only a malformed URI would have there. For Redis a lone word is a password as often as a user name.
std::string mask_user(std::string_view user, bool lone_word_is_secret) {
  const auto colon = user.find(':');
  if (colon != npos) {
    const auto name = user.substr(0, colon);
    const bool plain = name.find_first_of("/?#@ ") == npos;
    return (plain ? std::string{name} : std::string{mask}) + ":" + std::string{mask};
  }
  const bool plain = std::all_of(user.begin(), user.end(), [](char c) {
    return is_name(c) || c == '.' || c == '_' || c == '-' || c == '+' || c == '%' || c == '*' || c == '=' || c == '$';
  });
  if (plain && !lone_word_is_secret && lower(user).find("%3a") == npos) return std::string{user};
  return std::string{mask};
}

// One URI and nothing else, or a text around URIs. The text needs room for "mongodb://host:27017: refused".
enum class context { uri, text };

// Where a "user:password" begins whose host was forgotten, as against "host:port"; npos: nowhere. Only asked without an
// '@'.
std::size_t password_start(std::string_view hosts, context where) {
  std::size_t at = 0;
  while ((at = hosts.find(':', at)) != npos) {
    ++at;
    const bool bracketed = hosts.substr(0, at).rfind('[') != npos && hosts.find(']', at) != npos;
    if (bracketed) continue;
    auto end = at;
    while (end < hosts.size() && is_digit(hosts[end])) ++end;
    bool is_port = end > at && end - at <= 5;
    if (where == context::uri) {
      is_port = is_port && (end == hosts.size() || hosts[end] == ',');
    } else {
      is_port = is_port && (end == hosts.size() || (!is_name(hosts[end]) && hosts[end] != '%'));
      is_port = is_port || (end == at && (at == hosts.size() || hosts[at] == ' '));
    }
    if (!is_port) return at;
    at = end;
  }
  return npos;
}

bool is_secret_option(std::string_view name) {
  static constexpr std::array words{"pass", "pwd", "token", "secret", "mechanismproperties", "credential"};
  const auto low = lower(name);
  return std::any_of(words.begin(), words.end(), [&](const char* word) { return low.find(word) != npos; });
}

// "db?name=value&...": values of secret options masked.
std::string mask_options(std::string_view text) {
  std::string out;
  std::size_t start = 0;
  while (start <= text.size()) {
    const auto end = std::min(text.find_first_of("?&;", start), text.size());
    const auto part = text.substr(start, end - start);
    const auto equals = part.find('=');
    if (equals != npos && is_secret_option(part.substr(0, equals))) {
      out += std::string{part.substr(0, equals + 1)} + std::string{mask};
    } else {
      out += part;
    }
    if (end < text.size()) out += text[end];
    start = end + 1;
  }
  return out;
}

// `rest` is what follows "://".
std::string mask_rest(std::string_view scheme, std::string_view rest, context where) {
  std::string out;
  // The last '@', not the first: a password with an unescaped '@' or '/' must not show its tail.
  const auto at = rest.rfind('@');
  if (at != npos) {
    out = mask_user(rest.substr(0, at), lower(scheme).find("redis") != npos) + "@";
    rest.remove_prefix(at + 1);
  }
  const auto tail = std::min(rest.find_first_of("/?"), rest.size());
  const auto hosts = rest.substr(0, tail);
  const auto password = at == npos ? password_start(hosts, where) : npos;
  if (password != npos) return out + std::string{hosts.substr(0, password)} + std::string{mask};
  return out + std::string{hosts} + mask_options(rest.substr(tail));
}

std::size_t scheme_start(std::string_view text, std::size_t colon) {
  auto start = colon;
  while (start > 0 && (is_name(text[start - 1]) || text[start - 1] == '+')) --start;
  return start;
}

}  // namespace

std::string mask_text(std::string_view text) {
  auto colon = text.find("://");
  if (colon == npos) return std::string{text};
  std::string out{text.substr(0, scheme_start(text, colon))};
  while (colon != npos) {
    const auto start = scheme_start(text, colon);
    const auto rest = colon + 3;
    const auto next = text.find("://", rest);
    const auto end = next == npos ? text.size() : std::max(rest, scheme_start(text, next));
    const auto scheme = text.substr(start, colon - start);
    // A password may itself hold "://": if an '@' follows later, all up to the last one belongs to this URI.
    if (next != npos && text.substr(rest, end - rest).find('@') == npos && text.find('@', end) != npos) {
      return out + std::string{scheme} + "://" + mask_rest(scheme, text.substr(rest), context::text);
    }
    out += std::string{scheme} + "://" + mask_rest(scheme, text.substr(rest, end - rest), context::text);
    colon = next;
  }
  return out;
}

std::string mask_uri(std::string_view text) {
  const auto colon = text.find("://");
  if (colon != npos) {
    const auto start = scheme_start(text, colon);
    const auto scheme = text.substr(start, colon - start);
    const auto rest = mask_rest(scheme, text.substr(colon + 3), context::uri);
    return std::string{start == 0 ? "" : mask} + std::string{scheme} + "://" + rest;
  }
  const auto at = text.rfind('@');
  if (at != npos) return std::string{mask} + std::string{text.substr(at)};
  const auto password = password_start(text, context::uri);
  return password == npos ? std::string{text} : std::string{text.substr(0, password)} + std::string{mask};
}

std::ostream& operator<<(std::ostream& out, const secret& value) {
  return out << value.masked();
}
std::ostream& operator<<(std::ostream& out, const uri& value) {
  return out << value.masked();
}

}  // namespace mongocached::config
