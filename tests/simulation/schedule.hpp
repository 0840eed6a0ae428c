// A random schedule: clients that read and write, samples, stream batches and faults, all from one seed.
#pragma once

#include <vector>

#include "model_proxy.hpp"

namespace mongocached::simulation {

struct schedule_result {
  std::uint64_t steps = 0;
  std::uint64_t reads = 0;
  std::uint64_t hits[3] = {};
  std::vector<std::string> violations;
};

class schedule final : public director {
 public:
  schedule(std::uint64_t seed, bool tracing);
  schedule_result run(std::size_t steps);

  void waits(flow_id id, step at, int proxy) override;
  fate fate_of(step at) override;
  void late_write(const std::vector<statement>& what, bool together) override;
  bool chance(std::uint32_t one_in) override { return random_.one_in(one_in); }
  std::size_t batch_size() override { return random_.one_in(3) ? 1 : 8; }
  void finished(flow_id id, int proxy, int client) override;

 private:
  enum class kind : std::uint8_t {
    resume,
    act,
    sample,
    follow,
    housekeep,
    majority,
    fault,
    late_write,
    restart,
    learn
  };
  struct event {
    instant when;
    std::uint64_t order;
    kind what;
    int index;
    flow_id id;
    [[nodiscard]] bool operator<(const event& o) const noexcept {
      return when != o.when ? when > o.when : order > o.order;
    }
  };
  // What may go wrong in this schedule.
  struct mood {
    bool elections, deposed, losses, redis_losses, redis_masters, evictions, crashes, pauses, history, ddl, unseen,
        slow, stalls, busy, restores;
  };

  void at(duration later, kind what, int index, flow_id id = {});
  [[nodiscard]] duration some(std::uint32_t least_us, std::uint32_t most_us);
  [[nodiscard]] bool postpone(const event& e);
  void handle(const event& e);
  void periodic(const event& e);
  void act(int client);
  void act_read(int client, int proxy);
  void act_write(int client, int proxy);
  [[nodiscard]] statement some_statement();
  void fault();
  void election();
  void redis_fault();
  void move_master();
  void restore();
  void bring_up(int proxy);

  random_source random_;
  mood mood_{};
  world world_;
  std::vector<event> queue_;
  std::uint64_t order_ = 0;
  std::vector<client> clients_;
  std::vector<write_request> late_;
  model_redis replica_;
  int master_ = 0;
};

}  // namespace mongocached::simulation
