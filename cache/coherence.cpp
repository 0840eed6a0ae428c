#include "cache/coherence.hpp"

namespace mongocached::cache {
namespace {

template <class F>
void for_each_key(const write_target& target, F f) {
  for (const auto& [begin, end] : target.keys) {
    const auto bytes = byte_view(target.key_bytes).subspan(begin, end - begin);
    f(key_view{bytes, hash_key(bytes)});
  }
}

bool reaches_beyond_a_collection(const write_target& target) noexcept {
  return target.reach == extent::database || target.reach == extent::everything;
}

}  // namespace

const char* name_of(promise mode) noexcept {
  switch (mode) {
    case promise::bounded:
      return "bounded";
    case promise::strict:
      return "strict";
    case promise::ttl:
      break;
  }
  return "ttl";
}

entry_ref coherence::find(const namespace_state& ns, key_kind kind, key_view key, instant now) noexcept {
  auto found = local_.find(key.bytes, key.hash, now);
  if (!found) return {};
  if (found->meta().generation != ns.generation(kind) && is_kept(guard::ddl)) {
    local_.erase_exact(*found);
    return {};
  }
  const auto& writes = ns.writes(kind);
  const bool forbidden = !writes.is_quiet(stream_) || writes.is_held(options_.hold, stream_, now);
  return forbidden ? entry_ref{} : found;
}

entry_ref coherence::peek(const namespace_state& ns, key_kind kind, key_view key, instant now) noexcept {
  auto found = local_.peek(key.bytes, key.hash);
  if (!found || now >= found->meta().expires || found->meta().generation != ns.generation(kind)) return {};
  return found;
}

bool coherence::may_answer(const entry_meta& entry, const reader& who, instant now) const noexcept {
  const auto lasts = std::min(who.max_age, entry.kind == entry_kind::absent ? who.negative_ttl : who.ttl);
  if (lasts != duration::max() && age_of(entry, now) > lasts) return false;
  const bool settled = settled_.is_settled(entry.upper);
  if (!suffices(entry.level, who.level) && !settled) return false;
  if (who.after > std::max(entry.lower, who.applied) && is_kept(guard::causal)) return false;
  // S1: what may still be rolled back answers no longer than the bound that the mode promises.
  const bool lasting = who.mode == promise::ttl || settled || entry.level == entry_level::majority;
  return lasting || now - entry.filled <= who.max_lag;
}

cluster_time coherence::fence(const namespace_state& ns, key_kind kind, std::uint64_t hash) const noexcept {
  if (!is_kept(guard::fence)) return 0;
  const auto of_namespace = ns.fence(kind);
  const auto of_key = kind == key_kind::document ? flights_.fence(hash) : ns.lists().newest();
  return std::max({of_namespace, of_key, wide_fence_.load(std::memory_order_relaxed)});
}

bool coherence::may_adopt(const namespace_state& ns, key_kind kind, const entry& stored, cluster_time newest,
                          cluster_time& lower) const {
  lower = stored.meta().lower;
  if (!is_kept(guard::stored_fence)) return true;
  if (kind == key_kind::document) return lower >= fence(ns, kind, stored.hash());
  // H is read before N: an event that is applied meanwhile raises N above it.
  const auto applied = stream_.applied_to();
  const auto written = std::max(newest, ns.lists().newest());
  if (lower < std::max(ns.fence(kind), wide_fence_.load())) return false;
  if (lower >= written) return true;
  if (!follows() || written > applied || !events_.leaves_alone(stored)) return false;
  lower = applied;
  return true;
}

void coherence::saw_operation_time(cluster_time t) noexcept {
  if (t > newest_.load(std::memory_order_relaxed)) raise(newest_, t);
}

void coherence::saw_majority(cluster_time t) noexcept {
  if (t > majority_read_.load(std::memory_order_relaxed)) raise(majority_read_, t);
}

cluster_time coherence::known_majority() const noexcept {
  return std::max({majority_read_.load(), settled_.majority(), stream_.applied_to()});
}

void coherence::renew(namespace_state& ns, key_kind kind) noexcept {
  ns.set_generation(kind, namespaces_.next_generation());
}

std::uint64_t coherence::void_everything() {
  for (auto* ns : namespaces_.all()) {
    renew(*ns, key_kind::document);
    renew(*ns, key_kind::list);
  }
  return local_.clear();
}

std::uint64_t coherence::void_namespace(namespace_state& ns) {
  renew(ns, key_kind::document);
  renew(ns, key_kind::list);
  return local_.erase_if([&ns](const entry& e) { return namespace_of(e.key()) == ns.name(); });
}

std::uint64_t coherence::void_document(namespace_state* ns, key_view key, cluster_time fence) {
  if (ns != nullptr) renew(*ns, key_kind::list);
  const bool held = local_.erase(key.bytes, key.hash);
  flights_.invalidate(key, fence);
  return held ? 1 : 0;
}

// Beyond the limit of names there is none, and nothing of it is ever cached.
coherence::marked coherence::place_of(const write_target& target) {
  if (reaches_beyond_a_collection(target)) return {.everywhere = true};
  return {.ns = namespaces_.find_or_add(target.db, target.collection)};
}

// Who reads what a majority has would else be given, and leave for the others, what was before. Namespaces that are met
// later are reached, too.
void coherence::renew_wide(const write_target& target, cluster_time at) {
  raise(wide_fence_, at);
  for (auto* ns : target.reach == extent::everything ? namespaces_.all() : namespaces_.of_database(target.db)) {
    renew(*ns, key_kind::document);
    renew(*ns, key_kind::list);
    if (target.ddl) ns->void_cacheability();
  }
}

// While it is marked nothing of it is looked up. It is dropped at its end: many may send what they may not do.
coherence::marked coherence::mark(const write_target& target, std::uint64_t term) {
  auto as = place_of(target);
  if (as.everywhere) everywhere_.begin();
  auto* const ns = as.ns;
  if (ns == nullptr) return as;
  as.judged = relies_on_stream(target, term) && target.is_judged();
  if (as.judged) {
    ns->begin_judged_write();
    judge_lists(*ns, target);
  } else {
    ns->writes(key_kind::list).begin();
  }
  if (target.reach == extent::keys) {
    for_each_key(target, [this](key_view key) { flights_.mark(key); });
  } else {
    ns->writes(key_kind::document).begin();
  }
  return as;
}

// W3, decided from the command itself. All its changes together: a list is walked once.
void coherence::judge_lists(namespace_state& ns, const write_target& target) {
  std::vector<list_write> writes;
  std::vector<std::vector<std::string_view>> paths;
  writes.reserve(target.changes.size());
  paths.reserve(target.changes.size());
  for (const auto& change : target.changes) {
    auto& write = writes.emplace_back();
    write.what = change.what;
    const auto document = protocol::bson_view::parse(change.document);
    if (!document) {
      write.what = list_write::kind::unknown;
    } else if (write.what == list_write::kind::inserted || write.what == list_write::kind::replaced) {
      write.document = *document;
    } else {
      write.id = document->find("_id");
    }
    write.paths = paths.emplace_back(change.paths.begin(), change.paths.end());
  }
  step_budget budget(list_registry::steps_a_write);
  ns.lists().judge(local_, writes, 0, budget);
}

void coherence::invalidate(const write_target& target, cluster_time at, std::uint64_t term, const marked& as,
                           bool as_told) {
  const bool by_stream = relies_on_stream(target, term);
  if (as.everywhere) {
    if (by_stream) return everywhere_.raise_barrier(at);
    return renew_wide(target, at);
  }
  auto* const ns = as.ns;
  if (ns == nullptr) return;
  invalidate_lists(*ns, at, by_stream, as.judged && as_told && tells_whole_documents(target));
  if (target.reach == extent::keys) {
    for_each_key(target, [this, at](key_view key) { flights_.invalidate(key, at); });
  } else if (by_stream) {
    ns->writes(key_kind::document).raise_barrier(at);
  } else {
    ns->raise_fence(key_kind::document, at);
    renew(*ns, key_kind::document);
  }
  // The write may have created the collection, or changed what it is.
  if (target.ddl || ns->last_known() == cacheability::missing) ns->void_cacheability();
}

// A partial update tells nothing of the document but what it changes. Where one is not in a list, that may be for a
// write of somebody else's that the stream has yet to tell, and that the writer has seen: a list of before is not his
// any more (W3).
bool coherence::tells_whole_documents(const write_target& target) noexcept {
  return std::ranges::none_of(target.changes,
                              [](const planned_change& one) { return one.what == list_write::kind::updated; });
}

void coherence::invalidate_lists(namespace_state& ns, cluster_time at, bool by_stream, bool judged) {
  ns.lists().raise_newest(at);
  if (by_stream && judged) return;  // they were judged, and none came since
  if (by_stream) {
    if (is_kept(guard::list_barrier)) ns.writes(key_kind::list).raise_barrier(at);
    return;
  }
  ns.raise_fence(key_kind::list, at);
  renew(ns, key_kind::list);
}

void coherence::unmark(const write_target& target, instant held_until, const marked& as) {
  if (as.everywhere) {
    everywhere_.hold(held_until);
    return everywhere_.end();
  }
  auto* const ns = as.ns;
  if (ns == nullptr) return;
  auto& lists = ns->writes(key_kind::list);
  lists.hold(held_until);
  if (as.judged) {
    ns->end_judged_write();
  } else {
    lists.end();
  }
  if (target.reach == extent::keys) {
    for_each_key(target, [this, held_until](key_view key) { flights_.unmark(key, held_until); });
  } else {
    ns->writes(key_kind::document).hold(held_until);
    ns->writes(key_kind::document).end();
  }
}

pending_write::pending_write(coherence& owner, std::vector<write_target> targets, bool tentative, instant begun)
    : owner_(owner), targets_(std::move(targets)), tentative_(tentative), term_(owner.term_.load()), begun_(begun) {
  if (tentative_) {
    owner_.everywhere_.begin();
    return;
  }
  for (const auto& target : targets_) marked_.push_back(owner_.mark(target, term_));
}

pending_write::~pending_write() {
  // Unsettled: nobody learned the outcome, and nobody told us the time either; newest_ is the best bound.
  if (!invalidated_) {
    if (begun_ != instant{}) held_until_ = begun_ + owner_.options_.hold;
    invalidate(0, false);
  }
  unmark();
}

// What was not done as told, was not for what somebody else has written: the writer knows of that now, and the lists
// were judged without it.
void pending_write::invalidate(cluster_time at, bool as_told) {
  fence_ = at != 0 ? at : owner_.newest_operation_time();
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    const auto as = tentative_ ? owner_.place_of(targets_[i]) : marked_[i];
    owner_.invalidate(targets_[i], fence_, term_, as, as_told);
  }
  invalidated_ = true;
}

