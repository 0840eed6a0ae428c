// The server's side of one SCRAM conversation (RFC 5802, RFC 7677), without sockets: two messages in, two out.
//
// An unknown user's conversation goes the same way as a known one's and fails where a wrong password does, with a salt
// that is always the same for that name: neither answers nor work tell which names exist. One thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/scram_keys.hpp"

namespace mongocached::auth {

// Of users that are not there: each looks like one that is.
struct made_up_salts {
  struct form {
    std::size_t size = 0;
    int iterations = 0;
    bool lasting = false;  // a restart leaves that user's salt as it was
  };
  std::string secret;          // of the process
  std::string lasting_secret;  // outlasts it, where one of the forms does
  std::vector<form> forms;     // of the users' keys for SHA-256; none: the usual form
};

class scram_server {
 public:
  // The keys of a user of that name, null where there is none; they must outlive the conversation.
  using lookup = std::function<const scram_keys*(std::string_view user)>;

  // `made_up` outlives the conversation. `nonce`: the server's part, new for each conversation.
  scram_server(scram_hash hash, const lookup& find, const made_up_salts& made_up, std::string nonce)
      : hash_(hash), find_(&find), made_up_(&made_up), nonce_(std::move(nonce)) {}

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
  const made_up_salts* made_up_;
  std::string nonce_;  // the client's part before it once first() was called
  std::string user_;
  std::string gs2_header_;
  std::string signed_so_far_;  // client-first-message-bare "," server-first-message
  scram_keys keys_;
  bool known_ = false;
  bool expects_final_ = false;
};

}  // namespace mongocached::auth
