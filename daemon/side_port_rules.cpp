#include "daemon/side_port_rules.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace mongocached::daemon {
namespace {

struct route {
  std::string_view path;
  side_path id;
  bool changes_state;
  bool harmless;  // answers everybody, everywhere
};

constexpr std::array routes{
    route{"/metrics", side_path::metrics, false, true},       route{"/healthz", side_path::healthz, false, true},
    route{"/readyz", side_path::readyz, false, true},         route{"/status", side_path::status, false, false},
    route{"/invalidate", side_path::invalidate, true, false}, route{"/flush", side_path::flush, true, false}};

constexpr std::size_t max_namespace = 255;  // bytes; the server's own limit for database and collection together

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

side_decision refuse(unsigned status, std::string why, const char* allow = nullptr) {
  side_decision out;
  out.status = status;
  out.error = std::move(why);
  out.allow = allow;
  return out;
}

// The name in "name", "name:port" or "[address]:port".
std::string_view host_name(std::string_view host) {
  if (!host.empty() && host.front() == '[') {
    const std::size_t end = host.find(']');
    return end == std::string_view::npos ? host : host.substr(1, end - 1);
  }
  return host.substr(0, host.find(':'));
}

bool is_address(const std::string& name) {
  std::array<unsigned char, 16> bytes{};
  return ::inet_pton(AF_INET, name.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), bytes.data()) == 1;
}

// A name that no stranger's DNS can point here.
bool is_trusted_host(std::string_view host, const side_policy& policy) {
  const std::string name = lower(host_name(host));
  return is_address(name) || name == "localhost" || (!policy.host.empty() && name == lower(policy.host));
}

bool has_token(const side_request& request, const side_policy& policy) {
  if (policy.token.empty() || !request.authorization) return false;
  const std::string_view value = *request.authorization;
  const std::size_t blank = value.find(' ');
  if (blank == std::string_view::npos || lower(value.substr(0, blank)) != "bearer") return false;
  const std::size_t begin = std::min(value.find_first_not_of(' ', blank), value.size());
  return equal_in_constant_time(value.substr(begin), policy.token);
}

// Fetch metadata and Origin, which a page cannot forge or leave out of a POST to another site.
bool is_cross_site(const side_request& request) {
  if (request.sec_fetch_site && *request.sec_fetch_site != "same-origin" && *request.sec_fetch_site != "none")
    return true;
  if (!request.origin) return false;
  const std::string origin = lower(*request.origin);
  const std::string host = lower(request.host.value_or(""));
  return host.empty() || (origin != "http://" + host && origin != "https://" + host);
}

std::string check_namespace(std::string_view ns) {
  const std::size_t dot = ns.find('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == ns.size()) return "ns must be database.collection";
  if (ns.size() > max_namespace) return "ns is longer than 255 bytes";
  const bool control = std::any_of(ns.begin(), ns.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  return control ? "ns holds a control character" : "";
}

// Empty: `out` is filled.
std::string read_query(std::string_view query, invalidate_request& out) {
  bool has_ns = false;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t equals = pair.find('=');
    const auto value = equals == std::string_view::npos ? std::nullopt : percent_decode(pair.substr(equals + 1));
    if (!value) return "the query must be ns=database.collection and id=<Extended JSON>, percent-encoded";
    const std::string_view name = pair.substr(0, equals);
    if (name == "ns" && !has_ns) {
      has_ns = true;
      out.ns = *value;
    } else if (name == "id" && !out.id_json) {
      if (value->empty() || value->find('\0') != std::string::npos) return "id must be Extended JSON";
      out.id_json = *value;
    } else {
      return "only ns and id may be given, each once";
    }
  }
  if (!has_ns) return "ns=database.collection is missing";
  return check_namespace(out.ns);
}

// A target in absolute form (RFC 9112 3.2.2): its authority stands in place of the Host header. False: it cannot be
// meant, for it has no host, or a user (RFC 9110 4.2.4).
bool to_origin_form(side_request& request) {
  constexpr std::string_view scheme = "http://";
  if (lower(request.target.substr(0, scheme.size())) != scheme) return true;
  const std::string_view rest = request.target.substr(scheme.size());
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  request.host = rest.substr(0, end);
  request.target = rest.substr(end);
  return !host_name(*request.host).empty() && request.host->find('@') == std::string_view::npos;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    const char* const digits = text.data() + i + 1;
    if (text.size() - i < 3) return std::nullopt;
    const auto [end, error] = std::from_chars(digits, digits + 2, value, 16);
    if (error != std::errc() || end != digits + 2) return std::nullopt;
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char other = b.empty() ? '\0' : b[i % b.size()];
    const volatile unsigned bits = static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(other);
    difference |= bits;
  }
  return difference == 0;
}

side_decision decide(side_request request, const side_policy& policy) {
  if (request.repeated) return refuse(400, "a header that may stand once is repeated");
  if (!to_origin_form(request)) return refuse(400, "the target names no host");
  const std::size_t mark = request.target.find('?');
  const std::string_view path = request.target.substr(0, mark);
  const auto* const found = std::find_if(routes.begin(), routes.end(), [&](const route& r) { return r.path == path; });
  if (found == routes.end()) return refuse(404, "no such path");

  if (found->changes_state) {
    if (request.method != "POST") return refuse(405, "use POST", "POST");
  } else if (request.method != "GET" && request.method != "HEAD") {
    return refuse(405, "use GET", "GET, HEAD");
  }

  if (!found->harmless) {
    const bool authorized = has_token(request, policy);
    if (!policy.loopback && policy.token.empty()) {
      return refuse(403, "not served on this address without http.token");
    }
    if (found->changes_state && is_cross_site(request)) return refuse(403, "cross-site requests are refused");
    const bool token_needed = !policy.token.empty() && (found->changes_state || !policy.loopback);
    if (token_needed && !authorized) return refuse(401, "the token is missing or wrong");
    if (!authorized && request.host && !is_trusted_host(*request.host, policy)) {
      return refuse(403, "the Host header names neither an address nor this host");
    }
  }

  side_decision out;
  out.path = found->id;
  if (found->id == side_path::invalidate) {
    const std::string_view query =
        mark == std::string_view::npos ? std::string_view() : request.target.substr(mark + 1);
    std::string fault = read_query(query, out.invalidate);
    if (!fault.empty()) return refuse(400, std::move(fault));
  }
  return out;
}

}  // namespace mongocached::daemon
