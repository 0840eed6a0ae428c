// The proxy's own login on a connection to the upstream (upstream.auth = "pooled"): hello without any client's metadata
// (wire rule U2), then SCRAM-SHA-256, SCRAM-SHA-1 or PLAIN. Documents in, documents out; no sockets.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>

#include "auth/scram_client.hpp"
#include "daemon/control/upstream_uri.hpp"
#include "protocol/compression_offer.hpp"

namespace mongocached::daemon {

// The user in upstream.uri, and what was derived for it. Any thread.
class upstream_account {
 public:
  // Null and a clear line where the URI asks for what the pool cannot do. A URI without a user is an account without
  // login.
  [[nodiscard]] static std::unique_ptr<upstream_account> make(const upstream_uri& uri, std::string version,
                                                              std::string& error);

  [[nodiscard]] bool logs_in() const noexcept { return !user_.empty(); }
  [[nodiscard]] const std::string& user() const noexcept { return user_; }
  // Where the user is known: what the URI says, else what its name's TXT record says (`text_record`, empty: nothing),
  // else the default.
  [[nodiscard]] const std::string& source(const std::string& text_record) const noexcept {
    return source_given_ || text_record.empty() ? source_ : text_record;
  }
  [[nodiscard]] const std::string& mechanism() const noexcept { return mechanism_; }  // empty: the server's best
  [[nodiscard]] const std::string& password() const noexcept { return password_.reveal(); }
  [[nodiscard]] const std::string& version() const noexcept { return version_; }  // of this program
  // Derived once for what a server says, about 10 ms; from then on remembered.
  [[nodiscard]] std::string salted(auth::scram_hash hash, std::string_view salt, int iterations);

 private:
  std::string user_;
  std::string source_;
  bool source_given_ = false;
  std::string mechanism_;
  std::string version_;
  config::secret password_;
  std::string prepared_;  // SASLprep'd; empty where it cannot be: then SCRAM-SHA-256 is not possible
  std::mutex mutex_;
  std::map<std::tuple<auth::scram_hash, std::string, int>, std::string> salted_;
};

class upstream_login {
 public:
  explicit upstream_login(upstream_account& account, const std::string& text_record = {},
                          const protocol::compressor_list& ours = {})
      : account_(account), source_(account.source(text_record)), compressors_(ours) {}

  // The next command, with $db.
  void append_command(protocol::byte_buffer& out) const;
  enum class step : std::uint8_t { more, done, failed };
  // The reply to it.
  [[nodiscard]] step take(protocol::bson_view reply);
  // After `failed`: why, without secrets.
  [[nodiscard]] const std::string& why() const noexcept { return why_; }
  // It is for the user, the mechanism or the password, or for who the server is: the next try will fail, too.
  [[nodiscard]] bool is_refused() const noexcept { return refused_; }

 private:
  enum class state : std::uint8_t { hello, start, proof, verified };

  [[nodiscard]] step begin(protocol::bson_view hello);
  [[nodiscard]] step prove(protocol::bson_view reply);
  [[nodiscard]] step end(protocol::bson_view reply);
  [[nodiscard]] step fail(std::string why, bool refused = true);

  upstream_account& account_;
  const std::string source_;
  const protocol::compressor_list compressors_;
  state state_ = state::hello;
  std::string mechanism_;
  std::optional<auth::scram_client> scram_;
  std::string payload_;
  std::int32_t conversation_ = 0;
  std::string why_;
  bool refused_ = false;
};

}  // namespace mongocached::daemon
