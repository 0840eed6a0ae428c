// The server's side of one SCRAM conversation (RFC 5802, RFC 7677), without sockets: two messages in, two out.
//
// An unknown user's conversation goes the same way as a known one's and fails where a wrong password does, with a salt
// that is always the same for that name: neither answers nor work tell which names exist. One thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "auth/scram_keys.hpp"

namespace mongocached::auth {

class scram_server {
 public:
  // The keys of a user of that name, null where there is none; they must outlive the conversation.
  using lookup = std::function<const scram_keys*(std::string_view user)>;

  // `fake_secret`: of the process, makes the salts of users that are not there. `nonce`: the server's part, new for
  // each conversation.
  scram_server(scram_hash hash, const lookup& find, std::string_view fake_secret, std::string nonce)
      : hash_(hash), find_(&find), fake_secret_(fake_secret), nonce_(std::move(nonce)) {}

  // server-first-message; empty: the message is none, the conversation is over.
  [[nodiscard]] std::optional<std::string> first(std::string_view message);
  // server-final-message; empty: refused.
  [[nodiscard]] std::optional<std::string> final(std::string_view message);

  // Who it is, as soon as final() has succeeded, or claims to be before.
  [[nodiscard]] const std::string& user() const noexcept { return user_; }

 private:
  [[nodiscard]] scram_keys fake_keys() const;

  const scram_hash hash_;
  const lookup* find_;
  std::string fake_secret_;
  std::string nonce_;  // the client's part before it once first() was called
  std::string user_;
  std::string gs2_header_;
  std::string signed_so_far_;  // client-first-message-bare "," server-first-message
  scram_keys keys_;
  bool known_ = false;
  bool expects_final_ = false;
};

}  // namespace mongocached::auth
