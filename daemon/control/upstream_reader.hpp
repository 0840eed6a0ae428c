// Finds under the proxy's own user, for the verifier: one at a time, by libmongoc's blocking calls. libmongoc stays out
// of this header. Not thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "daemon/control/upstream_uri.hpp"
#include "protocol/bytes.hpp"

namespace mongocached::daemon {

class upstream_reader {
 public:
  upstream_reader(const upstream_uri& uri, std::chrono::milliseconds connect_timeout);
  ~upstream_reader();
  upstream_reader(const upstream_reader&) = delete;
  upstream_reader& operator=(const upstream_reader&) = delete;

  // The whole first batch of the find on the server that takes writes, as a BSON array. Empty, with a reason that holds
  // no password, where the server cannot be asked, refuses, or has more than one batch.
  [[nodiscard]] std::optional<protocol::byte_buffer> find(const std::string& db, const protocol::byte_buffer& command,
                                                          std::string& why);

 private:
  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace mongocached::daemon
