#include "cache/authorization.hpp"

namespace mongocached::cache {

identity authorization::shared_by(std::string_view who) {
  const std::scoped_lock lock(mutex_);
  // Names come from the outside: past the limit every connection proves for itself.
  if (const auto known = shared_.find(std::string(who)); known != shared_.end()) return known->second;
  const auto fresh = make_private();
  if (shared_.size() < limit_) shared_.emplace(who, fresh);
  return fresh;
}

void authorization::revoke(identity who) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(proofs_, [who](const auto& item) { return item.first.who == who; });
}

void authorization::prove(identity who, const namespace_state& ns, instant sent, std::uint64_t epoch_when_sent) {
  const std::scoped_lock lock(mutex_);
  if (epoch_when_sent != epoch()) return;
  if (proofs_.size() >= limit_) proofs_.clear();
  proofs_[{who, &ns}] = {sent + ttl_, epoch_when_sent};
}

instant authorization::proven_until(identity who, const namespace_state& ns) const {
  const std::scoped_lock lock(mutex_);
  const auto found = proofs_.find({who, &ns});
  if (found == proofs_.end() || found->second.epoch != epoch()) return {};
  return found->second.until;
}

}  // namespace mongocached::cache
