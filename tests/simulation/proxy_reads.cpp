// The daemon's read flow (daemon/session/read_flow*.cpp, hit_path.cpp): look up, join or lead, Redis, lease, read,
// store.
#include "model_proxy.hpp"

namespace mongocached::simulation {

using cache::entry_level;
using begun = cache::flight_table::begun;

cache::entry_ref model_proxy::make_entry(const read_request& r, std::uint64_t generation, cluster_time lower,
                                         const read_reply& reply, instant sent) const {
  byte_buffer value;
  value_of(value, r.item, reply.all);
  cache::entry_meta meta;
  meta.kind = kind_of(r.item) == key_kind::list ? cache::entry_kind::list
              : value.empty()                   ? cache::entry_kind::absent
                                                : cache::entry_kind::document;
  meta.level = r.level;
  meta.generation = generation;
  meta.lower = is_kept(model_guard::lower_is_sent) ? lower : reply.operation_time;
  meta.upper = reply.operation_time;
  meta.filled = sent;
  meta.expires = never;
  const auto key = key_of(r.item);
  return cache::entry::make(key.bytes, key.hash, meta, value);
}

// R3.
cache::entry_ref model_proxy::adopt(const read_request& r, const cache::reader& who, const model_redis::found& found,
                                    std::uint64_t generation) {
  const auto& stored = found.value;
  if (!stored.entry || found.token == 0 || stored.token != found.token) return {};
  const bool same = stored.epoch == found.epoch && found.epoch == trusted_epoch_;
  if (!same && is_kept(model_guard::epoch)) return {};
  cluster_time lower = 0;
  const auto newest = is_kept(model_guard::newest_in_redis) ? found.newest : 0;
  if (!state_->may_adopt(*ns_, kind_of(r.item), *stored.entry, newest, lower)) return {};
  auto meta = stored.entry->meta();
  meta.generation = generation;
  meta.lower = lower;
  meta.filled = world_.now();
  auto fresh = cache::entry::make(stored.entry->key(), stored.entry->hash(), meta, stored.entry->value());
  return state_->may_answer(fresh->meta(), who, world_.now()) ? fresh : cache::entry_ref{};
}

void model_proxy::serve(const read_request& r, instant since, source from, const cache::entry& e) {
  const served s{index_, r.item, r.level, r.after, since, from, read_answer(r.item, e)};
  if (world_.tracing) {
    static constexpr const char* names[] = {"memory", "a flight", "Redis"};
    world_.trace("  hit from " + std::string(names[static_cast<std::size_t>(from)]) + ": " + text_of(r.item, s.what));
  }
  const auto before_it = world_.judge.violations().size();
  world_.judge.look_at(world_.cluster, s, max_lag);
  if (world_.judge.violations().size() != before_it) world_.trace("VIOLATION " + world_.judge.violations().back());
}

flow model_proxy::read(client& c, read_request r) {
  const auto since = world_.now();
  ++world_.judge.reads;
  const auto kind = kind_of(r.item);
  const auto key = key_of(r.item);
  cache::reader who{r.level, r.after, state_->stream().applied_to(), cache::promise::bounded, max_lag};
  const auto usable = [&](const cache::entry_ref& e) { return e && state_->may_answer(e->meta(), who, world_.now()); };
  bool forward = !started_ || !state_->is_open(who, since) || state_->blocked(since);
  if (!forward && uses_memory) {
    if (const auto e = state_->find(*ns_, kind, key, since); usable(e)) {
      serve(r, since, source::memory, *e);
      c.saw(e->meta().upper);
      co_return;
    }
  }
  cache::flight_ref flight;
  cluster_time lower = 0;
  if (!forward) {
    const auto applied = state_->stream().applied_to();
    const auto needed = std::max(r.after, state_->fence(*ns_, kind, key.hash));
    lower = std::max(needed, applied);
    const auto me = world_.current();
    const auto got = std::make_shared<cache::entry_ref>();
    auto result = state_->flights().begin(*ns_, kind, key, r.level, {needed, lower}, is_kept(model_guard::coalesce),
                                          since, [&]() -> cache::flight::waiter {
                                            return [w = &world_, me, got](cache::entry_ref e) {
                                              *got = std::move(e);
                                              w->wake(me);
                                            };
                                          });
    flight = std::move(result.led);
    forward = result.how == begun::blocked;
    if (result.how == begun::join) {
      co_await before(step::joined);
      forward = !usable(*got);
      if (!forward) {
        serve(r, since, source::joined, **got);
        c.saw((*got)->meta().upper);
        co_return;
      }
    }
  }
  model_redis::lease_answer lease;
  if (!forward && trusts_redis()) {
    co_await before(step::get);
    const auto found = redis().get(r.item);
    const bool answered = world_.luck.fate_of(step::get) == fate::ok;
    co_await before(step::get_reply);
    who.applied = state_->stream().applied_to();
    if (answered && trusts_redis()) {
      const auto generation = flight ? flight->generation() : 0;
      if (const auto e = adopt(r, who, found, generation)) {
        if (flight) static_cast<void>(state_->flights().finish(*flight, e, uses_memory));
        serve(r, since, source::redis, *e);
        c.saw(e->meta().upper);
        co_return;
      }
    }
    if (flight && trusts_redis()) {
      const auto epoch = trusted_epoch_;
      co_await before(step::lease);
      lease = redis().lease(r.item, epoch, world_.fresh_name(), world_.now());
      const bool told = world_.luck.fate_of(step::lease) == fate::ok;
      co_await before(step::lease_reply);
      if (!told || (lease.epoch != epoch && is_kept(model_guard::epoch))) lease = {};
      lower = std::max(lower, lease.fence);
    }
  }
  if (!forward && lower > state_->newest_operation_time()) {
    forward = true;
    if (flight) state_->flights().abandon(*flight);
    flight = nullptr;
  }
  if (flight) state_->flights().set_lower(*flight, lower);
  const auto sent = world_.now();
  const auto asked = forward ? r.after : is_kept(model_guard::causal_read) ? lower : 0;
  std::optional<read_reply> reply;
  bool stale_server = false;
  co_await before(step::read);
  stale_server = reads_behind_;
  reply = stale_server ? world_.cluster.read_behind(r.level, asked) : world_.cluster.read(r.level, asked, world_.now());
  const bool knew = knows_primary_;
  const auto server = stale_server ? std::string("behind") : std::to_string(world_.cluster.term());
  const bool lost = world_.luck.fate_of(step::read) != fate::ok;
  co_await before(step::read_reply);
  // The server computes operationTime when the command has run: it says nothing of the snapshot.
  const bool same_server = !stale_server && server == std::to_string(world_.cluster.term());
  if (reply && same_server && r.level == entry_level::local) reply->operation_time = world_.cluster.time();
  if (lost || !reply) {
    if (flight) state_->flights().abandon(*flight);
    if (lease.granted) redis().release(r.item, lease.lease);
    co_return;
  }
  if (!stale_server || is_kept(model_guard::current_primary)) c.saw(reply->operation_time);
  const bool current = !stale_server || !(knew && knows_primary_) || !is_kept(model_guard::current_primary);
  if (!flight) co_return;
  if (!current || !state_->settled().may_fill(server)) {
    state_->flights().abandon(*flight);
    co_return;
  }
  const auto fresh = make_entry(r, flight->generation(), lower, *reply, sent);
  const bool clean = state_->flights().finish(*flight, fresh, uses_memory);
  if (world_.tracing) {
    world_.trace("  read " + text_of(r.item, read_answer(r.item, *fresh)) + " L " +
                 std::to_string(fresh->meta().lower) + " U " + std::to_string(fresh->meta().upper) +
                 (clean ? "" : " (dirty)"));
  }
  if (!clean || !lease.granted) co_return;
  settling_.push_back({{r.item, lease.epoch, lease.token, lease.lease, fresh->meta().lower, fresh},
                       fresh->meta().upper,
                       r.level,
                       flight->generation()});
  settle_fills();
}

// S1: daemon/settling_fills.
void model_proxy::settle_fills() {
  for (std::size_t i = 0; i < settling_.size();) {
    auto& one = settling_[i];
    const bool settled = one.level == entry_level::majority || state_->settled().is_settled(one.upper) ||
                         !is_kept(model_guard::redis_after_settled);
    if (!settled) {
      ++i;
      continue;
    }
    const bool same = ns_->generation(kind_of(one.what.item)) == one.generation;
    auto request = std::move(one.what);
    settling_[i] = std::move(settling_.back());
    settling_.pop_back();
    if (same) world_.start(index_, -1, fill(std::move(request)));
  }
}

flow model_proxy::fill(model_redis::fill_request what) {
  co_await before(step::fill);
  if (world_.luck.fate_of(step::fill) == fate::lost) co_return;
  const bool stored = redis().fill(what);
  if (world_.tracing) world_.trace(stored ? "  stored in Redis" : "  refused by Redis");
}

}  // namespace mongocached::simulation
