// The read flow's steps in Redis: look-up, lease, fill (coherence R3, R4, R6).
#include <algorithm>
#include <boost/asio/steady_timer.hpp>

#include "daemon/session/read_flow.hpp"

namespace mongocached::daemon {
namespace {

// Another process is reading the same: its answer is looked for after each of these pauses, then we read for ourselves.
constexpr std::array<std::chrono::milliseconds, 5> pauses{std::chrono::milliseconds(2), std::chrono::milliseconds(5),
                                                          std::chrono::milliseconds(13), std::chrono::milliseconds(30),
                                                          std::chrono::milliseconds(50)};

}  // namespace

// C3: in the modes that rely on the stream Redis is used only while nothing is missing in it.
bool read_flow::uses_redis() const noexcept {
  return s_.thread().store != nullptr && (who_.mode == cache::promise::ttl || s_.shared().redis_covered.load());
}

// Until the lease is ours, or whoever has it has stored what is missing.
task<void> read_flow::wait_for_lease() {
  if (!s_.is_open()) co_return;
  for (const auto pause : pauses) {
    if (co_await lease_in_redis() || !proven_ || wanted_.size() > 1) co_return;
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, executor> timer(
        s_.thread().context(), pause);
    error_code ignored;
    co_await timer.async_wait(as_result(ignored));
    if (!s_.is_open()) co_return;
    if (!may_find()) continue;
    look_at_the_clock();
    const auto question = ask_redis();
    const auto got = co_await question.answer->wait();
    if (take_from_redis(question, got)) co_return;
  }
}

read_flow::redis_question read_flow::ask_redis() {
  auto& keys = s_.thread().keys;
  keys.clear();
  for (const auto& w : wanted_) {
    if (!w.entry) keys.push_back(w.key);
  }
  auto answer = std::make_shared<one_shot<cache::get_result>>(s_.thread().get_executor());
  auto& store = *s_.thread().store;
  const auto deliver = [answer](cache::get_result got) { answer->deliver_here(std::move(got)); };
  if (who_.mode == cache::promise::strict) {
    store.get_checked(ns_->name(), keys, deliver);
  } else {
    store.get(ns_->name(), kind_, keys, deliver);
  }
  return {now_, std::move(answer)};
}

// True if nothing is missing any more.
bool read_flow::take_from_redis(const redis_question& question, const cache::get_result& result) {
  const auto absent = std::ranges::count_if(wanted_, [](const wanted& w) { return !w.entry; });
  if (result.status != cache::store_status::ok || std::ssize(result.items) != absent) return false;
  look_at_the_clock();
  who_.applied = s_.shared().coherence.stream().applied_to();  // before may_adopt(), not when the bytes were asked for
  bool all = true;
  std::size_t i = 0;
  for (auto& w : wanted_) {
    if (!w.entry) all = accept_stored(w, result, i++, question.asked) && all;
  }
  return all;
}

// R3. The namespace's token stands for G: it falls with every write that would raise it. What Redis says is left to
// live may have been so since `asked`.
bool read_flow::accept_stored(wanted& w, const cache::get_result& result, std::size_t i, cache::instant asked) {
  const auto& item = result.items[i];
  if (item.bytes.empty() || item.remaining <= cache::duration{}) return false;
  const auto stored = cache::decode_stored(item.bytes);
  if (!stored || stored->epoch != result.epoch || stored->generation != result.generation ||
      result.generation == cache::generation_token{} || !protocol::equal(stored->key, w.key.bytes)) {
    return false;
  }
  if ((kind_ == cache::key_kind::list) != (stored->meta.kind == cache::entry_kind::list)) return false;
  if (who_.mode != cache::promise::ttl && !stored->meta.covered) return false;
  auto& coherence = s_.shared().coherence;
  auto meta = stored->meta;
  // Without a flight of our own it is an answer to this request only; the generation does not matter then.
  meta.generation = w.flight ? w.flight->generation() : 0;
  meta.filled = now_;
  meta.expires = meta.filled + item.remaining;  // or sooner: answers() goes by our own settings
  meta.age_ms = cache::age_ms_of(*stored, item.remaining - (meta.filled - asked));
  auto fresh = cache::entry::make(w.key.bytes, w.key.hash, meta, stored->value);
  // It may have been read before the flight began: an event that it lacks must find the flight from here on.
  if (w.flight) coherence.flights().set_lower(*w.flight, stored->meta.lower);
  if (!coherence.may_adopt(*ns_, kind_, *fresh, result.newest, meta.lower)) return false;
  if (meta.lower != stored->meta.lower) fresh = cache::entry::make(w.key.bytes, w.key.hash, meta, stored->value);
  if (!usable(fresh)) return false;
  w.entry = fresh;
  if (const auto flight = std::exchange(w.flight, nullptr)) {
    if (!coherence.flights().finish(*flight, fresh, keeps_in_memory())) reject(fill_rejection::dirty);
  }
  return true;
}

// False if another process holds the lease of the one key that is missing: its answer will be there soon.
task<bool> read_flow::lease_in_redis() {
  std::vector<wanted*> led;
  std::vector<cache::key_view> keys;
  for (auto& w : wanted_) {
    if (w.entry || !w.flight) continue;
    led.push_back(&w);
    keys.push_back(w.key);
  }
  if (led.empty()) co_return true;
  const auto answer = std::make_shared<one_shot<cache::lease_result>>(s_.thread().get_executor());
  s_.thread().store->lease(ns_->name(), kind_, keys,
                           [answer](cache::lease_result got) { answer->deliver_here(std::move(got)); });
  const auto result = co_await answer->wait();
  if (result.status != cache::store_status::ok || result.grants.size() != led.size()) co_return true;
  epoch_ = result.epoch;
  generation_ = result.generation;
  bool taken = false;
  for (std::size_t i = 0; i < led.size(); ++i) {
    const auto& grant = result.grants[i];
    led[i]->leased = grant.granted;
    led[i]->lease = grant.token;
    taken = taken || grant.taken;
    // R4: no read may ask for a time that the primary is not known to have reached. It sees the write all the same, for
    // that is done; but Redis could not tell.
    if (grant.fence <= s_.shared().coherence.newest_operation_time()) {
      lower_ = std::max(lower_, grant.fence);
    } else {
      led[i]->keep_out_of_redis = true;
    }
  }
  co_return !taken;
}

// R6, in Redis. Nobody waits for it. S1: what may still be rolled back goes there later.
void read_flow::store_in_redis() {
  auto& thread = s_.thread();
  auto& coherence = s_.shared().coherence;
  const auto now = data_thread::now();
  const bool covered = s_.shared().redis_covered.load() && coherence.follows() && coherence.is_open(who_, now);
  for (auto& w : wanted_) {
    if (!w.leased || !w.entry || w.keep_out_of_redis || w.entry->meta().expires <= now) continue;
    if (who_.mode != cache::promise::ttl && !covered) continue;
    w.leased = false;
    auto meta = w.entry->meta();
    meta.covered = covered;
    redis_fill fill{.ns = ns_,
                    .kind = kind_,
                    .local_generation = w.generation,
                    .generation = generation_,
                    .entry = w.entry,
                    .bytes = {},
                    .token = w.lease};
    cache::encode_stored(fill.bytes, {.epoch = epoch_,
                                      .generation = generation_,
                                      .meta = meta,
                                      .lifetime_ms = cache::lifetime_ms_of(meta),
                                      .key = w.entry->key(),
                                      .value = w.entry->value()});
    thread.settling.fill(*thread.store, coherence, now, std::move(fill), thread.count_fills);
  }
}

}  // namespace mongocached::daemon
