#include "auth/scram_server.hpp"

#include <cstring>
#include <utility>

#include "auth/base64.hpp"
#include "auth/scram_message.hpp"

namespace mongocached::auth {

scram_keys scram_server::fake_keys() const {
  const auto derive = [this](const std::string& secret, std::string_view what) {
    std::string text(mechanism_of(hash_));
    text += '\0';
    text += what;
    text += '\0';
    text += user_;
    return hmac(hash_, secret, text);
  };
  made_up_salts::form like{.size = usual_salt_size(hash_), .iterations = usual_iterations(hash_)};
  if (hash_ == scram_hash::sha256 && !made_up_->forms.empty()) {
    const auto drawn = derive(made_up_->lasting_secret, "form");
    std::size_t number = 0;
    std::memcpy(&number, drawn.data(), sizeof number);
    like = made_up_->forms[number % made_up_->forms.size()];
  }
  const auto& secret = like.lasting ? made_up_->lasting_secret : made_up_->secret;
  std::string salt;
  while (salt.size() < like.size) salt += derive(secret, "salt" + std::to_string(salt.size()));
  return {.hash = hash_,
          .iterations = like.iterations,
          .salt = salt.substr(0, like.size),
          .stored_key = derive(made_up_->secret, "stored"),
          .server_key = derive(made_up_->secret, "server")};
}

std::optional<std::string> scram_server::first(std::string_view message) {
  const auto parsed = parse_client_first(message);
  if (!parsed || expects_final_ || !user_.empty()) return std::nullopt;
  user_ = parsed->user;
  gs2_header_ = parsed->gs2_header;
  nonce_ = std::string(parsed->nonce) + nonce_;
  // Both are worked out, so that neither is quicker.
  const auto fake = fake_keys();
  const auto* real = (*find_)(user_);
  known_ = real != nullptr && real->hash == hash_;
  keys_ = known_ ? *real : fake;
  const auto reply = "r=" + nonce_ + ",s=" + to_base64(keys_.salt) + ",i=" + std::to_string(keys_.iterations);
  signed_so_far_ = std::string(parsed->bare) + ',' + reply;
  expects_final_ = true;
  return reply;
}

std::optional<std::string> scram_server::final(std::string_view message) {
  if (!std::exchange(expects_final_, false)) return std::nullopt;
  const auto parsed = parse_client_final(message);
  if (!parsed || parsed->nonce != nonce_ || parsed->channel_binding != gs2_header_) return std::nullopt;
  if (parsed->proof.size() != digest_size(hash_)) return std::nullopt;
  const auto text = signed_so_far_ + ',' + std::string(parsed->without_proof);
  const auto client_key = exclusive_or(parsed->proof, hmac(hash_, keys_.stored_key, text));
  const bool right = equal_in_constant_time(digest(hash_, client_key), keys_.stored_key);
  auto reply = "v=" + to_base64(hmac(hash_, keys_.server_key, text));
  if (!right || !known_) return std::nullopt;
  return reply;
}

}  // namespace mongocached::auth
