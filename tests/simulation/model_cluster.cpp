#include "model_cluster.hpp"

#include <algorithm>

#include "protocol/bson_builder.hpp"

namespace mongocached::simulation {

model_cluster::model_cluster(instant now) {
  log_.reserve(128);
  next_time_ = 100;
  append(op_kind::noop, 0, {}, next_time_++, now);
  log_.front().majority = now;
}

void model_cluster::append(op_kind what, std::uint8_t id, const contents& after, cluster_time time, instant now) {
  op fresh;
  fresh.time = time;
  fresh.serial = ++last_serial_;
  fresh.what = what;
  fresh.id = id;
  fresh.after = after;
  fresh.applied = now;
  log_.push_back(fresh);
}

bool model_cluster::carry_out(const statement& what, contents& all, op_kind& did, bool& kind_touched) {
  auto& row = all[what.id];
  did = what.what;
  switch (what.what) {
    case op_kind::insert:
    case op_kind::replace:
      did = row.version == 0 ? op_kind::insert : op_kind::replace;
      row = what.to;
      break;
    case op_kind::update:
      if (row.version == 0) return false;
      kind_touched = what.sets_kind && row.kind != what.to.kind;
      if (what.sets_kind) row.kind = what.to.kind;
      row.price = what.to.price;
      break;
    case op_kind::remove:
      if (row.version == 0) return false;
      row = {};
      return true;
    case op_kind::drop:
      all = {};
      return true;
    case op_kind::noop:
      return false;
  }
  row.version = ++last_version_;
  return true;
}

write_reply model_cluster::write(const std::vector<statement>& what, bool together, instant now) {
  write_reply reply;
  reply.first = last_serial_ + 1;
  bool any = false;
  for (const auto& one : what) {
    auto all = log_.back().after;
    op_kind did = op_kind::noop;
    bool kind_touched = false;
    if (!carry_out(one, all, did, kind_touched)) continue;
    const auto time = any && together ? next_time_ - 1 : next_time_++;
    append(did, one.id, all, time, now);
    log_.back().kind_touched = kind_touched;
    log_.back().sets_kind = one.sets_kind;
    any = true;
  }
  reply.end = last_serial_ + 1;
  reply.operation_time = log_.back().time;
  return reply;
}

void model_cluster::tick(instant now) {
  append(op_kind::noop, 0, log_.back().after, next_time_++, now);
}

std::size_t model_cluster::end_of_transaction(std::size_t position) const noexcept {
  while (position < log_.size() && log_[position].time == log_[position - 1].time) ++position;
  return position;
}

void model_cluster::undo_behind(std::size_t kept, instant now) {
  for (auto at = kept; at < log_.size(); ++at) {
    log_[at].undone = now;
    undone_.push_back(log_[at]);
  }
  log_.resize(kept);
}

void model_cluster::advance_majority(std::size_t to, instant now) {
  to = end_of_transaction(std::min(to, log_.size()));
  for (; majority_ < to; ++majority_) log_[majority_].majority = now;
}

void model_cluster::elect(std::size_t kept, bool times_again, instant now) {
  kept = end_of_transaction(std::clamp(kept, majority_, log_.size()));
  behind_ = log_;
  behind_majority_ = majority_;
  undo_behind(kept, now);
  ++term_;
  next_time_ = times_again ? log_.back().time + 1 : next_time_ + 10;
  tick(now);
}

void model_cluster::restore(std::size_t kept, instant now) {
  kept = end_of_transaction(std::clamp<std::size_t>(kept, 1, log_.size()));
  undo_behind(kept, now);
  majority_ = std::min(majority_, kept);
  ++term_;
  next_time_ = log_.back().time + 1;
}

std::optional<read_reply> model_cluster::read(cache::entry_level level, cluster_time after, instant now) {
  if (level == cache::entry_level::majority) {
    if (majority_time() < after) return std::nullopt;
    return read_reply{log_[majority_ - 1].after, majority_time()};
  }
  if (time() < after) {  // a primary writes a no-op for a time that the cluster is said to have reached
    next_time_ = after;
    tick(now);
  }
  return read_reply{log_.back().after, time()};
}

void model_cluster::set_behind(std::size_t position) {
  position = std::clamp<std::size_t>(position, 1, log_.size());
  behind_.assign(log_.begin(), log_.begin() + static_cast<std::ptrdiff_t>(position));
  behind_majority_ = std::min(position, majority_);
}

void model_cluster::write_deposed(const statement& what, instant now) {
  if (behind_.empty()) set_behind(log_.size());
  auto next = behind_.back();
  bool kind_touched = false;
  if (!carry_out(what, next.after, next.what, kind_touched)) return;
  ++next.time;
  next.id = what.id;
  next.undone = now;  // no majority will ever have it
  behind_.push_back(next);
  undone_.push_back(next);
}

std::optional<read_reply> model_cluster::read_behind(cache::entry_level level, cluster_time after) const {
  if (behind_.empty()) return std::nullopt;
  const auto& last = level == cache::entry_level::majority ? behind_[behind_majority_ - 1] : behind_.back();
  if (last.time < after) return std::nullopt;
  return read_reply{last.after, last.time};
}

void model_cluster::acknowledge(const write_reply& reply, int proxy, instant now) {
  // By serial: an election may have undone them meanwhile.
  for (auto at = log_.rbegin(); at != log_.rend() && at->serial >= reply.first; ++at) {
    if (at->serial >= reply.end) continue;
    at->acked = now;
    at->acked_via = static_cast<std::int8_t>(proxy);
  }
}

bool append_event(byte_buffer& out, const op& o) {
  static constexpr std::array names = {"", "insert", "replace", "update", "delete", "drop"};
  if (o.what == op_kind::noop) return false;
  protocol::bson_builder b(out);
  b.append_string("operationType", names[static_cast<std::size_t>(o.what)]);
  b.append_timestamp("clusterTime", o.time);
  {
    auto ns = b.open_document("ns");
    ns.append_string("db", "shop");
    ns.append_string("coll", "things");
  }
  if (o.what == op_kind::drop) return true;
  {
    auto key = b.open_document("documentKey");
    key.append_int32("_id", o.id);
  }
  const auto& row = o.after[o.id];
  if (o.what == op_kind::insert || o.what == op_kind::replace) {
    byte_buffer full;
    append_row(full, o.id, row);
    b.append_document("fullDocument", *protocol::bson_view::parse(full));
  } else if (o.what == op_kind::update) {
    auto description = b.open_document("updateDescription");
    auto fields = description.open_document("updatedFields");
    if (o.kind_touched) fields.append_int32("kind", row.kind);
    fields.append_int32("price", row.price);
    fields.append_int32("v", static_cast<std::int32_t>(row.version));
  }
  return true;
}

}  // namespace mongocached::simulation
