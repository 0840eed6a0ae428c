#include "daemon/session/client_identity.hpp"

namespace mongocached::daemon {

void client_identity::changing(std::string_view mechanism) {
  recent_ = {};
  withheld_ = {};
  id_ = proofs_.make_private();
  bound_ = true;
  authenticated_ = false;
  shared_ = false;
  shareable_ = mechanism.starts_with("SCRAM-");
  status_again_at_ = {};
}

void client_identity::shut_out() {
  recent_ = {};
  id_ = proofs_.make_private();
}

void client_identity::let_in() {
  recent_ = {};
  id_ = cache::anonymous;
}

void client_identity::revoke() {
  recent_ = {};
  proofs_.revoke(id_);
}

void client_identity::status(std::string_view users_and_roles) {
  id_ = proofs_.shared_by(users_and_roles);
  shared_ = true;
  recent_ = {};
}

bool client_identity::proven(const cache::namespace_state& ns, cache::instant now) {
  const auto epoch = proofs_.epoch();
  for (const auto& known : recent_) {
    if (known.ns == &ns && known.epoch == epoch && now < known.until) return true;
  }
  const auto until = proofs_.proven_until(id_, ns);
  if (until == cache::instant{} || now >= until) return false;
  recent_[next_++ % recent_.size()] = {&ns, until, epoch};
  return true;
}

void client_identity::prove(const cache::namespace_state& ns, cache::instant sent, std::uint64_t epoch_when_sent) {
  proofs_.prove(id_, ns, sent, epoch_when_sent);
}

}  // namespace mongocached::daemon