void pending_write::invalidate_unknown(instant now) {
  held_until_ = now + owner_.options_.hold;
  invalidate(0);
}

void pending_write::unmark() {
  if (std::exchange(unmarked_, true)) return;
  if (tentative_) {
    owner_.everywhere_.hold(held_until_);
    return owner_.everywhere_.end();
  }
  for (std::size_t i = 0; i < targets_.size(); ++i) owner_.unmark(targets_[i], held_until_, marked_[i]);
}

std::vector<invalidation> pending_write::for_redis(bool strict) const {
  std::vector<invalidation> out;
  for (const auto& target : targets_) {
    const bool by_stream = owner_.relies_on_stream(target, term_);
    // W4: nothing of it is looked up until the stream, which tells Redis as well, has passed the write. In mode
    // `strict` a collection's own were announced, and are taken back by name.
    const bool waits = by_stream && target.reach != extent::keys;
    if (waits && !(strict && reaches_beyond_a_collection(target))) continue;
    auto& one = out.emplace_back();
    one.fence = fence_;
    one.hold = hold();
    if (reaches_beyond_a_collection(target)) {
      one.everything = true;
      continue;
    }
    one.lists = !by_stream;
    one.ns = full_name(target.db, target.collection);
    one.documents = target.reach == extent::collection;
    one.key_bytes = target.key_bytes;
    one.keys = target.keys;
  }
  return out;
}

}  // namespace mongocached::cache
