#include "world.hpp"

#include <array>
#include <cstdio>

#include "model_proxy.hpp"

namespace mongocached::simulation {

const char* name_of(step s) noexcept {
  static constexpr std::array names = {"begin",       "get",         "lease",     "read",         "fill",
                                       "write",       "invalidate",  "sample",    "stream",       "open_stream",
                                       "load_mark",   "save_mark",   "get_reply", "lease_reply",  "read_reply",
                                       "write_reply", "acknowledge", "unmark",    "sample_reply", "stream_reply",
                                       "apply",       "applied",     "started",   "joined",       "done"};
  return names[static_cast<std::size_t>(s)];
}

world::world(director& d, std::size_t proxy_count) : luck(d) {
  flows_.reserve(32);
  redis_[0].restart(fresh_name());
  redis_[1].restart(fresh_name());
  for (std::size_t i = 0; i < proxy_count; ++i) {
    proxies_.push_back(std::make_unique<model_proxy>(*this, static_cast<int>(i)));
  }
}

world::~world() {
  for (auto& one : flows_) one.what = {};
  proxies_.clear();
}

flow_id world::start(int proxy, int client, flow f) {
  flow_id id;
  if (free_.empty()) {
    id.slot = static_cast<std::uint32_t>(flows_.size());
    flows_.emplace_back();
  } else {
    id.slot = free_.back();
    free_.pop_back();
  }
  auto& home = flows_[id.slot];
  home.what = std::move(f);
  id.serial = ++home.serial;
  home.proxy = proxy;
  home.client = client;
  resume(id);
  return id;
}

bool world::is_alive(flow_id id) const noexcept {
  return id.slot < flows_.size() && flows_[id.slot].serial == id.serial && flows_[id.slot].what;
}

step world::at(flow_id id) const noexcept {
  return is_alive(id) ? flows_[id.slot].what.at() : step::done;
}

void world::resume(flow_id id) {
  if (!is_alive(id)) return;
  const auto outer = std::exchange(current_, id);
  // The flow may start others, which may move the table; its frame stays where it is.
  flow running_one = std::move(flows_[id.slot].what);
  if (tracing) trace(std::string("proxy ") + std::to_string(flows_[id.slot].proxy) + " " + name_of(running_one.at()));
  running_one.resume();
  current_ = outer;
  const bool killed = flows_[id.slot].serial != id.serial;
  if (killed) return;
  flows_[id.slot].what = std::move(running_one);
  after_step(id);
}

void world::after_step(flow_id id) {
  auto& home = flows_[id.slot];
  const auto where = home.what.at();
  const int proxy = home.proxy;
  const int client = home.client;
  if (where == step::done) {
    home.what = {};
    free_.push_back(id.slot);
    luck.finished(id, proxy, client);
  } else {
    luck.waits(id, where, proxy);
  }
}

void world::wake(flow_id id) {
  if (is_alive(id)) {
    luck.waits(id, step::read_reply, flows_[id.slot].proxy);
  }
}

void world::kill_flows(int proxy, bool messages_arrive) {
  for (std::uint32_t slot = 0; slot < flows_.size(); ++slot) {
    auto& one = flows_[slot];
    if (one.proxy != proxy || !one.what) continue;
    if (messages_arrive && is_elsewhere(one.what.at())) one.what.resume();
    const int client = one.client;
    const flow_id id{slot, one.serial};
    one.what = {};
    ++one.serial;
    free_.push_back(slot);
    luck.finished(id, proxy, client);
  }
}

void world::trace(const std::string& line) const {
  if (!tracing) return;
  std::fprintf(stderr, "%8.3f ms  H %llu  %s\n", static_cast<double>(now_.count()) / 1e6,
               static_cast<unsigned long long>(cluster.majority_time()), line.c_str());
}

}  // namespace mongocached::simulation
