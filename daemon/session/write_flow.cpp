// A write's way (coherence W1): mark, forward, on any outcome invalidate here and in Redis, acknowledge, unmark.
#include <algorithm>

#include "daemon/session/flows.hpp"

namespace mongocached::daemon {
namespace {

// A write on its way: what it holds back here, and what was announced of it in Redis (mode `strict`). `pending` is
// empty until the server can carry it out: who sends slowly holds back nobody.
struct write_state {
  std::vector<cache::write_target> targets;
  bool tentative = false;
  std::optional<cache::pending_write> pending{};
  std::vector<cache::invalidation> announced{};
};

using store_answer = std::shared_ptr<one_shot<cache::store_status>>;

store_answer ask_invalidation(session& s, cache::invalidation what) {
  auto answer = std::make_shared<one_shot<cache::store_status>>(s.thread().get_executor());
  s.thread().store->invalidate(std::move(what), [answer](cache::store_status status) { answer->deliver_here(status); });
  return answer;
}

bool has_strict(session& s) {
  return uses_mode(*s.thread().settings, config::cache_mode::strict);
}

// Redis is not asked yet: what is to be told it waits (W7).
void owe_to_shared(session& s, const write_state& write) {
  if (!s.thread().settings->redis.uri) return;
  for (auto& what : write.pending->for_redis(has_strict(s))) s.thread().early.add(std::move(what));
}

// Tells Redis what falls, and takes back what was announced.
std::vector<store_answer> tell_shared(session& s, write_state& write) {
  std::vector<store_answer> answers;
  if (s.thread().store == nullptr) {
    owe_to_shared(s, write);
    return answers;
  }
  for (auto& what : write.pending->for_redis(has_strict(s))) answers.push_back(ask_invalidation(s, std::move(what)));
  for (auto& what : std::exchange(write.announced, {})) {
    what.announced = true;
    what.fence = write.pending->fence();
    what.hold = write.pending->hold();
    answers.push_back(ask_invalidation(s, std::move(what)));
  }
  return answers;
}

// Goes on when Redis has acknowledged, or when the store says that it will not be waited for any longer (W7).
task<void> invalidate_shared(session& s, write_state& write) {
  for (const auto& answer : tell_shared(s, write)) co_await answer->wait();
}

config::cache_mode mode_of(session& s, const cache::write_target& target) {
  return s.thread().settings->cache_for(cache::full_name(target.db, target.collection)).mode;
}

// W1, mode `strict`: no other process may answer from Redis while the write is on its way.
task<void> announce(session& s, write_state& write) {
  if (s.thread().store == nullptr || !has_strict(s)) co_return;
  std::vector<store_answer> answers;
  for (const auto& target : write.pending->targets()) {
    if (target.collection.empty() || mode_of(s, target) != config::cache_mode::strict) continue;
    auto& what = write.announced.emplace_back();
    what.ns = cache::full_name(target.db, target.collection);
    what.key_bytes = target.key_bytes;
    what.keys = target.keys;
    what.documents = target.reach == cache::extent::collection;
    what.lists = false;
    what.announcement = cache::new_announcement();
    auto answer = std::make_shared<one_shot<cache::store_status>>(s.thread().get_executor());
    s.thread().store->announce(what, [answer](cache::store_status status) { answer->deliver_here(status); });
    answers.push_back(std::move(answer));
  }
  for (const auto& answer : answers) co_await answer->wait();
}

// Readers in mode `ttl` wait for no stream.
void note_modes(session& s, std::vector<cache::write_target>& targets) {
  if (!uses_mode(*s.thread().settings, config::cache_mode::ttl)) return;
  for (auto& target : targets) {
    target.waits_for_stream = !target.collection.empty() && mode_of(s, target) != config::cache_mode::ttl;
  }
}

task<void> begin(session& s, write_state& write) {
  note_modes(s, write.targets);
  write.pending.emplace(s.shared().coherence, std::move(write.targets), write.tentative, data_thread::now());
  co_await announce(s, write);
}

// Codes by which the server says that it has not begun to carry out the command.
bool changed_nothing(const protocol::reply_view& reply) noexcept {
  const auto code = static_cast<protocol::error_code>(reply.code);
  return !reply.ok && (code == protocol::error_code::command_not_found || code == protocol::error_code::unauthorized);
}

// What anybody may send who may do nothing must not cost the others what is cached.
bool was_refused(session& s, const cache::write_plan& plan, const upstream_reply& reply) noexcept {
  if (!reply.viewed || !changed_nothing(reply.view)) return false;
  return plan.unknown_command || s.thread().upstream->kind != upstream_kind::sharded;
}

// Behind a mongos an error may come from one shard while others are still at work (W5).
bool is_outcome_known(session& s, const upstream_reply& reply) noexcept {
  return reply.viewed && (reply.view.ok || s.thread().upstream->kind != upstream_kind::sharded);
}

// By the errors (those of a bulkWrite are counted), and by `n`: a replacement whose filter matched nothing did nothing.
bool was_done_as_told(const cache::pending_write& pending, const upstream_reply& reply) {
  const auto errors = reply.body.find("nErrors");
  if (!reply.view.ok || reply.view.has_write_errors || (errors && errors->integer() != 0)) return false;
  std::int64_t replaced = 0;
  for (const auto& target : pending.targets()) {
    replaced += std::ranges::count_if(
        target.changes, [](const cache::planned_change& one) { return one.what == cache::list_write::kind::replaced; });
  }
  if (replaced == 0) return true;
  const auto done = reply.body.find("n");
  return done && done->integer().value_or(0) >= replaced;
}

void settle_locally(session& s, cache::pending_write& pending, const upstream_reply& reply) {
  if (is_outcome_known(s, reply)) {
    pending.invalidate(reply.view.operation_time, was_done_as_told(pending, reply));
  } else {
    pending.invalidate_unknown(data_thread::now());
  }
  s.thread().metrics.invalidations[static_cast<std::size_t>(invalidation_source::write)].add();
}

void lose_locally(session& s, write_state& write) {
  write.pending->invalidate_unknown(data_thread::now());
  s.thread().metrics.invalidations[static_cast<std::size_t>(invalidation_source::write)].add();
}

task<exchange> lost(session& s, write_state& write, exchange how) {
  lose_locally(s, write);
  co_await invalidate_shared(s, write);
  co_return how;
}

// The flow ends here. Nobody is told of the outcome, and nothing is awaited.
void lose_without_waiting(session& s, write_state& write) {
  if (!write.pending) return;
  lose_locally(s, write);
  static_cast<void>(tell_shared(s, write));
}

// w: 0 has no reply: a ping behind it on the same connection tells when it is through (W5). The client's next message
// waits for that, and so stays behind the write (U5).
task<exchange> settle_unacknowledged(session& s, write_state& write) {
  protocol::byte_buffer ping;
  {
    protocol::bson_builder command(ping);
    command.append_int32("ping", 1);
    command.append_string("$db", "admin");
  }
  upstream_reply reply;
  if (!co_await s.ask(ping, reply.bytes, reply.view)) {
    s.drop_upstream();
    co_return co_await lost(s, write, s.is_open() ? exchange::upstream_lost : exchange::client_lost);
  }
  reply.viewed = true;
  settle_locally(s, *write.pending, reply);
  co_await invalidate_shared(s, write);
  co_return exchange::ok;
}

// Nothing was changed; but what was announced has to be taken back.
task<void> forget(session& s, write_state& write) {
  write.pending->forget();
  if (!write.announced.empty()) co_await invalidate_shared(s, write);
}

void note_writing_cursor(session& s, const request& r, const cache::write_plan& plan, const upstream_reply& reply) {
  protocol::cursor_view cursor;
  if (!reply.viewed || !protocol::view_cursor(reply.view, cursor)) return;
  auto& cursors = s.shared().writing_cursors;
  if (plan.deferred) cursors.opened(cursor.id, plan.targets);
  const bool ended = reply.view.ok && cursor.id == 0;
  if (ended && r.command.is("getMore")) cursors.exhausted(r.command.first.integer().value_or(0));
}

task<exchange> write_through(session& s, request& r, const cache::write_plan& plan, write_state& write) {
  const step begin_now = [&s, &write] { return begin(s, write); };
  if (r.whole()) co_await begin_now();
  const auto how = co_await forward(s, r, {}, &begin_now);
  if (!write.pending) co_return how;
  if (how == exchange::no_upstream) {
    co_await forget(s, write);
    co_return how;
  }
  if (how != exchange::ok) co_return co_await lost(s, write, how);
  if (r.command.message.has(protocol::op_msg_flags::more_to_come)) {
    const auto settled = co_await settle_unacknowledged(s, write);
    if (plan.kind == cache::command_kind::authorization) s.shared().authorization.revoke_all();
    co_return settled;
  }

  upstream_reply reply;
  if (const auto got = co_await receive(s, reply); got != exchange::ok) co_return co_await lost(s, write, got);
  s.release_upstream();  // Redis is none of its business
  // A statement that fails ends its transaction, and nothing was changed.
  const bool failed = plan.uncommitted && reply.viewed && !reply.view.ok;
  const bool refused = failed || was_refused(s, plan, reply);
  if (plan.kind == cache::command_kind::authorization && !refused) s.shared().authorization.revoke_all();
  if (refused) {
    co_await forget(s, write);
  } else {
    static const upstream_reply untold;
    settle_locally(s, *write.pending, plan.uncommitted ? untold : reply);
    note_writing_cursor(s, r, plan, reply);
    co_await invalidate_shared(s, write);
  }
  const auto delivered = co_await deliver(s, reply);
  if (reply.viewed) leave_deposed(s, reply.view);
  co_return delivered;
}

}  // namespace

task<void> serve_write(session& s, request& r, cache::write_plan plan) {
  auto targets = plan.targets;
  if (plan.kind == cache::command_kind::commit) {
    targets = s.shared().transactions.committed(r.command.lsid, r.command.txn_number);
  }
  // I2: while a user or role command is on its way nobody is answered from here; when it is answered all proofs fall,
  // those that were given meanwhile too, unless it was refused.
  const bool authorizes = plan.kind == cache::command_kind::authorization;
  exchange how = exchange::ok;
  {
    write_state write{std::move(targets), authorizes || plan.unknown_command};
    try {
      how = co_await write_through(s, r, plan, write);
    } catch (...) {
      lose_without_waiting(s, write);
      throw;
    }
    if (how != exchange::ok && authorizes) s.shared().authorization.revoke_all();
  }
  if (how != exchange::ok) co_await fail(s, r, how);
  s.finished(r, {how == exchange::ok ? outcome::write : outcome::error, cache::bypass_reason::none});
}

}  // namespace mongocached::daemon
