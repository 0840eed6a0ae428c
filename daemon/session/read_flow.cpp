#include "daemon/session/read_flow.hpp"

#include <algorithm>

#include "daemon/session/namespace_probe.hpp"

namespace mongocached::daemon {
namespace {

// So many flights are joined where their readers leave or never come to an end; then the client's own request goes
// upstream.
constexpr int most_joins = 3;
// A hit waits for room for this part of buffer_timeout only: the upstream can answer it too.
constexpr int part_of_timeout = 50;

}  // namespace

namespace {

task<void> read_through_cache(session& s, request& r) {
  read_flow flow(s, r);
  co_await flow.run();
}

}  // namespace

task<void> serve_read(session& s, request& r) {
  if (!caches_anything(*s.thread().settings)) {  // no namespace has to be looked up
    return relay(s, r, {outcome::bypass, cache::bypass_reason::disabled});
  }
  return read_through_cache(s, r);
}

read_flow::read_flow(session& s, request& r) : s_(s), r_(r) {
  plan_.key_bytes = s.thread().spare.take();
}

read_flow::~read_flow() {
  abandon(true);
  s_.thread().spare.give(std::move(plan_.key_bytes));
}

void read_flow::abandon(bool lost) {
  std::vector<cache::key_view> keys;
  std::vector<cache::lease_token> tokens;
  for (auto& w : wanted_) {
    if (w.flight) s_.shared().coherence.flights().abandon(*std::exchange(w.flight, nullptr), lost);
    if (std::exchange(w.leased, false)) {
      keys.push_back(w.key);
      tokens.push_back(w.lease);
    }
  }
  if (!keys.empty() && s_.thread().store) s_.thread().store->release(ns_->name(), kind_, keys, tokens);
}

task<void> read_flow::bypass(cache::bypass_reason reason) {
  abandon();
  shorten_max_time(r_, data_thread::now() - r_.received);
  // Of a collection that is never cached nothing else would prove that its client may read it, and be told so.
  const auto* const proves = reason == cache::bypass_reason::namespace_kind ? ns_ : nullptr;
  return relay(s_, r_, {outcome::bypass, reason}, proves);
}

// A look-up by _id is most likely one of many like it; of a list the very same would have to come again, and then it is
// most likely a hit.
void read_flow::plan_by(const cache::read_rules& rules) {
  const bool is_message = r_.whole() && r_.header.code == protocol::opcode::msg;
  const auto message = is_message ? protocol::byte_view(r_.bytes) : protocol::byte_view();
  auto& plans = s_.thread().plans;
  if (plans.copy_plan(message, rules, plan_)) return;
  cache::plan_read(r_.command, rules, plan_);
  if (plan_.shape == cache::read_shape::by_id) plans.add(message, rules);
}

// What can be said without asking anybody.
cache::bypass_reason read_flow::prepare() {
  const auto& command = r_.command;
  if (!cache::is_user_namespace(command.db, command.collection)) return cache::bypass_reason::internal_namespace;
  const auto* known = s_.thread().find_namespace(command.db, command.collection);
  if (known == nullptr) return cache::bypass_reason::namespace_limit;
  ns_ = known->state;
  settings_ = known->settings;
  if (!settings_->enabled) return cache::bypass_reason::disabled;
  // Of a collection that nothing is known of yet: as if it were plain, for now.
  const auto kind = ns_->may_cache(now_);
  const auto assumed = kind == cache::cacheability::ids_only ? kind : cache::cacheability::plain;
  plan_by(rules_for(s_, assumed));
  if (plan_.shape == cache::read_shape::forward) return plan_.reason;
  // The level is not known yet, and does not matter to the gate.
  who_ = reader_for(s_, *settings_, command, cache::entry_level::local);
  return s_.shared().coherence.is_open(who_, now_) ? cache::bypass_reason::none : cache::bypass_reason::gate_shut;
}

// What the namespace, the cluster's defaults and the state of writes say.
cache::bypass_reason read_flow::plan_under_rules() {
  const auto known = ns_->may_cache(now_);
  if (known == cache::cacheability::unknown || known == cache::cacheability::missing) {
    return cache::bypass_reason::namespace_unknown;
  }
  if (known == cache::cacheability::not_cacheable) return cache::bypass_reason::namespace_kind;
  // What prepare() went by may not hold, or have changed while the cluster was asked.
  if (const auto rules = rules_for(s_, known); rules != plan_.rules) {
    plan_by(rules);
    if (plan_.shape == cache::read_shape::forward) return plan_.reason;
  }
  const auto level = effective_level(s_, r_.command, now_);
  if (!level) return cache::bypass_reason::read_concern;
  // Behind a mongos nobody tells what a majority has: such reads ask for it (S1).
  const bool sharded = s_.thread().upstream->kind == upstream_kind::sharded;
  untold_ = *level == cache::entry_level::by_default;
  who_ = reader_for(s_, *settings_, r_.command, *level);
  if (sharded && s_.shared().coherence.follows()) who_.level = cache::entry_level::majority;
  level_ = who_.level;
  who_.max_age = plan_.hint.max_age;
  if (!s_.shared().coherence.is_open(who_, now_)) return cache::bypass_reason::gate_shut;
  if (who_.mode == cache::promise::strict && plan_.shape == cache::read_shape::list) {
    return cache::bypass_reason::mode_strict;
  }
  if (s_.shared().coherence.blocked(now_)) return cache::bypass_reason::pending_write;
  proven_ = s_.identity().proven(*ns_, now_);
  name_keys();
  return cache::bypass_reason::none;
}

void read_flow::name_keys() {
  applied_ = s_.shared().coherence.stream().applied_to();
  kind_ = plan_.shape == cache::read_shape::list ? cache::key_kind::list : cache::key_kind::document;
  if (plan_.shape == cache::read_shape::list) {
    wanted_.push_back({.key = plan_.list_key()});
  } else {
    for (std::size_t i = 0; i < plan_.ids.size(); ++i) wanted_.push_back({.key = plan_.id_key(i)});
  }
}

task<void> read_flow::run() {
  look_at_the_clock();
  auto reason = prepare();
  if (reason == cache::bypass_reason::none) {
    const auto how = co_await learn_what_is_needed(s_, *ns_, r_);
    if (how != exchange::ok) {
      co_await fail(s_, r_, how);
      co_return s_.finished(r_, {outcome::error, cache::bypass_reason::none});
    }
    look_at_the_clock();
    s_.release_upstream();  // who waits for others below must not keep them from it
    reason = plan_under_rules();
  }
  if (reason == cache::bypass_reason::none && may_find() && who_.mode != cache::promise::strict) {
    const auto found = look_in_memory();
    if (found == lookup::found && !is_torn()) co_return co_await answer_from_entries(outcome::l1_hit);
    if (found == lookup::found) set_apart();
    if (found == lookup::bypass) reason = cache::bypass_reason::too_large;
  }
  if (reason == cache::bypass_reason::none) {
    const bool answered = co_await join_or_lead();
    if (answered || !s_.is_open()) co_return;
    if (std::ranges::any_of(wanted_, [](const wanted& w) { return w.blocked; })) {
      const bool open = s_.shared().coherence.is_open(who_, now_);
      reason = open ? cache::bypass_reason::pending_write : cache::bypass_reason::gate_shut;
    }
  }
  if (reason == cache::bypass_reason::none) {
    bool found = false;
    if (uses_redis() && !std::ranges::all_of(wanted_, &wanted::apart)) {
      if (may_find()) {
        const auto question = ask_redis();
        const auto got = co_await question.answer->wait();
        found = take_from_redis(question, got);
      }
      if (!found) co_await wait_for_lease();
      if (!s_.is_open()) co_return;
    }
    const bool torn = is_torn();
    if (complete() && !torn) co_return co_await answer_from_entries(outcome::redis_hit);
    if (torn) set_apart();
    if (!raise_lower()) reason = cache::bypass_reason::causal;
  }
  if (reason == cache::bypass_reason::none) {
    co_await fill();
  } else {
    co_await bypass(reason);
  }
}

bool read_flow::usable(const cache::entry_ref& e) {
  return e && is_new_enough(e->meta()) && answers(s_, *e, who_, now_);
}

bool read_flow::usable_at_once(const cache::entry_ref& e) {
  auto who = who_;
  who.ttl = who.negative_ttl = cache::duration::max();
  return e && is_new_enough(e->meta()) && answers(s_, *e, who, now_);
}

// A hint to refresh takes what this process has read since: one that joins gets it from a flight that began later.
bool read_flow::is_new_enough(const cache::entry_meta& meta) const noexcept {
  return !plan_.hint.refresh || (meta.age_ms == 0 && meta.filled >= r_.received);
}

bool read_flow::complete() const noexcept {
  return std::ranges::all_of(wanted_, [](const wanted& w) { return static_cast<bool>(w.entry); });
}

read_flow::lookup read_flow::look_in_memory() {
  auto result = lookup::found;
  for (auto& w : wanted_) {
    auto e = s_.shared().coherence.find(*ns_, kind_, w.key, now_);
    if (e && e->meta().kind == cache::entry_kind::too_large) return lookup::bypass;
    if (usable(e)) {
      w.entry = std::move(e);
    } else {
      result = lookup::missing;
    }
  }
  return result;
}

// R4, R5: registers a flight for each key that is missing, or joins the one that is under way. `last`: it is not to be
// joined once more where its answer will not do. Where events are told the client's afterClusterTime is no L: a write
// of before it that is still on its way may become visible behind the read, and its event would be taken for one that
// the answer contains. What H or the key's own writes reached was there when it began.
read_flow::following read_flow::follow_or_lead(bool last) {
  auto& coherence = s_.shared().coherence;
  const auto applied = coherence.stream().applied_to();
  const auto told = coherence.follows() ? applied : std::max(r_.command.after_cluster_time, applied);
  lower_ = told;
  // One key may join another request's flight; a batch leads what it can and reads the rest for itself. What a flight
  // of before brings may be older than mode strict allows. Who has not logged in will have been proven by the answer
  // that he waits for, if it came to anybody like him.
  const bool single = wanted_.size() == 1 && who_.mode != cache::promise::strict;
  const bool may_join = single && (proven_ || !s_.identity().is_bound());
  // What began before a hint to refresh must not be stored behind it: it is waited for, or else overtaken. Were it
  // always overtaken, many such hints would keep each other from storing anything.
  const bool anew = plan_.hint.refresh && (last || !may_join);
  following out;
  const auto join = [&]() -> cache::flight::waiter {
    out.result = std::make_shared<one_shot<cache::entry_ref>>(s_.thread().get_executor());
    return [result = out.result](cache::entry_ref e) { result->deliver(std::move(e)); };
  };
  for (auto& w : wanted_) {
    if (w.entry) continue;
    const auto fence = coherence.fence(*ns_, kind_, w.key.hash);
    lower_ = std::max(lower_, fence);
    if (w.apart) continue;
    const auto needed = std::max(r_.command.after_cluster_time, fence);
    auto begun = coherence.flights().begin(*ns_, kind_, w.key, level_, {needed, std::max(fence, told), anew}, may_join,
                                           now_, std::ref(join));
    w.flight = std::move(begun.led);
    w.generation = w.flight ? w.flight->generation() : 0;
    w.blocked = begun.how == cache::flight_table::begun::blocked;
    out.flight = std::move(begun.joined);
  }
  return out;
}

// Asked once more, now that the flights stand: whatever voids the cache from here on finds them.
bool read_flow::bar_if_shut() {
  if (s_.shared().coherence.is_open(who_, now_)) return false;
  for (auto& w : wanted_) w.blocked = true;
  return true;
}

prompt<bool> read_flow::join_or_lead() {
  auto other = follow_or_lead(false);
  if (bar_if_shut() || !other.flight) return false;
  return wait_for_flight(std::move(other));
}

task<bool> read_flow::wait_for_flight(following other) {
  bool last = false;
  for (int tries = 1; tries <= most_joins; ++tries) {
    if (tries > 1) {
      other = follow_or_lead(last || tries == most_joins);
      if (bar_if_shut() || !other.flight) co_return false;
    }
    const auto until = std::min(other.flight->outlived(), selection_deadline(r_));
    cache::entry_ref entry;
    {
      const session::patience limited(s_, until, [result = other.result] { result->deliver({}); });
      entry = co_await other.result->wait();
    }
    if (!s_.is_open()) co_return true;
    look_at_the_clock();
    last = now_ >= until;
    proven_ = s_.identity().proven(*ns_, now_);
    if (proven_ && usable_at_once(entry) && entry->meta().kind != cache::entry_kind::too_large) {
      wanted_.front().entry = std::move(entry);
      co_await answer_from_entries(outcome::coalesced);
      co_return true;
    }
    // A flight that brought nothing for this client, or not in time, leaves it to its own request. But where the reader
    // left, or waits for ever, one of those who waited reads for all of them; and those who want it read anew share the
    // next flight.
    const bool is_over = other.flight->lost() || now_ >= other.flight->outlived();
    if (!is_over && !plan_.hint.refresh) co_return false;
  }
  co_return false;
}

// No room to hold the answer in case that the client does not take it at once: it is looked for again when there is.
// What cannot be had then streams by.
task<void> read_flow::answer_when_there_is_room(outcome how) {
  std::size_t size = 0;
  for (auto& w : wanted_) size += std::exchange(w.entry, {})->value().size();
  const auto until = now_ + s_.thread().settings->listen.buffer_timeout / part_of_timeout;
  auto held = co_await s_.room(size, std::min(until, selection_deadline(r_)));
  if (!s_.is_open()) co_return;
  look_at_the_clock();
  who_.applied = applied_ = s_.shared().coherence.stream().applied_to();
  const bool found = held.size() > 0 && keeps_in_memory() && look_in_memory() == lookup::found && !is_torn();
  held.release();  // for the answer
  if (!found) co_return co_await bypass(cache::bypass_reason::memory);
  co_await answer_now(how);
}

prompt<void> read_flow::answer_from_entries(outcome how) {
  std::size_t size = 0;
  for (const auto& w : wanted_) size += w.entry->value().size();
  // What the upstream has just brought has its room.
  if (how == outcome::miss || s_.shared().buffers.has_room(size)) return answer_now(how);
  return answer_when_there_is_room(how);
}

prompt<void> read_flow::answer_now(outcome how) {
  // The turn's own scratch: all of this is done within it, but for what the client does not take at once.
  auto& out = s_.thread().output;
  out.clear();
  auto& entries = s_.thread().entries;
  entries.clear();
  for (const auto& w : wanted_) entries.push_back(w.entry);
  auto refused = cache::bypass_reason::none;
  if (plan_.shape == cache::read_shape::list) {
    append_list_reply(out, s_, r_.command, *entries.front());
  } else {
    refused = append_documents_reply(out, s_, r_.command, plan_, entries);
  }
  if (refused == cache::bypass_reason::none && (how == outcome::l1_hit || how == outcome::redis_hit)) {
    offer_to_verify(s_, r_.command, {*ns_, *settings_, who_, kind_}, out, entries);
  }
  entries.clear();
  if (refused != cache::bypass_reason::none) return bypass(refused);
  s_.compress_reply(0);
  if (auto rest = s_.flush(); !rest.bytes.empty()) return answer_slowly(how, std::move(rest));
  answered(how);
  return {};
}

// What the client did not take at once.
task<void> read_flow::answer_slowly(outcome how, session::unsent rest) {
  for (auto& w : wanted_) w.entry = {};
  co_await s_.send(rest.bytes);
  answered(how);
}

void read_flow::answered(outcome how) {
  auto& counts = ns_->counts(s_.thread().index);
  auto& count = how == outcome::miss ? counts.misses : counts.hits;
  count.fetch_add(1, std::memory_order_relaxed);
  s_.finished(r_, {how, cache::bypass_reason::none});
}

}  // namespace mongocached::daemon
