// A scenario: nothing happens but what it says, step by step, and all messages arrive unless it says otherwise.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <map>

#include "model_proxy.hpp"

namespace mongocached::simulation {

class scene final : public director {
 public:
  // Documents 0 to 3 of kinds 0, 0, 1, 1 and prices 1 to 4; every proxy started, its gate open.
  explicit scene(int proxies = 2);

  void waits(flow_id id, step at, int proxy) override;
  fate fate_of(step at) override;
  void late_write(const std::vector<statement>& what, bool together) override { late_.push_back({{}, together, what}); }
  bool chance(std::uint32_t /*one_in*/) override { return stops_in_batches; }
  std::size_t batch_size() override { return batch; }
  void finished(flow_id /*id*/, int /*proxy*/, int /*client*/) override {}

  // Time passes, with samples and the stream going on or without.
  void pass(duration d) { w.set_now(w.now() + d); }
  void pass_in_sync(duration d, int proxy);
  void tick(int times = 1) {
    for (int i = 0; i < times; ++i) w.cluster.tick(w.now());
  }
  void commit() { w.cluster.advance_majority(w.cluster.log().size(), w.now()); }
  void sample(int proxy) { finish(w.start(proxy, -1, w.proxy(proxy).sample())); }
  // Asked of the primary, and its answer on the way back.
  flow_id begin_sample(int proxy);
  void follow(int proxy) { finish(w.start(proxy, -1, w.proxy(proxy).follow())); }
  void keep_house(int proxy) { finish(w.start(proxy, -1, w.proxy(proxy).housekeeping())); }
  // The proxy learns all that a majority has, and its gate opens.
  void sync(int proxy);
  // A majority gets all that was written, and the proxy learns it: at once, or when more than max_lag has passed.
  void catch_up(int proxy);
  void outlast_lag(int proxy);
  void restart(int proxy);
  void without_redis();

  // The next message of that step meets this fate.
  void befalls(step at, fate how, int times = 1);
  void hold_fills() { holds_fills_ = true; }
  void let_fills_arrive();

  flow_id begin_read(int proxy, std::size_t item, cluster_time after = 0,
                     cache::entry_level level = cache::entry_level::local);
  void read(int proxy, std::size_t item, cluster_time after = 0, cache::entry_level level = cache::entry_level::local) {
    finish(begin_read(proxy, item, after, level));
  }
  flow_id begin_write(int proxy, const statement& s, write_shape shape = write_shape::by_id);
  void write(int proxy, const statement& s, write_shape shape = write_shape::by_id) {
    finish(begin_write(proxy, s, shape));
  }
  // Behind all proxies.
  void write_behind(const std::vector<statement>& what, bool together = false) {
    static_cast<void>(w.cluster.write(what, together, w.now()));
  }
  // The servers carry out what was `late`; whoever sent it is then said to know.
  void run_late(int proxy);

  void run_to(flow_id id, step at);
  void finish(flow_id id);

  [[nodiscard]] std::string violation() const {
    return w.judge.violations().empty() ? std::string() : w.judge.violations().front();
  }
  [[nodiscard]] std::uint64_t hits() const noexcept { return w.judge.hits[0] + w.judge.hits[1] + w.judge.hits[2]; }

  std::size_t batch = 100;
  bool stops_in_batches = false;
  std::vector<client> clients;  // one a proxy

 private:
  void do_chores();

  std::map<step, std::vector<fate>> fates_;
  std::vector<flow_id> chores_;  // flows that other flows started
  std::vector<write_request> late_;
  bool holds_fills_ = false;

 public:
  world w;
};

inline statement put(std::uint8_t id, std::uint8_t kind, std::uint8_t price) {
  return {op_kind::replace, id, true, {1, kind, price}};
}
inline statement drop() {
  return {op_kind::drop, 0, true, {}};
}

inline constexpr duration moment = std::chrono::milliseconds(1);
inline constexpr duration longer = max_lag + std::chrono::milliseconds(10);
inline constexpr duration nearly = max_lag - std::chrono::milliseconds(40);
inline constexpr std::size_t list_of_kind_1 = documents + 1;

// The scenario keeps every promise, and breaks one without the guard.
template <class... Guards>
void proves(const std::function<void(scene&)>& play, int proxies, Guards... guards) {
  {
    scene s(proxies);
    play(s);
    EXPECT_EQ(s.violation(), "");
  }
  const without out(guards...);
  scene s(proxies);
  s.w.tracing = std::getenv("MONGOCACHED_SIMULATION_TRACE") != nullptr;
  play(s);
  EXPECT_NE(s.violation(), "") << "nothing is lost without the guard";
}

}  // namespace mongocached::simulation
