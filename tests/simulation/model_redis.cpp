#include "model_redis.hpp"

#include <algorithm>

#include "guards.hpp"

namespace mongocached::simulation {
namespace {

constexpr duration lease_time = std::chrono::seconds(10);

}  // namespace

std::uint32_t model_redis::open(std::uint32_t fresh, bool force) {
  const bool same_life = epoch_run_id_ == run_id_ || !is_kept(model_guard::run_id);
  if (epoch_ != 0 && same_life && !force) return epoch_;
  epoch_ = fresh;
  epoch_run_id_ = run_id_;
  return epoch_;
}

model_redis::found model_redis::get(std::size_t item) const {
  const auto& t = token_of(kind_of(item));
  return {epoch_, t.name, t.newest, values_[item]};
}

model_redis::lease_answer model_redis::lease(std::size_t item, std::uint32_t expected_epoch, std::uint32_t fresh,
                                             instant now) {
  lease_answer out;
  out.epoch = epoch_;
  if (epoch_ != expected_epoch && is_kept(model_guard::script_epoch)) return out;
  auto& t = token_of(kind_of(item));
  auto base = covered();
  const bool held = t.held_until > now;
  if (!held && t.name == 0) {
    if (full_) return out;
    t = {fresh, base, {}};
  }
  if (!held) {
    base = std::max(base, t.newest);
    out.token = t.name;
  }
  auto& r = records_[item];
  out.fence = r.present ? r.fence : is_kept(model_guard::record_base) ? base : 0;
  const bool taken = r.present && r.lease != 0 && r.lease_end > now && is_kept(model_guard::coalesce);
  out.taken = taken && !held;
  out.granted = !taken && !held && !full_ && (!r.present || r.held_until <= now);
  if (!out.granted) return out;
  r.present = true;
  r.fence = out.fence;
  r.lease = out.lease = fresh;
  r.lease_end = now + lease_time;
  return out;
}

void model_redis::release(std::size_t item, std::uint32_t lease) {
  if (records_[item].lease == lease) records_[item].lease = 0;
}

bool model_redis::fill(const fill_request& what) {
  if (epoch_ != what.epoch && is_kept(model_guard::script_epoch)) return false;
  auto& r = records_[what.item];
  const bool leased = r.present && r.lease == what.lease && what.lease != 0;
  if (!leased && is_kept(model_guard::lease)) return false;
  r.lease = 0;
  if (token_of(kind_of(what.item)).name != what.token) return false;
  if (r.fence > what.lower && is_kept(model_guard::script_fence)) return false;
  if (full_) return false;
  values_[what.item] = {what.entry, what.epoch, what.token};
  r.present = true;
  r.vouches = true;
  r.value_lower = what.lower;
  return true;
}

void model_redis::invalidate_token(token& t, bool falls, const cache::invalidation& what, instant now) {
  if (falls) {
    const auto until = what.hold > duration{} ? std::max(t.held_until, now + what.hold) : t.held_until;
    t = {0, 0, until > now ? until : instant{}};
  } else if (t.name != 0 && t.newest < what.fence) {
    if (full_) {
      t = {};
    } else {
      t.newest = what.fence;
    }
  }
}

void model_redis::invalidate_document(std::size_t item, const cache::invalidation& what, bool seen, cluster_time base,
                                      instant now) {
  auto& r = records_[item];
  const bool contained = seen && r.present && r.vouches && r.value_lower >= what.fence;
  if (!contained) {
    const bool had = static_cast<bool>(values_[item].entry);
    values_[item] = {};
    r.vouches = false;
    if (!seen) r.lease = 0;
    if (seen && !r.present && !had) return;
  }
  if (full_) {
    r = {};
    return;
  }
  r.fence = std::max(r.present ? r.fence : base, what.fence);
  r.present = true;
  if (what.hold > duration{}) r.held_until = std::max(r.held_until, now + what.hold);
}

void model_redis::invalidate(const cache::invalidation& what, std::uint32_t fresh_epoch, instant now) {
  if (what.everything) {
    static_cast<void>(open(fresh_epoch, true));
    return;
  }
  if (full_ && !is_kept(model_guard::values_first)) return;  // its first write was refused, and with it the script
  const bool seen = what.seen && what.hold == duration{} && what.fence != 0;
  const auto base = std::max(covered(), tokens_[0].newest);
  for (const auto& [begin, end] : what.keys) {
    const auto item = document_of(byte_view(what.key_bytes).subspan(begin, end - begin));
    if (item < documents) invalidate_document(item, what, seen, base, now);
  }
  invalidate_token(tokens_[0], what.documents, what, now);
  invalidate_token(tokens_[1], what.lists, what, now);
}

void model_redis::save_mark(const redis_mark& mark) {
  if (mark.epoch != epoch_ || (mark_.epoch == epoch_ && mark_.time > mark.time) || full_) return;
  mark_ = mark;
}

void model_redis::flush() {
  mark_ = {};
  tokens_ = {};
  records_ = {};
  values_ = {};
  epoch_ = 0;
}

void model_redis::evict_record(std::size_t item) {
  records_[item] = {};
}

}  // namespace mongocached::simulation
