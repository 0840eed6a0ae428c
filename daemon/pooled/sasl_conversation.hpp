// A client's login to the proxy: the commands saslStart and saslContinue around auth::scram_server (wire rules H3, I3).
// Pure: documents in, payloads out. One conversation; whatever fails is answered with code 18 and ends it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "auth/scram_server.hpp"
#include "daemon/pooled/user_table.hpp"
#include "protocol/bson_view.hpp"

namespace mongocached::daemon {

struct sasl_answer {
  bool done = false;
  std::string payload;
};

class sasl_conversation {
 public:
  static constexpr std::int32_t id = 1;                // a connection has one conversation at a time
  static constexpr std::string_view source = "admin";  // the database that users are of

  explicit sasl_conversation(std::shared_ptr<const user_table> users) : users_(std::move(users)) {}

  // `command` holds the fields of saslStart; `db`: where it was sent to.
  [[nodiscard]] std::optional<sasl_answer> start(protocol::bson_view command, std::string_view db);
  [[nodiscard]] std::optional<sasl_answer> next(protocol::bson_view command);
  // Who has logged in; null before the conversation is done.
  [[nodiscard]] const std::shared_ptr<const proxy_user>& user() const noexcept { return user_; }
  // Who was meant, for the log: as sent.
  [[nodiscard]] std::string_view claimed() const noexcept { return scram_ ? scram_->user() : std::string_view{}; }

 private:
  enum class state : std::uint8_t { first, final, empty, over };

  std::shared_ptr<const user_table> users_;
  auth::scram_server::lookup find_;
  std::optional<auth::scram_server> scram_;
  std::shared_ptr<const proxy_user> meant_;
  std::shared_ptr<const proxy_user> user_;
  state state_ = state::first;
  bool skip_empty_exchange_ = false;
};

}  // namespace mongocached::daemon
