// What clients have opened upstream, and whose it is (wire rules U3, I3): a cursor (id, namespace), a transaction
// (lsid, txnNumber), a session (lsid). Upstream they all belong to the proxy's own user; here each belongs to who
// opened it, and lives on the server where it was opened. Bounded: what was not used for its lifetime is forgotten, and
// when a new one needs the room, what was used longest ago by the user who has most: nobody ends what is another's. Any
// thread.
#pragma once

#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "cache/time.hpp"
#include "daemon/pooled/user_table.hpp"
#include "protocol/bytes.hpp"

namespace mongocached::daemon {

struct server_address {
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const server_address&, const server_address&) = default;
};

// Keys to servers.
class pin_table {
 public:
  pin_table(std::size_t limit, cache::duration lifetime) : limit_(limit), lifetime_(lifetime) {}

  void put(user_id user, std::string key, server_address where, cache::instant now);
  [[nodiscard]] std::optional<server_address> find(const std::string& key, cache::instant now);
  void erase(const std::string& key);
  [[nodiscard]] std::size_t size() const;

 private:
  struct pin {
    user_id user = nobody;
    std::string key;
    server_address where;
    cache::instant used{};
  };
  using pin_list = std::list<pin>;
  void use(pin_list::iterator which, cache::instant now);
  void forget(pin_list::iterator which);
  void forget_unused(pin_list& of_user, cache::instant now);
  void make_room(cache::instant now);

  const std::size_t limit_;
  const cache::duration lifetime_;
  mutable std::mutex mutex_;
  std::unordered_map<user_id, pin_list> of_users_;  // used longest ago first; none is empty
  std::unordered_map<std::string, pin_list::iterator> by_key_;
};

[[nodiscard]] std::string cursor_key(user_id user, std::int64_t cursor, std::string_view ns);
[[nodiscard]] std::string transaction_key(user_id user, protocol::byte_view lsid, std::int64_t number);

// Sessions: the first user of an lsid owns it until it has not been used for a session's lifetime. A full table refuses
// new ones, as a server does: forgetting one would let another user have it. A user may own as many as are free: so
// nobody fills it for the others, and one alone has half of it.
class session_owners {
 public:
  session_owners(std::size_t limit, cache::duration lifetime) : limit_(limit), lifetime_(lifetime) {}

  enum class claim : std::uint8_t { granted, foreign, full };
  // `id`: the 16 bytes of the UUID.
  [[nodiscard]] claim use(std::string_view id, user_id user, cache::instant now);
  void end(std::string_view id, user_id user);
  [[nodiscard]] std::size_t size() const;

 private:
  struct owned {
    std::string id;
    user_id user = nobody;
    cache::instant used{};
  };
  using owners = std::list<owned>;
  void forget(owners::iterator which);

  const std::size_t limit_;
  const cache::duration lifetime_;
  mutable std::mutex mutex_;
  std::unordered_map<user_id, std::size_t> count_;                // none is 0
  owners order_;                                                  // used longest ago first
  std::unordered_map<std::string_view, owners::iterator> by_id_;  // views into order_
};

struct pins {
  pin_table cursors{100'000, std::chrono::hours(1)};
  pin_table transactions{100'000, std::chrono::minutes(30)};
  session_owners sessions{1'000'000, std::chrono::minutes(31)};  // a server forgets one after 30
};

}  // namespace mongocached::daemon
