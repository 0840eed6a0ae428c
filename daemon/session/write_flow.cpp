// A write's way (coherence W1): mark, forward, on any outcome invalidate here and in Redis, acknowledge, unmark.
#include "daemon/session/flows.hpp"

namespace mongocached::daemon {
namespace {

// Tells Redis; goes on when it has acknowledged, or when the store says that it will not be waited for any longer (W7).
task<void> invalidate_shared(session& s, const cache::pending_write& pending) {
  auto* store = s.thread().store.get();
  if (store == nullptr) co_return;
  std::vector<std::shared_ptr<one_shot<cache::store_status>>> answers;
  for (auto& what : pending.for_redis()) {
    auto answer = std::make_shared<one_shot<cache::store_status>>(s.thread().get_executor());
    store->invalidate(std::move(what), [answer](cache::store_status status) { answer->deliver(status); });
    answers.push_back(std::move(answer));
  }
  for (const auto& answer : answers) co_await answer->wait();
}

// Codes by which the server says that it has not begun to carry out the command.
bool changed_nothing(const protocol::reply_view& reply) noexcept {
  const auto code = static_cast<protocol::error_code>(reply.code);
  return !reply.ok && (code == protocol::error_code::command_not_found || code == protocol::error_code::unauthorized);
}

// Behind a mongos an error may come from one shard while others are still at work (W5).
bool is_outcome_known(session& s, const upstream_reply& reply) noexcept {
  return reply.viewed && (reply.view.ok || s.thread().upstream->kind != upstream_kind::sharded);
}

void settle_locally(session& s, cache::pending_write& pending, const upstream_reply& reply) {
  if (is_outcome_known(s, reply)) {
    pending.invalidate(reply.view.operation_time);
  } else {
    pending.invalidate_unknown(data_thread::now());
  }
  s.thread().metrics.invalidations[static_cast<std::size_t>(invalidation_source::write)].add();
}

task<exchange> lost(session& s, cache::pending_write& pending, exchange how) {
  pending.invalidate_unknown(data_thread::now());
  s.thread().metrics.invalidations[static_cast<std::size_t>(invalidation_source::write)].add();
  co_await invalidate_shared(s, pending);
  co_return how;
}

// w: 0 has no reply: a ping behind it on the same connection tells when it is through (W5). The client's next message
// waits for that, and so stays behind the write (U5).
task<exchange> settle_unacknowledged(session& s, cache::pending_write& pending) {
  protocol::byte_buffer ping;
  {
    protocol::bson_builder command(ping);
    command.append_int32("ping", 1);
    command.append_string("$db", "admin");
  }
  upstream_reply reply;
  if (!co_await s.ask(ping, reply.bytes, reply.view)) {
    s.drop_upstream();
    co_return co_await lost(s, pending, s.is_open() ? exchange::upstream_lost : exchange::client_lost);
  }
  reply.viewed = true;
  settle_locally(s, pending, reply);
  co_await invalidate_shared(s, pending);
  co_return exchange::ok;
}

task<exchange> write_through(session& s, request& r, const cache::write_plan& plan, cache::pending_write& pending) {
  const auto how = co_await forward(s, r);
  if (how == exchange::no_upstream) {
    pending.forget();
    co_return how;
  }
  if (how != exchange::ok) co_return co_await lost(s, pending, how);
  if (r.command.message.has(protocol::op_msg_flags::more_to_come)) co_return co_await settle_unacknowledged(s, pending);

  upstream_reply reply;
  if (const auto got = co_await receive(s, reply); got != exchange::ok) co_return co_await lost(s, pending, got);
  if (plan.unknown_command && reply.viewed && changed_nothing(reply.view)) {
    pending.forget();
  } else {
    settle_locally(s, pending, reply);
    if (plan.deferred && reply.viewed) s.shared().writing_cursors.opened(reply.view.cursor_id, plan.targets);
    co_await invalidate_shared(s, pending);
  }
  if (plan.kind == cache::command_kind::authorization) s.shared().authorization.revoke_all();
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
  // I2: proofs of before fall when the command is sent, and those that were given meanwhile when it is answered.
  if (plan.kind == cache::command_kind::authorization) s.shared().authorization.revoke_all();
  exchange how = exchange::ok;
  {
    cache::pending_write pending(s.shared().coherence, std::move(targets), plan.unknown_command);
    how = co_await write_through(s, r, plan, pending);
  }
  if (how != exchange::ok && plan.kind == cache::command_kind::authorization) s.shared().authorization.revoke_all();
  if (how != exchange::ok) co_await fail(s, r, how);
  s.finished(r, {how == exchange::ok ? outcome::write : outcome::error, cache::bypass_reason::none});
}

}  // namespace mongocached::daemon
