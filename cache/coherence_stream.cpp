// What the change stream and the primary's samples do to the cache (coherence C1-C3, S1, G1).
#include "cache/coherence.hpp"

namespace mongocached::cache {
namespace {

// The same namespace's invalidation of this batch, or a new one: one call to Redis a namespace.
invalidation& invalidation_of(std::vector<invalidation>& all, std::string ns) {
  constexpr std::size_t most_keys = 500;
  for (auto at = all.rbegin(); at != all.rend(); ++at) {
    if (at->ns == ns && at->keys.size() < most_keys) return *at;
  }
  auto& fresh = all.emplace_back();
  fresh.ns = std::move(ns);
  fresh.lists = false;
  fresh.seen = true;
  return fresh;
}

bool names_a_document(const change_event& event) noexcept {
  return event.what == change_kind::inserted || event.what == change_kind::replaced ||
         event.what == change_kind::updated || event.what == change_kind::deleted;
}

}  // namespace

void coherence::follow(bool on) {
  if (follows() == on) return;
  // What was marked under another term is settled without the stream, and renews generations.
  term_.store(on ? ++last_term_ : 0);
  void_history(true);
  if (on) return;
  // Nothing will ever reach the barriers; what they guarded has been dropped.
  everywhere_.forget();
  for (auto* ns : namespaces_.all()) {
    ns->writes(key_kind::document).forget();
    ns->writes(key_kind::list).forget();
  }
}

void coherence::resumed(cluster_time mark) {
  applied(mark);
  // C3: a primary that is behind the mark was restored or rolled back.
  applied_before_sample_.store(mark);
}

// A batch may hold thousands of events, and until it is applied the gate waits: it has a budget of its own.
void coherence::judge_lists(namespace_state& ns, const change_event& event) {
  const auto given = std::min(list_registry::steps_a_write, batch_steps_.load(std::memory_order_relaxed));
  step_budget budget(given);
  const auto write = list_write_of(event);
  ns.lists().judge(local_, {&write, 1}, event.time, budget);
  batch_steps_.fetch_sub(given - budget.left(), std::memory_order_relaxed);
}

void coherence::apply_document(const change_event& event, invalidation& redis) {
  redis.fence = std::max(redis.fence, event.time);
  namespaces_.saw_event(event.time);  // before it is looked for: who adds it now, knows of the event
  const auto begin = redis.key_bytes.size();
  append_key_prefix(redis.key_bytes, key_kind::document, event.db, event.collection);
  const bool known = event.id && append_canonical_id(redis.key_bytes, *event.id);
  if (known) {
    redis.keys.emplace_back(begin, redis.key_bytes.size());
    const auto key = byte_view(redis.key_bytes).subspan(begin);
    flights_.changed({key, hash_key(key)}, event.time);
  } else {
    redis.key_bytes.resize(begin);
    apply_without_key(event, redis);
  }
  auto* ns = namespaces_.find(full_name(event.db, event.collection));
  if (ns == nullptr) return;
  judge_lists(*ns, event);
  if (ns->last_known() == cacheability::missing) ns->void_cacheability();
}

// No document is cached under an _id whose equality is not modelled. But "there is none" may be, under one that equals
// it: {_id: 0.5} and Decimal128("0.5"). Only an insertion makes that untrue.
void coherence::apply_without_key(const change_event& event, invalidation& redis) {
  if (event.what != change_kind::inserted || !is_kept(guard::equal_id)) return;
  if (event.id && !may_equal_modelled(*event.id)) return;
  redis.documents = true;
  // One that nobody has met yet is added: what Redis holds of it may be asked for before Redis is told.
  auto* ns = namespaces_.find_or_add(event.db, event.collection);
  if (ns == nullptr) return;
  ns->raise_fence(key_kind::document, event.time);
  renew(*ns, key_kind::document);
}

void coherence::apply_ddl(std::string_view db, std::string_view collection, cluster_time at,
                          std::vector<invalidation>& redis) {
  write_target target;
  target.reach = db.empty() ? extent::everything : collection.empty() ? extent::database : extent::collection;
  target.ddl = true;
  target.db = db;
  target.collection = collection;
  if (is_kept(guard::ddl)) invalidate(target, at, 0, place_of(target));
  auto& told = redis.emplace_back();
  told.everything = target.reach != extent::collection;
  told.ns = full_name(db, collection);
  told.documents = true;
  told.seen = true;
  told.fence = at;
}

// dropDatabase: each of its collections has told its own drop before.
void coherence::apply_drop(std::string_view db, cluster_time at, std::vector<invalidation>& redis) {
  for (const auto* ns : namespaces_.of_database(db)) apply_ddl(ns->db(), ns->collection(), at, redis);
}

void coherence::apply(const change_event& event, protocol::bson_view raw, std::vector<invalidation>& redis) {
  events_.add(event, raw);
  const bool foreign =
      !event.db.empty() && !event.collection.empty() && !is_valid_namespace(event.db, event.collection);
  if (foreign) return;  // no key is ever made of it
  if (names_a_document(event)) {
    return apply_document(event, invalidation_of(redis, full_name(event.db, event.collection)));
  }
  if (event.what == change_kind::database && !event.db.empty()) return apply_drop(event.db, event.time, redis);
  apply_ddl(event.db, event.collection, event.time, redis);
  if (event.what == change_kind::rename) apply_ddl(event.to_db, event.to_collection, event.time, redis);
}

void coherence::pushed(const pushed_invalidation& what) {
  // Whoever may publish in Redis could name any time: one far ahead of the primary's would fence its keys for good.
  constexpr cluster_time seconds_ahead = 60;
  if (what.fence >> 32U > (newest_operation_time() >> 32U) + seconds_ahead) return;
  for (const auto key : what.keys) flights_.changed({key, hash_key(key)}, what.fence);
  auto* ns = namespaces_.find(what.ns);
  if (ns == nullptr) return;
  if (what.documents) renew(*ns, key_kind::document);
  if (what.lists) renew(*ns, key_kind::list);
}

void coherence::applied(cluster_time position) {
  batch_steps_.store(steps_a_batch, std::memory_order_relaxed);
  if (position == 0) return;
  // A stream that was resumed may begin behind some events of the time `position` + 1, which only the process before
  // saw.
  const auto whole_from = is_kept(guard::log_begin) ? position + 1 : position;
  if (!log_begun_.exchange(true)) events_.begin(whole_from);
  saw_operation_time(position);
  stream_.applied(position);
}

bool coherence::sampled(const primary_sample& sample) {
  if (sample.operation_time == 0) return true;
  // What the stream had told before this sample was asked for, the primary must know; and what a majority was said to
  // have cannot be undone by an election either.
  const auto majority = is_kept(guard::majority_stays) ? settled_.majority() : 0;
  const bool behind =
      sample.operation_time < std::max(applied_before_sample_.load(), majority) && is_kept(guard::history);
  if (behind) {
    void_history();
    return false;
  }
  if (settled_.sampled(sample)) {
    void_everything();
    static_cast<void>(settled_.sampled(sample));
  }
  saw_operation_time(sample.operation_time);
  stream_.sampled(sample.sent, sample.operation_time);
  applied_before_sample_.store(stream_.applied_to());
  return true;
}

void coherence::void_unsettled() {
  settled_.lost();
  flights_.dirty_all();
  local_.erase_if([this](const entry& e) {
    const auto& meta = e.meta();
    return meta.level != entry_level::majority && !settled_.is_settled(meta.upper);
  });
}

void coherence::void_history(bool same_upstream) {
  if (!is_kept(guard::history)) return;
  if (const auto term = term_.load(); term != 0) term_.store(++last_term_);
  stream_.reset();
  events_.clear();
  log_begun_.store(false);
  void_everything();
  for (auto* ns : namespaces_.all()) ns->void_cacheability();  // K1: DDL may be among what was missed
  // The writes of before are as true as ever: a read must still reach them.
  if (same_upstream && is_kept(guard::times_hold)) return;
  settled_.reset();
  applied_before_sample_.store(0);
  newest_.store(0);
  majority_read_.store(0);
  everywhere_.forget();
  flights_.forget_times();
  namespaces_.forget_times();
  wide_fence_.store(0);
}

}  // namespace mongocached::cache
