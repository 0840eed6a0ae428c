// What an administrator may do from the side port: drop cached entries, in memory and in Redis.
#pragma once

#include "daemon/data_thread.hpp"
#include "daemon/side_port.hpp"

namespace mongocached::daemon {

class administration {
 public:
  // `thread` is the data thread whose store carries the commands to Redis. Both outlive this.
  administration(process& shared, data_thread& thread) : shared_(shared), thread_(thread) {}

  // From the side port's thread; wait for Redis no longer than its timeout allows.
  [[nodiscard]] invalidate_answer invalidate(const invalidate_request& request);
  [[nodiscard]] invalidate_answer flush();
  // Drops it in Redis, and waits for nothing. Any thread.
  void drop(cache::invalidation what);

 private:
  [[nodiscard]] bool tell_redis(cache::invalidation what);
  void count();

  process& shared_;
  data_thread& thread_;
};

}  // namespace mongocached::daemon
