#include "auth/scram_client.hpp"

#include "auth/base64.hpp"
#include "auth/scram_message.hpp"

namespace mongocached::auth {

scram_client::scram_client(scram_hash hash, std::string_view user, salting salted, std::string nonce, int least_rounds)
    : hash_(hash),
      salted_(std::move(salted)),
      nonce_(std::move(nonce)),
      least_rounds_(least_rounds),
      bare_("n=" + escape_user(user) + ",r=" + nonce_) {}

std::optional<std::string> scram_client::final(std::string_view server_first) {
  const auto parsed = parse_server_first(server_first);
  if (!parsed || parsed->iterations < least_rounds_) return std::nullopt;
  if (!parsed->nonce.starts_with(nonce_) || parsed->nonce.size() == nonce_.size()) return std::nullopt;
  const auto salted = salted_(parsed->salt, parsed->iterations);
  const auto keys = keys_from_salted(hash_, salted, parsed->salt, parsed->iterations);
  auto out = "c=biws,r=" + std::string(parsed->nonce);  // biws: "n,,"
  const auto text = bare_ + ',' + std::string(server_first) + ',' + out;
  const auto proof = exclusive_or(hmac(hash_, salted, "Client Key"), hmac(hash_, keys.stored_key, text));
  expected_ = "v=" + to_base64(hmac(hash_, keys.server_key, text));
  return out + ",p=" + to_base64(proof);
}

bool scram_client::verify(std::string_view server_final) const {
  if (expected_.empty()) return false;
  return equal_in_constant_time(server_final.substr(0, server_final.find(',')), expected_);
}

}  // namespace mongocached::auth
