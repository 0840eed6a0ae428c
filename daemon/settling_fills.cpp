#include "daemon/settling_fills.hpp"

namespace mongocached::daemon {
namespace {

// Without a stream nobody reports what a majority has: then nothing is waited for (coherence T1).
bool is_settled(const cache::coherence& state, const redis_fill& what) noexcept {
  const auto& meta = what.entry->meta();
  return !state.follows() || meta.level == cache::entry_level::majority || state.settled().is_settled(meta.upper);
}

}  // namespace

void settling_fills::send(cache::shared_store& store, cache::instant now, const redis_fill& what,
                          const outcome_handler& told) {
  const auto& meta = what.entry->meta();
  if (what.ns->generation(what.kind) != what.local_generation || meta.expires <= now) return;
  const cache::fill_item item{.key = {what.entry->key(), what.entry->hash()},
                              .bytes = what.bytes,
                              .token = what.token,
                              .lower = meta.lower,
                              .remaining = meta.expires - now};
  store.fill(what.ns->name(), what.kind, what.generation, {&item, 1}, told);
}

void settling_fills::fill(cache::shared_store& store, const cache::coherence& state, cache::instant now,
                          redis_fill what, const outcome_handler& told) {
  if (is_settled(state, what)) return send(store, now, what, told);
  if (waiting_.size() >= max_waiting || bytes_ + what.bytes.size() > max_bytes) return;
  bytes_ += what.bytes.size();
  waiting_.push_back({now, state.settled().era(), std::move(what)});
}

void settling_fills::settle(cache::shared_store& store, const cache::coherence& state, cache::instant now,
                            const outcome_handler& told) {
  for (std::size_t left = waiting_.size(); left > 0; --left) {
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    const bool lasts = next.era == state.settled().era() && now - next.since < max_wait;
    const bool settled = is_settled(state, next.what);
    if (lasts && !settled) {
      waiting_.push_back(std::move(next));
      continue;
    }
    bytes_ -= next.what.bytes.size();
    if (lasts) send(store, now, next.what, told);
  }
}

}  // namespace mongocached::daemon
