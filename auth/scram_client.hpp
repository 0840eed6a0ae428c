// The client's side of one SCRAM conversation (RFC 5802, RFC 7677), without sockets. It proves the password to the
// server, and asks the server to prove that it knows the user's keys. One thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "auth/scram_keys.hpp"

namespace mongocached::auth {

class scram_client {
 public:
  // Gives the salted password for what the server said; where it is expensive, remembers it.
  using salting = std::function<std::string(std::string_view salt, int iterations)>;

  // `least_rounds`: a server that asks for fewer is refused, because it would learn the password more easily.
  scram_client(scram_hash hash, std::string_view user, salting salted, std::string nonce, int least_rounds = 4096);

  // client-first-message.
  [[nodiscard]] std::string first() const { return "n,," + bare_; }
  // client-final-message; empty: the server's message is none, or answers another conversation.
  [[nodiscard]] std::optional<std::string> final(std::string_view server_first);
  // Whether server-final-message proves the server.
  [[nodiscard]] bool verify(std::string_view server_final) const;

 private:
  const scram_hash hash_;
  const salting salted_;
  const std::string nonce_;
  const int least_rounds_;
  const std::string bare_;
  std::string expected_;  // server-final-message of a server that knows the keys; empty before final()
};

}  // namespace mongocached::auth
