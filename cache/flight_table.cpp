#include "cache/flight_table.hpp"

#include <utility>

namespace mongocached::cache {

flight_table::slot& flight_table::shard::at(key_view key) {
  if (const auto found = slots.find(key); found != slots.end()) return found->second;
  return slots.try_emplace(kept_key(key)).first->second;
}

flight_table::begin_result flight_table::begin(namespace_state& ns, key_kind kind, key_view key, entry_level level,
                                               bounds times, bool may_join, instant now,
                                               const std::function<flight::waiter()>& join) {
  // The generation first, the scope second: see namespace_state.hpp.
  const auto generation = ns.generation(kind);
  if (is_blocked(ns, kind, now)) return {};
  auto& home = shard_of(key.hash);
  const std::scoped_lock lock(home.mutex);
  auto& at = home.at(key);
  if (at.pending != 0 || is_held(at.held_until, hold_, stream_, now)) return {};
  const bool will_do = at.active && at.active->generation_ == generation && now < at.active->outlived_;
  if (will_do && !times.anew) {
    auto& other = *at.active;
    if (!may_join || other.waiters_.size() >= max_waiters) return {begun::lead, nullptr, nullptr};
    const bool level_suffices = suffices(other.level_, level);
    const bool lower_suffices = times.needed <= other.lower_ || !is_kept(guard::join_lower);
    if (level_suffices && lower_suffices) {
      other.waiters_.push_back(join());
      return {begun::join, nullptr, at.active};
    }
  }
  // A flight that outlived itself, of an older generation, or one that reads too little or too early for this client,
  // goes on unregistered: it will not be stored.
  if (at.active) at.active->dirty_ = true;
  at.active = std::allocate_shared<flight>(protocol::pooled_allocator<flight>(), ns, kind, key, level, generation, now);
  at.active->lower_ = times.lower;
  return {begun::lead, at.active, nullptr};
}

void flight_table::set_lower(flight& f, cluster_time lower) {
  const std::scoped_lock lock(shard_of(f.key().hash).mutex);
  f.lower_ = lower;
}

bool flight_table::is_blocked(const namespace_state& ns, key_kind kind, instant now) const noexcept {
  const auto& writes = ns.writes(kind);
  return !writes.is_quiet(stream_) || writes.is_held(hold_, stream_, now) ||
         (kind == key_kind::list && ns.judged_write_pending());
}

bool flight_table::is_barred(const namespace_state& ns, key_kind kind, key_view key, instant now) const {
  if (is_blocked(ns, kind, now)) return true;
  auto& home = shard_of(key.hash);
  const std::scoped_lock lock(home.mutex);
  const auto found = home.slots.find(key);
  if (found == home.slots.end()) return false;
  return found->second.pending != 0 || is_held(found->second.held_until, hold_, stream_, now);
}

bool flight_table::is_clean(const flight& f, const slot* at) const {
  if (at == nullptr || at->pending != 0) return false;
  const bool overtaken = at->active.get() != &f || f.dirty_;
  if (overtaken && is_kept(guard::flight_dirty)) return false;
  return f.ns_.generation(f.kind_) == f.generation_ && f.ns_.writes(f.kind_).is_quiet(stream_) &&
         everywhere_.is_quiet(stream_);
}

// Puts a clean flight's entry where it belongs. False: a write came before the lists' lock was taken.
bool flight_table::keep(const flight& f, const entry_ref& fresh, bool store) {
  if (f.kind_ == key_kind::document) {
    if (store) local_.insert(fresh);
    return true;
  }
  auto& lists = f.ns_.lists();
  const auto quiet = [&f] { return !f.ns_.judged_write_pending(); };
  if (store) return lists.insert(local_, fresh, quiet);
  return quiet() && fresh->meta().lower >= lists.newest();
}

bool flight_table::clean(flight& f) const {
  auto& home = shard_of(f.key().hash);
  const std::scoped_lock lock(home.mutex);
  const auto found = home.slots.find(f.key());
  return is_clean(f, found == home.slots.end() ? nullptr : &found->second);
}

bool flight_table::finish(flight& f, entry_ref fresh, bool keep) {
  return settle(f, std::move(fresh), keep);
}

bool flight_table::settle(flight& f, entry_ref fresh, bool store) {
  std::vector<flight::waiter> waiters;
  bool was_clean = false;
  {
    auto& home = shard_of(f.key().hash);
    const std::scoped_lock lock(home.mutex);
    if (std::exchange(f.done_, true)) return false;
    waiters.swap(f.waiters_);
    const auto found = home.slots.find(f.key());
    if (found != home.slots.end()) {
      was_clean = is_clean(f, &found->second);
      if (was_clean && fresh) was_clean = keep(f, fresh, store);
      if (found->second.active.get() == &f) found->second.active.reset();
      if (found->second.idle()) home.slots.erase(found);
    }
  }
  for (auto& waiter : waiters) waiter(fresh);
  return was_clean;
}

void flight_table::dirty(slot& at) {
  if (!at.active) return;
  at.active->dirty_ = true;
  at.active.reset();
}

void flight_table::drop(slot& at, key_view key) {
  dirty(at);
  local_.erase(key.bytes, key.hash);
}

void flight_table::changed(key_view key, cluster_time at) {
  auto& home = shard_of(key.hash);
  const std::scoped_lock lock(home.mutex);
  fences_.raise(key.hash, at);
  const auto contained = [at](cluster_time lower) { return at != 0 && lower >= at && is_kept(guard::late_event); };
  if (const auto held = local_.peek(key.bytes, key.hash); held && !contained(held->meta().lower)) {
    local_.erase_exact(*held);
  }
  const auto found = home.slots.find(key);
  if (found == home.slots.end() || !found->second.active || contained(found->second.active->lower_)) return;
  dirty(found->second);
  if (found->second.idle()) home.slots.erase(found);
}

void flight_table::mark(key_view key) {
  auto& home = shard_of(key.hash);
  const std::scoped_lock lock(home.mutex);
  auto& at = home.at(key);
  ++at.pending;
  drop(at, key);
}

void flight_table::invalidate(key_view key, cluster_time fence) {
  auto& home = shard_of(key.hash);
  const std::scoped_lock lock(home.mutex);
  fences_.raise(key.hash, fence);
  if (const auto found = home.slots.find(key); found != home.slots.end()) {
    drop(found->second, key);
    if (found->second.idle()) home.slots.erase(found);
  } else {
    local_.erase(key.bytes, key.hash);
  }
}

void flight_table::unmark(key_view key, instant held_until) {
  auto& home = shard_of(key.hash);
  const std::scoped_lock lock(home.mutex);
  const auto found = home.slots.find(key);
  if (found == home.slots.end()) return;
  auto& at = found->second;
  if (at.pending > 0) --at.pending;
  if (held_until > at.held_until) at.held_until = held_until;
  if (at.idle()) home.slots.erase(found);
}

void flight_table::dirty_all() {
  for (std::size_t i = 0; i < shard_count; ++i) {
    const std::scoped_lock lock(shards_[i].mutex);
    for (auto& [key, at] : shards_[i].slots) dirty(at);
  }
}

void flight_table::sweep(instant now) {
  for (std::size_t i = 0; i < shard_count; ++i) {
    const std::scoped_lock lock(shards_[i].mutex);
    auto& slots = shards_[i].slots;
    for (auto at = slots.begin(); at != slots.end();) {
      if (!is_held(at->second.held_until, hold_, stream_, now)) at->second.held_until = instant{};
      at = at->second.idle() ? slots.erase(at) : std::next(at);
    }
  }
}

std::size_t flight_table::size() const {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < shard_count; ++i) {
    const std::scoped_lock lock(shards_[i].mutex);
    sum += shards_[i].slots.size();
  }
  return sum;
}

}  // namespace mongocached::cache
