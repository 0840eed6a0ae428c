// Who may log in to the proxy itself (upstream.auth = "pooled"): the users of the settings with their keys. A table is
// made at the start and at each reload and never changes; a user whose entry stayed as it was is the same object in the
// next one, with the same id. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "auth/scram_server.hpp"
#include "config/settings.hpp"

namespace mongocached::daemon {

using user_id = std::uint64_t;
inline constexpr user_id nobody = 0;  // who has not logged in, where that is allowed

struct proxy_user {
  user_id id = nobody;
  config::user entry;
  auth::scram_keys sha256;
  std::optional<auth::scram_keys> sha1;      // only where the settings hold the password
  mutable std::atomic<bool> revoked{false};  // a reload took the entry away, or changed it
};

class user_table {
 public:
  // Derives keys: about 10 ms for a user with a password that `before` (null: none) does not know. Null where an entry
  // cannot be used; then `faults` has a line for each, naming the key and never the value.
  [[nodiscard]] static std::shared_ptr<const user_table> make(const std::vector<config::user>& entries,
                                                              const user_table* before,
                                                              std::vector<std::string>& faults);
  // Users of this table that are not the same in `next` lose what they opened.
  void revoke_missing_in(const user_table& next) const;

  [[nodiscard]] std::shared_ptr<const proxy_user> find(std::string_view name) const;
  [[nodiscard]] bool empty() const noexcept { return users_.empty(); }
  [[nodiscard]] const auth::made_up_salts& made_up() const noexcept { return made_up_; }

 private:
  void make_up_salts(const std::vector<config::user>& entries, const user_table* before);

  std::unordered_map<std::string, std::shared_ptr<const proxy_user>> users_;
  auth::made_up_salts made_up_;
  user_id last_id_ = nobody;
};

}  // namespace mongocached::daemon
