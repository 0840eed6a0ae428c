// Who may ask the side port for what: pure, so that every rule is tested without a socket.
//
// The port has no users. Its defences: state-changing paths are POST only, refuse cross-site browser requests, and need
// the token where one is set; on a loopback address without the token a Host header must be an address or a local name
// (a page of evil.example that resolves to 127.0.0.1 - DNS rebinding - names evil.example); on any other address all
// but the three harmless paths need the token.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/side_port.hpp"

namespace mongocached::daemon {

enum class side_path : std::uint8_t { metrics, healthz, readyz, status, invalidate, flush };

// A request as it was read. A header that occurs several times is `repeated`, and such a request is refused.
struct side_request {
  std::string_view method;
  std::string_view target;  // in origin or absolute form
  std::optional<std::string_view> host;
  std::optional<std::string_view> origin;
  std::optional<std::string_view> sec_fetch_site;
  std::optional<std::string_view> authorization;
  bool repeated = false;  // of Host, Origin, Sec-Fetch-Site or Authorization
};

struct side_policy {
  std::string token;     // empty: none
  std::string host;      // as configured: the name that a Host header may carry beside addresses and localhost
  bool loopback = true;  // what the port is bound to
};

struct side_decision {
  unsigned status = 200;  // other than 200: refused with `error`
  side_path path{};
  std::string error;            // a sentence
  const char* allow = nullptr;  // with 405
  invalidate_request invalidate;
};

[[nodiscard]] side_decision decide(side_request request, const side_policy& policy);

// %XX undone; empty where a sequence is cut or no hexadecimal. '+' stands for itself: it occurs in Base64 within
// Extended JSON, where a blank in its place would silently name another _id.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

// In time that depends on the lengths only.
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

}  // namespace mongocached::daemon
