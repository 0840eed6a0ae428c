#include "daemon/pooled/user_table.hpp"

#include <algorithm>

#include "auth/saslprep.hpp"

namespace mongocached::daemon {
namespace {

auth::scram_keys derive(auth::scram_hash hash, std::string_view password) {
  const auto salt = auth::random_bytes(auth::usual_salt_size(hash));
  const int rounds = auth::usual_iterations(hash);
  return auth::keys_from_salted(hash, auth::salted_password(hash, password, salt, rounds), salt, rounds);
}

bool logs_in_the_same(const proxy_user& user, const config::user& entry) {
  return user.password == entry.password && user.scram_sha_256 == entry.scram_sha_256;
}

// False, and `why` says it, where the entry's secret cannot be used.
bool derive_all(proxy_user& user, std::string& why) {
  if (!user.scram_sha_256.empty()) {
    auto keys = auth::parse_stored_keys(user.scram_sha_256.reveal(), why);
    if (!keys) return false;
    user.sha256 = std::move(*keys);
    return true;
  }
  const auto prepared = auth::saslprep(user.password.reveal(), true);
  if (!prepared || prepared->empty()) {
    why = "holds characters that SASLprep (RFC 4013) does not allow in a password";
    return false;
  }
  user.sha256 = derive(auth::scram_hash::sha256, *prepared);
  user.sha1 = derive(auth::scram_hash::sha1, auth::mongodb_digest(user.name, user.password.reveal()));
  return true;
}

}  // namespace

std::shared_ptr<const user_table> user_table::make(const std::vector<config::user>& entries, const user_table* before,
                                                   std::vector<std::string>& faults) {
  auto out = std::make_shared<user_table>();
  if (before != nullptr) out->ids_ = before->ids_;
  const auto faults_before = faults.size();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& entry = entries[i];
    if (auto same = before != nullptr ? before->find(entry.name) : nullptr; same && logs_in_the_same(*same, entry)) {
      out->users_[entry.name] = {std::move(same), entry.admin};
      continue;
    }
    auto fresh = std::make_shared<proxy_user>();
    fresh->id = out->id_of(entry.name);
    fresh->name = entry.name;
    fresh->password = entry.password;
    fresh->scram_sha_256 = entry.scram_sha_256;
    fresh->admin = entry.admin;
    if (std::string why; !derive_all(*fresh, why)) {
      const char* const key = entry.scram_sha_256.empty() ? "password" : "scram_sha_256";
      faults.push_back("user[" + std::to_string(i + 1) + "]." + key + " = ***: " + why);
      continue;
    }
    out->users_[entry.name] = {std::move(fresh), entry.admin};
  }
  if (faults.size() != faults_before) return nullptr;
  out->make_up_salts(entries, before);
  return out;
}

// A secret that outlasts the process is made of one that does: the settings'.
void user_table::make_up_salts(const std::vector<config::user>& entries, const user_table* before) {
  constexpr std::size_t secret_size = 32;
  made_up_.secret = before != nullptr ? before->made_up_.secret : auth::random_bytes(secret_size);
  made_up_.lasting_secret = made_up_.secret;
  for (const auto& entry : entries) {
    const auto& keys = users_.at(entry.name).user->sha256;
    const bool lasting = !entry.scram_sha_256.empty();
    const bool first = std::ranges::none_of(made_up_.forms, &auth::made_up_salts::form::lasting);
    if (lasting && first) made_up_.lasting_secret = auth::hmac(keys.hash, keys.server_key, "salts that are made up");
    made_up_.forms.push_back({keys.salt.size(), keys.iterations, lasting});
  }
}

user_id user_table::id_of(const std::string& name) {
  const auto next = static_cast<user_id>(ids_.size()) + 1;
  return ids_.try_emplace(name, next).first->second;
}

void user_table::succeed(const user_table& before) const {
  for (const auto& [name, known] : before.users_) {
    if (find(name) != known.user) known.user->revoked.store(true);
  }
  for (const auto& [name, known] : users_) known.user->admin.store(known.admin);
}

std::shared_ptr<const proxy_user> user_table::find(std::string_view name) const {
  const auto found = users_.find(std::string(name));
  return found == users_.end() ? nullptr : found->second.user;
}

}  // namespace mongocached::daemon
