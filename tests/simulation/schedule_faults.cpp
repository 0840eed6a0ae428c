// What goes wrong in a random schedule.
#include "schedule.hpp"

#include <algorithm>

namespace mongocached::simulation {

void schedule::election() {
  auto& cluster = world_.cluster;
  const auto lost = cluster.log().size() - cluster.majority();
  // Sessions carry $clusterTime to the new primary: it gives no time again that one of them has seen.
  const bool unseen = std::all_of(clients_.begin(), clients_.end(), [&cluster](const client& c) {
    return !c.causal || c.seen <= cluster.majority_time();
  });
  cluster.elect(cluster.majority() + random_.below(static_cast<std::uint32_t>(lost + 1)), random_.one_in(2) && unseen,
                world_.now());
  world_.trace("election, " + std::to_string(lost) + " operations were at stake");
  // Connections stay with the old primary until the topology is learned; it may go on taking writes.
  for (int i = 0; i < static_cast<int>(world_.proxy_count()); ++i) {
    if (!mood_.deposed || !random_.one_in(2)) continue;
    world_.proxy(i).set_behind(true, false);
    at(some(1000, 100'000), kind::learn, i);
  }
  if (mood_.deposed && random_.one_in(2)) cluster.write_deposed(some_statement(), world_.now());
}

void schedule::redis_fault() {
  auto& redis = world_.redis(master_);
  switch (random_.below(6)) {
    case 0:
      return redis.evict_record(random_.below(items));
    case 1:
      return redis.evict_value(random_.below(items));
    case 2:
      return redis.evict_token(random_.one_in(2) ? key_kind::document : key_kind::list);
    case 3:
      return redis.evict_mark();
    case 4:
      return redis.refuse_writes(random_.one_in(2));
    default:
      redis.flush();
      for (int i = 0; i < static_cast<int>(world_.proxy_count()); ++i) world_.proxy(i).reconnect(master_);
  }
}

// A replica takes over; the proxies come one by one, so that for a while there are two masters.
void schedule::move_master() {
  if (random_.one_in(3)) {
    replica_ = world_.redis(master_);
    return;
  }
  const int next = 1 - master_;
  world_.redis(next) = replica_;
  world_.redis(next).restart(world_.fresh_name());
  master_ = next;
  world_.trace("Redis fails over");
  for (int i = 0; i < static_cast<int>(world_.proxy_count()); ++i) {
    if (random_.one_in(2)) world_.proxy(i).reconnect(master_);
  }
}

void schedule::fault() {
  const auto proxy = static_cast<int>(random_.below(static_cast<std::uint32_t>(world_.proxy_count())));
  switch (random_.below(9)) {
    case 0:
      if (mood_.elections) election();
      return;
    case 1:
      if (mood_.evictions) redis_fault();
      return;
    case 2:
      if (mood_.redis_masters) move_master();
      return;
    case 3:
      if (!mood_.crashes) return;
      world_.trace("proxy " + std::to_string(proxy) + " is killed");
      world_.proxy(proxy).crash(random_.one_in(2));
      return at(some(1000, 100'000), kind::restart, proxy);
    case 4:
      if (!mood_.pauses) return;
      world_.trace("proxy " + std::to_string(proxy) + " is paused");
      world_.proxy(proxy).paused_until = world_.now() + some(50'000, 1'500'000);
      return;
    case 5:
      if (mood_.losses) world_.proxy(proxy).lose_stream(random_.below(5));
      return;
    case 6:
      if (mood_.history && random_.one_in(2)) world_.cluster.forget_history(world_.cluster.majority());
      return;
    case 7:
      for (int i = 0; i < static_cast<int>(world_.proxy_count()); ++i) {
        if (mood_.redis_masters) world_.proxy(i).reconnect(master_);
      }
      return;
    default:
      if (mood_.restores && random_.one_in(3)) restore();
      return;
  }
}

// The cluster is away for longer than the bound; what was on its way to it is lost with it.
void schedule::restore() {
  auto& cluster = world_.cluster;
  for (int i = 0; i < static_cast<int>(world_.proxy_count()); ++i) {
    if (!world_.proxy(i).ready() || world_.proxy(i).paused_until > world_.now()) return;
  }
  const auto size = static_cast<std::uint32_t>(cluster.log().size());
  cluster.restore(size - std::min(size - 1, 1 + random_.below(6)), world_.now());
  world_.trace("restored from a backup that ends at " + std::to_string(cluster.time()));
  world_.set_now(world_.now() + 2 * max_lag);
  world_.judge.restored = world_.now() + max_lag;  // by then who noticed has made a new epoch
  // Whoever sees the cluster only once its time has passed the old one's cannot know: see README.md.
  for (int i = 0; i < static_cast<int>(world_.proxy_count()); ++i) {
    const auto id = world_.start(i, -1, world_.proxy(i).sample());
    while (world_.is_alive(id)) world_.resume(id);
  }
}

}  // namespace mongocached::simulation
