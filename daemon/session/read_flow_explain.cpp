// The read flow's steps, told instead of taken: {mongocached: "explain"}. They are the very ones of run(), but for what
// would ask the upstream or change something.
#include <algorithm>

#include "daemon/session/read_flow.hpp"

namespace mongocached::daemon {
namespace {

using cache::bypass_reason;

const char* name_of_content(cache::entry_kind kind) noexcept {
  switch (kind) {
    case cache::entry_kind::document:
      return "document";
    case cache::entry_kind::absent:
      return "absent";
    case cache::entry_kind::list:
      return "list";
    case cache::entry_kind::too_large:
      break;
  }
  return "too_large";
}

}  // namespace

const char* name_of_look_up(cache::read_shape shape) noexcept {
  switch (shape) {
    case cache::read_shape::by_id:
      return "by_id";
    case cache::read_shape::by_ids:
      return "by_ids";
    case cache::read_shape::list:
      return "list";
    case cache::read_shape::forward:
      break;
  }
  return nullptr;
}

// Why it is never answered from the cache; what forbids it only now goes to `out`.
bypass_reason read_flow::explain_plan(explanation& out) {
  const auto first = prepare();
  if (first != bypass_reason::none && first != bypass_reason::gate_shut) return first;
  const auto then = plan_under_rules();
  const bool lasting = plan_.shape == cache::read_shape::forward || then == bypass_reason::namespace_kind ||
                       then == bypass_reason::mode_strict;
  if (lasting) return then;
  out.not_now = then == bypass_reason::none ? first : then;
  if (out.not_now == bypass_reason::none && plan_.hint.refresh) out.not_now = bypass_reason::hint;
  return bypass_reason::none;
}

void read_flow::explain_state(explanation& out) const {
  const auto now = data_thread::now();
  auto& coherence = s_.shared().coherence;
  out.has_state = true;
  out.collection = ns_->may_cache(now);
  const auto reader = reader_for(s_, *settings_, r_.command, level_);
  out.mode = reader.mode;
  out.max_lag = settings_->max_lag;
  out.ttl = settings_->ttl;
  out.gate_open = coherence.is_open(reader, now);
  if (const auto covered = coherence.stream().covered(); covered != cache::instant{}) out.behind = now - covered;
}

// Mode strict asks Redis at each hit: what memory holds is not looked at.
void read_flow::peek_in_memory(explanation& out) {
  const auto now = data_thread::now();
  auto& coherence = s_.shared().coherence;
  for (auto& w : wanted_) {
    if (out.not_now == bypass_reason::none && coherence.flights().is_barred(*ns_, kind_, w.key, now)) {
      out.not_now = bypass_reason::pending_write;
    }
    if (who_.mode == cache::promise::strict) continue;
    auto e = coherence.peek(*ns_, kind_, w.key, now);
    if (!e) continue;
    if (e->meta().kind == cache::entry_kind::too_large) {
      out.reason = bypass_reason::too_large;
    } else if (usable(e)) {
      w.entry = std::move(e);
      ++out.in_memory;
    } else if (out.not_now == bypass_reason::none) {
      const bool too_old = cache::age_of(e->meta(), now) > plan_.hint.max_age;
      out.not_now = too_old ? bypass_reason::hint : bypass_reason::causal;
    }
  }
}

// Once everything is there: how old it is, and whether a reply can be made of it.
void read_flow::explain_entries(explanation& out) {
  const auto now = data_thread::now();
  auto age = cache::duration{};
  auto expires = cache::instant::max();
  auto& entries = s_.thread().entries;
  entries.clear();
  for (const auto& w : wanted_) {
    age = std::max(age, cache::age_of(w.entry->meta(), now));
    expires = std::min(expires, w.entry->meta().expires);
    entries.push_back(w.entry);
  }
  if (age != cache::duration::max()) out.age = age;  // what an older version left in Redis does not tell it
  out.expires_in = std::max(expires - now, cache::duration{});
  if (wanted_.size() == 1) out.holds = name_of_content(wanted_.front().entry->meta().kind);
  if (plan_.shape != cache::read_shape::list) {
    protocol::byte_buffer reply;
    out.reason = append_documents_reply(reply, s_, r_.command, plan_, entries);
  }
  entries.clear();
}

task<void> read_flow::explain(explanation& out) {
  look_at_the_clock();
  out.reason = explain_plan(out);
  if (settings_ == nullptr) co_return;
  explain_state(out);
  out.kind = name_of_look_up(plan_.shape);
  if (out.reason != bypass_reason::none) co_return;
  proven_ = out.proven;
  if (wanted_.empty()) name_keys();
  out.asked = wanted_.size();
  peek_in_memory(out);
  const bool seeks = out.reason == bypass_reason::none && out.not_now == bypass_reason::none && !complete();
  if (seeks && uses_redis()) {
    const auto question = ask_redis();
    const auto got = co_await question.answer->wait();
    if (!s_.is_open()) co_return;
    static_cast<void>(take_from_redis(question, got));
    const auto found = std::ranges::count_if(wanted_, [](const wanted& w) { return static_cast<bool>(w.entry); });
    out.in_redis = static_cast<std::size_t>(found) - out.in_memory;
  }
  if (out.reason != bypass_reason::none || !complete()) co_return;
  if (out.not_now == bypass_reason::none && is_torn()) out.not_now = bypass_reason::causal;
  explain_entries(out);
}

}  // namespace mongocached::daemon
