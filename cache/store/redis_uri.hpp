// Where Redis is and how to log in: redis://[user:password@]host[:port][/db], rediss:// for TLS.
// The host may be a bracketed IPv6 address; user and password may be percent-encoded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mongocached::cache {

struct redis_uri {
  bool tls = false;
  std::string host;  // no brackets
  std::uint16_t port = 6379;
  std::string user;      // empty: the default user
  std::string password;  // empty: no AUTH
  unsigned database = 0;

  // "host:port", for logs; never the user or the password.
  [[nodiscard]] std::string address() const;
};

// Throws std::invalid_argument with one line that says what is wrong and quotes nothing of the user and password.
[[nodiscard]] redis_uri parse_redis_uri(std::string_view text);

}  // namespace mongocached::cache
