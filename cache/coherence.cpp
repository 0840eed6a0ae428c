#include "cache/coherence.hpp"

namespace mongocached::cache {
namespace {

template <class T>
void raise(std::atomic<T>& value, T to) noexcept {
  for (T now = value.load(); now < to && !value.compare_exchange_weak(now, to);) {
  }
}

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

entry_ref coherence::find(const namespace_state& ns, key_kind kind, key_view key, instant now) noexcept {
  auto found = local_.find(key.bytes, key.hash, now);
  if (found && found->meta().generation != ns.generation(kind)) {
    local_.erase_exact(*found);
    return {};
  }
  return found;
}

cluster_time coherence::fence(const namespace_state& ns, key_kind kind, std::uint64_t hash) const noexcept {
  const auto of_namespace = ns.fence(kind);
  return kind == key_kind::document ? std::max(of_namespace, flights_.fence(hash)) : of_namespace;
}

void coherence::saw_operation_time(cluster_time t) noexcept {
  if (t > newest_.load(std::memory_order_relaxed)) raise(newest_, t);
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

namespace_state* coherence::state_of(const write_target& target) {
  return namespaces_.find_or_add(target.db, target.collection);
}

void coherence::renew_wide(const write_target& target) {
  for (auto* ns : target.reach == extent::everything ? namespaces_.all() : namespaces_.of_database(target.db)) {
    renew(*ns, key_kind::document);
    renew(*ns, key_kind::list);
    if (target.ddl) ns->void_cacheability();
  }
}

void coherence::mark(const write_target& target) {
  if (reaches_beyond_a_collection(target)) {
    pending_everywhere_.fetch_add(1);
    renew_wide(target);
    return;
  }
  auto* ns = state_of(target);
  if (ns == nullptr) return;  // beyond the limit: nothing of it is ever cached
  ns->begin_write(key_kind::list);
  renew(*ns, key_kind::list);
  if (target.reach == extent::keys) {
    for_each_key(target, [this](key_view key) { flights_.mark(key); });
  } else {
    ns->begin_write(key_kind::document);
    renew(*ns, key_kind::document);
  }
  if (target.ddl) ns->void_cacheability();
}

void coherence::invalidate(const write_target& target, cluster_time at) {
  if (reaches_beyond_a_collection(target)) {
    renew_wide(target);
    return;
  }
  auto* ns = state_of(target);
  if (ns == nullptr) return;
  ns->raise_fence(key_kind::list, at);
  renew(*ns, key_kind::list);
  if (target.reach == extent::keys) {
    for_each_key(target, [this, at](key_view key) { flights_.invalidate(key, at); });
  } else {
    ns->raise_fence(key_kind::document, at);
    renew(*ns, key_kind::document);
  }
  // The write may have created the collection, or changed what it is.
  if (target.ddl || ns->last_known() == cacheability::missing) ns->void_cacheability();
}

void coherence::unmark(const write_target& target, instant held_until) {
  if (reaches_beyond_a_collection(target)) {
    raise(held_everywhere_until_, held_until.count());
    pending_everywhere_.fetch_sub(1);
    return;
  }
  auto* ns = state_of(target);
  if (ns == nullptr) return;
  ns->hold(key_kind::list, held_until);
  ns->end_write(key_kind::list);
  if (target.reach == extent::keys) {
    for_each_key(target, [this, held_until](key_view key) { flights_.unmark(key, held_until); });
  } else {
    ns->hold(key_kind::document, held_until);
    ns->end_write(key_kind::document);
  }
}

pending_write::pending_write(coherence& owner, std::vector<write_target> targets, bool tentative)
    : owner_(owner), targets_(std::move(targets)), tentative_(tentative) {
  if (tentative_) {
    owner_.pending_everywhere_.fetch_add(1);
    return;
  }
  for (const auto& target : targets_) owner_.mark(target);
}

pending_write::~pending_write() {
  // Unsettled: nobody learned the outcome, and nobody told us the time either; newest_ and a hold from now on are the
  // best bounds.
  if (!invalidated_) invalidate(0);
  unmark();
}

void pending_write::invalidate(cluster_time at) {
  fence_ = at != 0 ? at : owner_.newest_operation_time();
  for (const auto& target : targets_) owner_.invalidate(target, fence_);
  invalidated_ = true;
}

void pending_write::invalidate_unknown(instant now) {
  held_until_ = now + owner_.options_.hold;
  invalidate(0);
}

void pending_write::unmark() {
  if (std::exchange(unmarked_, true)) return;
  if (tentative_) {
    if (held_until_ != instant{}) raise(owner_.held_everywhere_until_, held_until_.count());
    owner_.pending_everywhere_.fetch_sub(1);
    return;
  }
  for (const auto& target : targets_) owner_.unmark(target, held_until_);
}

std::vector<invalidation> pending_write::for_redis() const {
  std::vector<invalidation> out;
  for (const auto& target : targets_) {
    auto& one = out.emplace_back();
    one.fence = fence_;
    one.hold = held_until_ == instant{} ? duration{} : owner_.options_.hold;
    if (reaches_beyond_a_collection(target)) {
      one.everything = true;
      continue;
    }
    one.ns = target.db + '.' + target.collection;
    one.documents = target.reach == extent::collection;
    one.key_bytes = target.key_bytes;
    one.keys = target.keys;
  }
  return out;
}

}  // namespace mongocached::cache
