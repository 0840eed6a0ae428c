#include "schedule.hpp"

#include <algorithm>

namespace mongocached::simulation {
namespace {

constexpr std::size_t proxies = 2;
constexpr int causal_client = 4;

}  // namespace

schedule::schedule(std::uint64_t seed, bool tracing) : random_(seed), world_(*this, proxies) {
  world_.tracing = tracing;
  queue_.reserve(64);
  const auto flag = [this] { return random_.one_in(4); };
  mood_ = {flag(), flag(), flag(), flag(), flag(), flag(), flag(), flag(),
           flag(), flag(), flag(), flag(), flag(), flag(), flag()};
  for (int i = 0; i <= causal_client; ++i) {
    clients_.push_back({.proxy = i % static_cast<int>(proxies), .causal = i == causal_client});
    at(some(12'000, 60'000), kind::act, i);
  }
  std::vector<statement> rows;
  for (std::uint8_t i = 0; i < documents; ++i) {
    if (!random_.one_in(4)) rows.push_back({op_kind::insert, i, true, some_statement().to});
  }
  static_cast<void>(world_.cluster.write(rows, false, world_.now() - std::chrono::seconds(5)));
  world_.cluster.advance_majority(world_.cluster.log().size(), world_.now() - std::chrono::seconds(4));
  for (std::size_t i = 0; i < proxies; ++i) {
    const auto p = static_cast<int>(i);
    bring_up(p);
    at(some(0, 5000), kind::sample, p);
    at(some(3000, 10'000), kind::follow, p);
    at(some(0, 90'000), kind::housekeep, p);
  }
  at(some(1000, 20'000), kind::majority, 0);
  at(some(100'000, 200'000), kind::fault, 0);
}

void schedule::bring_up(int proxy) {
  world_.start(proxy, -1, world_.proxy(proxy).start());
}

void schedule::at(duration later, kind what, int index, flow_id id) {
  queue_.push_back({world_.now() + later, ++order_, what, index, id});
  std::push_heap(queue_.begin(), queue_.end());
}

duration schedule::some(std::uint32_t least_us, std::uint32_t most_us) {
  return std::chrono::microseconds(least_us + random_.below(most_us - least_us + 1));
}

void schedule::waits(flow_id id, step where, int proxy) {
  if (where == step::joined) return;  // until it is woken
  auto later = some(50, 3000);
  if (random_.one_in(16)) later = some(1000, mood_.slow ? 900'000 : 60'000);
  at(later, kind::resume, proxy, id);
}

fate schedule::fate_of(step where) {
  const bool redis = where == step::get || where == step::lease || where == step::fill || where == step::invalidate ||
                     where == step::load_mark;
  if (redis ? !mood_.redis_losses : !mood_.losses) return fate::ok;
  if (!random_.one_in(where == step::stream || where == step::sample ? 4 : 8)) return fate::ok;
  const auto which = random_.below(3);
  return which == 0 ? fate::reply_lost : which == 1 ? fate::lost : fate::late;
}

void schedule::late_write(const std::vector<statement>& what, bool together) {
  late_.push_back({write_shape::by_id, together, what});
  at(some(1000, 1'500'000), kind::late_write, static_cast<int>(late_.size() - 1));
}

void schedule::finished(flow_id /*id*/, int /*proxy*/, int client) {
  if (client >= 0) at(some(1000, 30'000), kind::act, client);
}

// A paused process does what came for it when it wakes; other machines go on.
bool schedule::postpone(const event& e) {
  int proxy = -1;
  if (e.what == kind::sample || e.what == kind::follow || e.what == kind::housekeep) proxy = e.index;
  if (e.what == kind::resume && !is_elsewhere(world_.at(e.id))) proxy = e.index;
  if (e.what == kind::act) proxy = clients_[static_cast<std::size_t>(e.index)].proxy;
  if (proxy < 0) return false;
  const auto until = world_.proxy(proxy).paused_until;
  if (until <= world_.now()) return false;
  at(until - world_.now(), e.what, e.index, e.id);
  return true;
}

schedule_result schedule::run(std::size_t steps) {
  schedule_result out;
  for (; out.steps < steps && world_.judge.violations().empty(); ++out.steps) {
    std::pop_heap(queue_.begin(), queue_.end());
    const auto next = queue_.back();
    queue_.pop_back();
    if (next.when > world_.now()) world_.set_now(next.when);
    if (!postpone(next)) handle(next);
  }
  out.reads = world_.judge.reads;
  std::copy(std::begin(world_.judge.hits), std::end(world_.judge.hits), out.hits);
  out.violations = world_.judge.violations();
  return out;
}

void schedule::handle(const event& e) {
  auto& cluster = world_.cluster;
  switch (e.what) {
    case kind::resume:
      return world_.resume(e.id);
    case kind::act:
      return act(e.index);
    case kind::sample:
    case kind::follow:
    case kind::housekeep:
      return periodic(e);
    case kind::majority:
      if (random_.one_in(6)) cluster.tick(world_.now());
      cluster.advance_majority(cluster.majority() + random_.below(8), world_.now());
      return at(mood_.stalls && random_.one_in(8) ? some(100'000, 900'000) : some(1000, 25'000), kind::majority, 0);
    case kind::fault:
      fault();
      return at(some(10'000, 200'000), kind::fault, 0);
    case kind::late_write: {
      const auto& late = late_[static_cast<std::size_t>(e.index)];
      const auto reply = cluster.write(late.statements, late.together, world_.now());
      return world_.trace("late write at " + std::to_string(reply.operation_time));
    }
    case kind::restart:
      return bring_up(e.index);
    case kind::learn:
      return world_.proxy(e.index).set_behind(false, true);
  }
}

void schedule::periodic(const event& e) {
  auto& proxy = world_.proxy(e.index);
  switch (e.what) {
    case kind::sample:
      if (!proxy.has_sample()) world_.start(e.index, -1, proxy.sample());
      return at(some(30'000, 60'000), kind::sample, e.index);
    case kind::follow:
      if (proxy.ready() && !proxy.is_following()) world_.start(e.index, -1, proxy.follow());
      return at(some(5000, 40'000), kind::follow, e.index);
    default:
      world_.start(e.index, -1, proxy.housekeeping());
      return at(some(40'000, 120'000), kind::housekeep, e.index);
  }
}

void schedule::act(int client) {
  auto& c = clients_[static_cast<std::size_t>(client)];
  if (c.causal) c.proxy = static_cast<int>(random_.below(proxies));
  if (random_.below(100) < (mood_.busy ? 75U : 92U)) {
    act_read(client, c.proxy);
  } else {
    act_write(client, c.proxy);
  }
}

void schedule::act_read(int client, int proxy) {
  auto& c = clients_[static_cast<std::size_t>(client)];
  read_request r;
  r.item = random_.below(random_.one_in(5) ? items : 2 + documents / 2);
  if (r.item >= documents / 2 && r.item < 4) r.item += 2;  // some are asked for more often
  r.level = client == 1 ? cache::entry_level::majority : cache::entry_level::local;
  r.after = c.causal ? c.seen : 0;
  if (world_.tracing) {
    world_.trace("client " + std::to_string(client) + " reads item " + std::to_string(r.item) + " at proxy " +
                 std::to_string(proxy) + (r.after != 0 ? " after " + std::to_string(r.after) : ""));
  }
  world_.start(proxy, client, world_.proxy(proxy).read(c, r));
}

statement schedule::some_statement() {
  static constexpr op_kind kinds[] = {op_kind::insert, op_kind::replace, op_kind::update, op_kind::update,
                                      op_kind::remove};
  statement s;
  s.what = kinds[random_.below(5)];
  s.id = static_cast<std::uint8_t>(random_.below(documents));
  s.sets_kind = random_.one_in(2);
  s.to = {1, static_cast<std::uint8_t>(random_.below(2)), static_cast<std::uint8_t>(random_.below(6))};
  return s;
}

void schedule::act_write(int client, int proxy) {
  write_request r;
  const auto dice = random_.below(20);
  r.statements.push_back(some_statement());
  if (dice < 4) r.shape = write_shape::keys_only;
  if (dice == 4 || dice == 5) {
    r.shape = write_shape::collection;
    r.statements.push_back(some_statement());
  }
  if (dice == 6 || dice == 7) {
    r.together = true;
    r.statements.push_back(some_statement());
    r.statements.push_back(some_statement());
    if (mood_.unseen) r.shape = write_shape::hidden;
  }
  if (dice == 8 && mood_.ddl) {
    r.shape = write_shape::ddl;
    r.statements.front().what = op_kind::drop;
  }
  if (world_.tracing) {
    world_.trace("client " + std::to_string(client) + " writes document " + std::to_string(r.statements.front().id) +
                 " (shape " + std::to_string(static_cast<int>(r.shape)) + ", " + std::to_string(r.statements.size()) +
                 ") at proxy " + std::to_string(proxy));
  }
  world_.start(proxy, client, world_.proxy(proxy).write(clients_[static_cast<std::size_t>(client)], std::move(r)));
}

}  // namespace mongocached::simulation
