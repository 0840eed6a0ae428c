// Who may log in to the proxy itself (upstream.auth = "pooled"): the users of the settings with their keys. A table is
// made at the start and at each reload; who logs in as before is the same object in the next one, also if its rights
// changed. Any thread.
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

// Stands for a name for as long as the process lives, in whatever tables it is: what a user has opened is theirs again
// when the entry was changed, or comes back.
using user_id = std::uint64_t;
inline constexpr user_id nobody = 0;  // who has not logged in, where that is allowed

struct proxy_user {
  user_id id = nobody;
  std::string name;
  config::secret password;       // of this and the next one is given
  config::secret scram_sha_256;  // as in the settings
  auth::scram_keys sha256;
  std::optional<auth::scram_keys> sha1;      // only where the settings hold the password
  mutable std::atomic<bool> admin{false};    // by the table in force
  mutable std::atomic<bool> revoked{false};  // a reload took the entry away, or changed how it logs in
};

class user_table {
 public:
  // Derives keys: about 10 ms for a user with a password that `before` (null: none) does not know. Null where an entry
  // cannot be used; then `faults` has a line for each, naming the key and never the value.
  [[nodiscard]] static std::shared_ptr<const user_table> make(const std::vector<config::user>& entries,
                                                              const user_table* before,
                                                              std::vector<std::string>& faults);
  // It takes the place of `before`: who is not the same in it has to log in again, the others have their new rights.
  void succeed(const user_table& before) const;

  [[nodiscard]] std::shared_ptr<const proxy_user> find(std::string_view name) const;
  [[nodiscard]] bool empty() const noexcept { return users_.empty(); }
  [[nodiscard]] const auth::made_up_salts& made_up() const noexcept { return made_up_; }

 private:
  void make_up_salts(const std::vector<config::user>& entries, const user_table* before);

  struct row {
    std::shared_ptr<const proxy_user> user;
    bool admin = false;
  };
  [[nodiscard]] user_id id_of(const std::string& name);

  std::unordered_map<std::string, row> users_;
  std::unordered_map<std::string, user_id> ids_;  // of all names that there ever were
  auth::made_up_salts made_up_;
};

}  // namespace mongocached::daemon
