// What a session is beside itself with upstream.auth = "pooled": who has logged in, where its request goes, and the
// connection that the request has borrowed. One session's; one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/pooled/admission.hpp"
#include "daemon/pooled/pooled_link.hpp"
#include "daemon/pooled/sasl_conversation.hpp"
#include "daemon/pooled/server_choice.hpp"
#include "daemon/pooled/upload_pace.hpp"
#include "daemon/pooled/upstream_pools.hpp"
#include "daemon/session/client_identity.hpp"
#include "daemon/session/request.hpp"

namespace mongocached::daemon {

class data_thread;

// Whether the peer of this connected socket is on this machine.
[[nodiscard]] bool is_local_peer(int fd) noexcept;

class pooled_client {
 public:
  pooled_client(data_thread& thread, client_identity& identity, bool local);

  // Who it is (I3).
  [[nodiscard]] caller who() const;
  [[nodiscard]] user_id id() const noexcept { return user_ ? user_->id : nobody; }
  [[nodiscard]] const std::shared_ptr<const proxy_user>& user() const noexcept { return user_; }
  void log_in(std::shared_ptr<const proxy_user> user);
  void log_out();
  // Users were read again, and this one is none any more, or logs in with something else. Such a client has to leave: a
  // driver logs in on a new connection only, and would be refused on this one for ever.
  [[nodiscard]] bool is_revoked() const;
  // Who may ask, and so what may be answered from the cache, goes by users and settings that may have changed.
  void settle_identity();
  std::unique_ptr<sasl_conversation> login;  // under way; null: none

  // The request being served.
  void begin_request(const request& r);
  // Where it goes: the server that it is pinned to, one that its read preference allows, else the target of all.
  std::optional<server_address> pinned;
  std::optional<read_preference> preference;
  // No other server will do, however long the request waits.
  [[nodiscard]] bool is_stuck() const noexcept { return pinned.has_value() && !pin_may_move; }
  named_cursors cursors;           // of getMore and killCursors
  bool pin_may_move = false;       // a transaction goes on with whoever is the target now
  std::string transaction;         // pin to be made once the server is chosen; empty: none
  std::vector<std::string> ended;  // sessions that are over if the reply is ok
  bool reply_begun = false;        // the client has got the front of a reply
  bool deposed = false;            // the reply said that the server is not the primary any more
  enum class shortage : std::uint8_t { none, no_server, no_login, no_connection } lack = shortage::none;

  // The connection that it has borrowed.
  std::unique_ptr<pooled_link> link;
  server_address at;
  std::optional<upload_pace> upload;  // a large request comes in on it
  // Waiting for one.
  std::optional<upstream_pools::pool::ticket> waiting;

  // What a reply tells of cursors, transactions and sessions.
  void note_reply(const protocol::reply_view& reply);

 private:
  data_thread& thread_;
  client_identity& identity_;
  const bool local_;
  std::shared_ptr<const proxy_user> user_;
  const request* request_ = nullptr;  // the one being served
  bool shut_out_ = false;
};

// Makes the message one that a shared connection may carry: no exhaust (U4). False where that cannot be done.
[[nodiscard]] bool prepare_for_pool(request& r);
// U6: what of maxTimeMS was spent waiting is gone for the server as well.
void shorten_max_time(request& r, cache::duration waited);

}  // namespace mongocached::daemon
