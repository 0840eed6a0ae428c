// Logs in to the upstream where no request does: at the start, and while the proxy's own user is refused, so that
// /readyz says what requests would meet, and that it is over when it is. The connection is one of the pool's, and stays
// there. One thread; deadlines are kept by its sweep.
#pragma once

#include <memory>

#include "daemon/pooled/upstream_pools.hpp"
#include "daemon/task.hpp"

namespace mongocached::daemon {

class data_thread;

class pool_probe {
 public:
  explicit pool_probe(data_thread& thread) : thread_(thread) {}

  // Unless one is under way, or the thread's share of the pool is open already.
  void begin();
  void sweep(cache::instant now);
  void close();  // at the end

 private:
  [[nodiscard]] task<void> log_in(server_address at);

  data_thread& thread_;
  std::unique_ptr<pooled_link> link_;  // null: none is under way
  cache::instant deadline_{};
  bool closed_ = false;
};

}  // namespace mongocached::daemon
