#include "cache/namespace_state.hpp"

#include <mutex>

namespace mongocached::cache {

const char* name_of(cacheability c) noexcept {
  switch (c) {
    case cacheability::unknown:
      return "unknown";
    case cacheability::plain:
      return "plain";
    case cacheability::ids_only:
      return "ids_only";
    case cacheability::not_cacheable:
      return "not_cacheable";
    case cacheability::missing:
      return "missing";
  }
  return "unknown";
}

namespace_state::namespace_state(std::string name, std::uint64_t first_generation, std::size_t threads,
                                 list_key_budget& list_keys)
    : name_(std::move(name)),
      dot_(name_.find('.')),
      registry_(list_keys),
      threads_(threads),
      counts_(std::make_unique<thread_counts[]>(threads)) {
  documents_.generation = first_generation;
  lists_.generation = first_generation;
}

void namespace_state::forget_times() noexcept {
  for (auto* one : {&documents_, &lists_}) {
    one->fence.store(0);
    one->writes.forget();
  }
  registry_.forget_times();
}

cacheability namespace_state::may_cache(instant now) const noexcept {
  const auto until = good_until_.load(std::memory_order_acquire);
  // Zero is asked for by itself: who judges by an earlier moment may come before the clock's beginning.
  if (until == 0 || now.count() >= until) return cacheability::unknown;
  return cacheability_.load(std::memory_order_acquire);
}

void namespace_state::set_cacheability(cacheability c, instant good_until, std::uint64_t ddl_seen) noexcept {
  cacheability_.store(c);
  good_until_.store(good_until.count());
  // DDL that came while the answer was on its way raised the count before it cleared good_until_: one of the two sees
  // the other.
  if (ddl_.load() != ddl_seen) good_until_.store(0);
}

void namespace_state::void_cacheability() noexcept {
  ddl_.fetch_add(1);
  good_until_.store(0);
}

std::uint64_t namespace_state::hits() const noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < threads_; ++i) sum += counts_[i].hits.load(std::memory_order_relaxed);
  return sum;
}

std::uint64_t namespace_state::misses() const noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < threads_; ++i) sum += counts_[i].misses.load(std::memory_order_relaxed);
  return sum;
}

namespace_state* namespace_table::find_or_add(std::string_view db, std::string_view collection) {
  auto name = full_name(db, collection);
  if (auto* known = find(name)) return known;
  const std::unique_lock lock(mutex_);
  if (const auto known = states_.find(name); known != states_.end()) return known->second.get();
  if (states_.size() >= limit_) return nullptr;
  auto state = std::make_unique<namespace_state>(name, next_generation(), threads_, list_keys_);
  state->lists().raise_newest(newest_event_.load());
  return states_.emplace(std::move(name), std::move(state)).first->second.get();
}

namespace_state* namespace_table::find(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const auto known = states_.find(name);
  return known == states_.end() ? nullptr : known->second.get();
}

bool namespace_table::is_full() const {
  const std::shared_lock lock(mutex_);
  return states_.size() >= limit_;
}

std::vector<namespace_state*> namespace_table::all() const {
  const std::shared_lock lock(mutex_);
  std::vector<namespace_state*> out;
  out.reserve(states_.size());
  for (const auto& [name, state] : states_) out.push_back(state.get());
  return out;
}

void namespace_table::forget_evicted_lists(local_cache& local) {
  constexpr std::size_t keys_a_sweep = 20'000;
  if (list_keys_.used() <= list_keys_.limit() / 2) return;
  const auto states = all();
  std::size_t seen = 0;
  for (std::size_t i = 0; i < states.size() && seen < keys_a_sweep; ++i) {
    seen += states[next_swept_++ % states.size()]->lists().forget_evicted(local);
  }
}

void namespace_table::forget_times() {
  newest_event_.store(0);
  for (auto* state : all()) state->forget_times();
}

std::vector<namespace_state*> namespace_table::of_database(std::string_view db) const {
  auto out = all();
  std::erase_if(out, [db](const namespace_state* state) { return state->db() != db; });
  return out;
}

}  // namespace mongocached::cache
