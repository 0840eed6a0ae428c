// The daemon's write flow (daemon/session/write_flow.cpp): mark, forward, invalidate, acknowledge, unmark.
#include "model_proxy.hpp"
#include "protocol/bson_builder.hpp"

namespace mongocached::simulation {
namespace {

using cache::extent;
using cache::list_write;

cache::planned_change change_of(const statement& s) {
  cache::planned_change out;
  switch (s.what) {
    case op_kind::insert:
      out.what = list_write::kind::inserted;
      break;
    case op_kind::replace:
      out.what = list_write::kind::replaced;
      break;
    case op_kind::update:
      out.what = list_write::kind::updated;
      out.paths = {"price", "v"};
      if (s.sets_kind) out.paths.emplace_back("kind");
      break;
    case op_kind::remove:
      out.what = list_write::kind::deleted;
      break;
    default:
      break;
  }
  if (s.what == op_kind::insert || s.what == op_kind::replace) {
    append_row(out.document, s.id, s.to);
  } else {
    protocol::bson_builder b(out.document);
    b.append_int32("_id", s.id);
  }
  return out;
}

}  // namespace

std::vector<cache::write_target> model_proxy::targets_of(const write_request& r) const {
  std::vector<cache::write_target> out(1);
  auto& target = out.front();
  if (r.shape == write_shape::hidden) {
    target.reach = extent::everything;
    return out;
  }
  target.db = "shop";
  target.collection = "things";
  target.ddl = r.shape == write_shape::ddl;
  if (r.shape == write_shape::collection || r.shape == write_shape::ddl) {
    target.reach = extent::collection;
    return out;
  }
  for (const auto& s : r.statements) {
    const auto key = key_of(s.id).bytes;
    const auto begin = target.key_bytes.size();
    target.key_bytes.insert(target.key_bytes.end(), key.begin(), key.end());
    target.keys.emplace_back(begin, target.key_bytes.size());
    if (r.shape == write_shape::by_id) target.changes.push_back(change_of(s));
  }
  return out;
}

flow model_proxy::write(client& c, write_request r) {
  std::vector<cache::write_target> targets;
  if (r.shape != write_shape::hidden || is_kept(model_guard::hidden_commit)) targets = targets_of(r);
  cache::pending_write pending(*state_, std::move(targets));
  co_await before(step::write);
  const auto how = world_.luck.fate_of(step::write);
  write_reply reply;
  if (how == fate::ok || how == fate::reply_lost) {
    reply = world_.cluster.write(r.statements, r.together, world_.now());
    if (world_.tracing) world_.trace("  written at " + std::to_string(reply.operation_time));
  }
  if (how == fate::late) world_.luck.late_write(r.statements, r.together);
  co_await before(step::write_reply);
  if (how == fate::ok) {
    pending.invalidate(reply.operation_time);
    state_->saw_operation_time(reply.operation_time);
  } else if (is_kept(model_guard::any_outcome)) {
    pending.invalidate_unknown(world_.now());
  } else {
    pending.forget();
  }
  if (is_kept(model_guard::invalidate_redis) && (how == fate::ok || is_kept(model_guard::any_outcome))) {
    for (const auto& what : pending.for_redis()) {
      co_await before(step::invalidate);
      static_cast<void>(tell_redis(what));
    }
  }
  co_await before(step::acknowledge);
  if (how == fate::ok) {
    world_.cluster.acknowledge(reply, index_, world_.now());
    c.saw(reply.operation_time);
  }
  co_await before(step::unmark);
  pending.unmark();
}

}  // namespace mongocached::simulation
