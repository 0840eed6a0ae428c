#include "scene.hpp"

namespace mongocached::simulation {

scene::scene(int proxies) : clients(static_cast<std::size_t>(proxies)), w(*this, static_cast<std::size_t>(proxies)) {
  const auto before = w.now() - std::chrono::seconds(5);
  static_cast<void>(w.cluster.write({put(0, 0, 1), put(1, 0, 2), put(2, 1, 3), put(3, 1, 4)}, false, before));
  w.cluster.advance_majority(w.cluster.log().size(), before);
  for (int i = 0; i < proxies; ++i) {
    clients[static_cast<std::size_t>(i)].proxy = i;
    finish(w.start(i, -1, w.proxy(i).start()));
  }
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < proxies; ++i) {
      sync(i);
      keep_house(i);
    }
  }
}

void scene::waits(flow_id id, step at, int /*proxy*/) {
  if (at == step::fill || at == step::open_stream) chores_.push_back(id);
}

fate scene::fate_of(step at) {
  auto& coming = fates_[at];
  if (coming.empty()) return fate::ok;
  const auto how = coming.back();
  coming.pop_back();
  return how;
}

void scene::befalls(step at, fate how, int times) {
  fates_[at].insert(fates_[at].end(), static_cast<std::size_t>(times), how);
}

void scene::run_to(flow_id id, step at) {
  while (w.is_alive(id) && w.at(id) != at) w.resume(id);
}

void scene::finish(flow_id id) {
  while (w.is_alive(id) && w.at(id) != step::joined) w.resume(id);
  do_chores();
}

void scene::do_chores() {
  if (holds_fills_) return;
  auto now = std::exchange(chores_, {});
  for (const auto id : now) {
    while (w.is_alive(id)) w.resume(id);
  }
}

void scene::let_fills_arrive() {
  holds_fills_ = false;
  do_chores();
}

flow_id scene::begin_sample(int proxy) {
  const auto id = w.start(proxy, -1, w.proxy(proxy).sample());
  run_to(id, step::sample_reply);
  return id;
}

void scene::sync(int proxy) {
  for (int i = 0; i < 3; ++i) follow(proxy);
  sample(proxy);
}

void scene::pass_in_sync(duration d, int proxy) {
  pass(d);
  sync(proxy);
}

void scene::catch_up(int proxy) {
  commit();
  sync(proxy);
}

void scene::outlast_lag(int proxy) {
  commit();
  pass_in_sync(longer, proxy);
}

void scene::restart(int proxy) {
  w.proxy(proxy).crash(false);
  finish(w.start(proxy, -1, w.proxy(proxy).start()));
}

void scene::without_redis() {
  for (int i = 0; i < static_cast<int>(w.proxy_count()); ++i) w.proxy(i).uses_redis = false;
}

flow_id scene::begin_read(int proxy, std::size_t item, cluster_time after, cache::entry_level level) {
  auto& c = clients[static_cast<std::size_t>(proxy)];
  return w.start(proxy, -1, w.proxy(proxy).read(c, {item, level, after}));
}

flow_id scene::begin_write(int proxy, const statement& s, write_shape shape) {
  auto& c = clients[static_cast<std::size_t>(proxy)];
  write_request r;
  r.shape = shape;
  r.statements.push_back(s);
  return w.start(proxy, -1, w.proxy(proxy).write(c, std::move(r)));
}

void scene::run_late(int proxy) {
  for (const auto& late : late_) {
    w.cluster.acknowledge(w.cluster.write(late.statements, late.together, w.now()), proxy, w.now());
  }
  late_.clear();
}

}  // namespace mongocached::simulation
