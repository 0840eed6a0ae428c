// The whole daemon, built and owned in one place: data threads, listener, control plane, Redis, side port, signals.
// main() makes one and runs it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "config/load.hpp"
#include "daemon/control/upstream_uri.hpp"
#include "daemon/inherited_sockets.hpp"
#include "daemon/log.hpp"
#include "daemon/pooled/upstream_login.hpp"
#include "daemon/pooled/user_table.hpp"

namespace mongocached::daemon {

struct server_options {
  std::shared_ptr<const config::settings> settings;
  upstream_uri upstream;
  // upstream.auth = "pooled" only: who may log in, and as whom the proxy does.
  std::shared_ptr<const user_table> users{};
  std::unique_ptr<upstream_account> account{};
  std::function<config::result()> reload;  // reads the configuration again, for SIGHUP
  std::string version;
  inherited_sockets inherited;  // taken in place of listen.address and http.address
};

class server {
 public:
  // Binds the ports and checks certificates. Throws std::runtime_error with one clear line where it cannot start.
  server(server_options options, logger& log);
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  // Serves until SIGTERM or SIGINT and the drain behind it. Returns the exit status.
  [[nodiscard]] int run();

 private:
  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace mongocached::daemon
