// The four messages of a SCRAM conversation as text (RFC 5802 section 7). Views into what was parsed. Bounded: a
// message or a part of it beyond its limit is refused.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mongocached::auth {

inline constexpr std::size_t longest_scram_message = 16UL << 10;
inline constexpr std::size_t longest_scram_nonce = 1024;
inline constexpr std::size_t longest_scram_user = 1024;

struct client_first {
  std::string_view gs2_header;  // "n,,": what client_final's channel binding repeats
  std::string_view bare;        // without the header: part of what both sides sign
  std::string user;             // unescaped
  std::string_view nonce;
};
// Channel binding (p=), another authorization identity than the user, and mandatory extensions (m=) are refused.
[[nodiscard]] std::optional<client_first> parse_client_first(std::string_view text);

struct client_final {
  std::string_view without_proof;
  std::string channel_binding;  // decoded
  std::string_view nonce;
  std::string proof;  // decoded
};
[[nodiscard]] std::optional<client_final> parse_client_final(std::string_view text);

struct server_first {
  std::string_view nonce;
  std::string salt;  // decoded
  int iterations = 0;
};
[[nodiscard]] std::optional<server_first> parse_server_first(std::string_view text);

// "=2C" and "=3D" for comma and equals sign.
[[nodiscard]] std::string escape_user(std::string_view user);

}  // namespace mongocached::auth
