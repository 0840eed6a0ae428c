// Everything that one simulation consists of: clock, cluster, two possible Redis masters, proxies, and the flows that
// are under way. Driven by a schedule (schedule.hpp) or by hand (a scenario).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "checks.hpp"
#include "flow.hpp"
#include "model_cluster.hpp"
#include "model_redis.hpp"
#include "random_source.hpp"

namespace mongocached::simulation {

class model_proxy;

inline constexpr duration max_lag = std::chrono::milliseconds(400);

// What became of a message to another machine.
enum class fate : std::uint8_t {
  ok,
  reply_lost,  // it was carried out
  lost,        // never carried out
  late,        // nobody waits for it any more, and it is carried out some time
};

struct flow_id {
  std::uint32_t slot = 0;
  std::uint32_t serial = 0;
};

// Who decides about time and luck. The scenario's: no time passes by itself, and all goes well unless told otherwise.
class director {
 public:
  virtual ~director() = default;
  virtual void waits(flow_id id, step at, int proxy) = 0;
  virtual fate fate_of(step at) = 0;
  // Executes the statements at the cluster some time.
  virtual void late_write(const std::vector<statement>& what, bool together) = 0;
  virtual bool chance(std::uint32_t one_in) = 0;
  // Size of a batch of the stream.
  virtual std::size_t batch_size() = 0;
  virtual void finished(flow_id id, int proxy, int client) = 0;
};

class world {
 public:
  world(director& d, std::size_t proxy_count);
  ~world();
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  [[nodiscard]] instant now() const noexcept { return now_; }
  void set_now(instant now) noexcept { now_ = now; }

  // Runs the flow to its first stop. `client` is given back to director::finished().
  flow_id start(int proxy, int client, flow f);
  void resume(flow_id id);
  [[nodiscard]] bool is_alive(flow_id id) const noexcept;
  [[nodiscard]] step at(flow_id id) const noexcept;
  // A joined flow may go on.
  void wake(flow_id id);
  [[nodiscard]] flow_id current() const noexcept { return current_; }
  // Ends all flows of a proxy; what they had sent away may still arrive.
  void kill_flows(int proxy, bool messages_arrive);

  [[nodiscard]] std::uint32_t fresh_name() noexcept { return ++last_name_; }
  [[nodiscard]] model_redis& redis(int which) noexcept { return redis_[static_cast<std::size_t>(which)]; }
  [[nodiscard]] model_proxy& proxy(int i) noexcept { return *proxies_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] std::size_t proxy_count() const noexcept { return proxies_.size(); }

  void trace(const std::string& line) const;

 private:
  static constexpr instant beginning = std::chrono::seconds(10);

 public:
  director& luck;
  model_cluster cluster{beginning};
  checks judge;
  bool tracing = false;

 private:
  struct running {
    flow what;
    std::uint32_t serial = 0;
    int proxy = -1;
    int client = -1;
  };
  void after_step(flow_id id);

  instant now_ = beginning;
  std::vector<running> flows_;
  std::vector<std::uint32_t> free_;
  flow_id current_;
  std::uint32_t last_name_ = 0;
  model_redis redis_[2];
  std::vector<std::unique_ptr<model_proxy>> proxies_;
};

}  // namespace mongocached::simulation
