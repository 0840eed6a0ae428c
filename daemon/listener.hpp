// Accepts clients and hands them to the data threads in turn. Runs on the first data thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/settings.hpp"
#include "daemon/asio_types.hpp"

namespace mongocached::daemon {

class data_thread;

class listener {
 public:
  explicit listener(std::vector<data_thread*> threads);
  listener(const config::endpoint& address, std::vector<data_thread*> threads);  // with one address to begin with
  ~listener();
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;

  // One place more to accept clients at, from start() on: an address, the path of a Unix socket, or the descriptor of a
  // socket that listens already (inherited_sockets.hpp). Throws std::runtime_error with one clear line if it cannot be
  // had.
  template <class Where>
  void listen_on(const Where& where);

  void start();
  void stop();  // from any thread; clients accepted so far stay

  // With the port that was really given, where 0 was asked; of several places the first. Empty host: a Unix socket.
  [[nodiscard]] config::endpoint bound() const;

 private:
  class accept_loop;
  const std::vector<data_thread*> threads_;
  std::vector<std::shared_ptr<accept_loop>> loops_;  // one a place
};

}  // namespace mongocached::daemon
