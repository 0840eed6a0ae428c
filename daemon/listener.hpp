// Accepts clients and hands them to the data threads in turn. Runs on the first data thread.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "config/settings.hpp"
#include "daemon/asio_types.hpp"

namespace mongocached::daemon {

class data_thread;

class listener {
 public:
  // Binds and listens; throws std::runtime_error with one clear line if the address cannot be had. Accepts from start()
  // on.
  listener(const config::endpoint& address, std::vector<data_thread*> threads);
  // Takes sockets that listen already, at least one (inherited_sockets.hpp).
  listener(std::span<const int> inherited, const std::vector<data_thread*>& threads);
  ~listener();
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;

  void start();
  void stop();  // from any thread; clients accepted so far stay

  // With the port that was really given, where 0 was asked; of several sockets the first.
  [[nodiscard]] config::endpoint bound() const;

 private:
  class accept_loop;
  std::vector<std::shared_ptr<accept_loop>> loops_;  // one a socket
};

}  // namespace mongocached::daemon
