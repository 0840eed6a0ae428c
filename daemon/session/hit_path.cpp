#include "daemon/session/hit_path.hpp"

#include <algorithm>

#include "cache/one_moment.hpp"
#include "cache/write_plan.hpp"
#include "daemon/cached_reply.hpp"
#include "daemon/verifier.hpp"

namespace mongocached::daemon {
namespace {

// A server closes a batch at 16 MB (S4: what would not fit into one is not answered from here).
constexpr std::size_t largest_batch = 16'000'000;

// Behind zero, which stands for what was never proven or asked.
constexpr cache::instant beginning(1);

const char* tail_of(std::span<const cache::entry_ref> entries) noexcept {
  return entries.front()->meta().tail;
}

reply_frame frame_for(session& s, const protocol::command_view& command, const char* tail, cache::cluster_time upper) {
  return {.request_id = s.next_request_id(),
          .response_to = command.request_id,
          .db = command.db,
          .collection = command.collection,
          .tail = tail,
          .operation_time = upper,
          .cluster_time = &s.clock()};
}

// By this moment it is judged whether what the upstream has told still holds: now, or with the upstream away so much
// earlier as serve_stale_on_error allows.
cache::instant as_of(session& s, const config::cache_settings& settings, cache::instant now) noexcept {
  if (s.thread().upstream->available) return now;
  return std::max(now - settings.serve_stale_on_error, beginning);  // of a machine that has not been up for so long
}

// What a client may be answered from memory.
struct permission {
  cache::cacheability kind;
  cache::reader who;
};

// Empty: nothing, or not without more than memory. `told`: the moment by which to judge what the upstream has told.
std::optional<permission> permission_of(session& s, const data_thread::known_namespace& known,
                                        const protocol::command_view& command, cache::instant now,
                                        cache::instant told) {
  // The proof of who has logged in to the upstream is not drawn out.
  if (!s.identity().proven(*known.state, s.identity().is_bound() ? now : told)) return std::nullopt;
  const auto level = effective_level(s, command, told);
  if (!level) return std::nullopt;
  auto who = reader_for(s, *known.settings, command, *level);
  // Mode strict asks Redis at each hit.
  if (who.mode == cache::promise::strict || !s.shared().coherence.is_open(who, told)) return std::nullopt;
  const auto kind = known.state->may_cache(told);
  if (kind != cache::cacheability::plain && kind != cache::cacheability::ids_only) return std::nullopt;
  return permission{kind, std::move(who)};
}

const cache::read_plan& plan_for(data_thread& thread, const protocol::command_view& command,
                                 const cache::read_rules& rules, const cache::plan_cache::prepared* prepared) {
  if (prepared != nullptr && prepared->plan.rules == rules) return prepared->plan;
  if (prepared != nullptr) thread.plans.forget(*prepared);
  cache::plan_read(command, rules, thread.plan);
  return thread.plan;
}

}  // namespace

std::optional<cache::entry_level> effective_level(session& s, const protocol::command_view& command,
                                                  cache::instant now) {
  switch (command.level) {
    case protocol::read_level::local:
      return cache::entry_level::local;
    case protocol::read_level::majority:
      return cache::entry_level::majority;
    default:
      break;
  }
  // The server applies the default only where nothing else of a read concern is given (ReadConcernArgs::isEmpty).
  if (command.after_cluster_time != 0) return cache::entry_level::local;
  const auto& shared = s.shared();
  if (now.count() >= shared.default_read_level_until.load(std::memory_order_relaxed)) return std::nullopt;
  switch (shared.default_read_level.load(std::memory_order_relaxed)) {
    case default_level::local:
      return cache::entry_level::local;
    case default_level::majority:
      return cache::entry_level::majority;
    case default_level::untold:
      return cache::entry_level::by_default;
    default:
      return std::nullopt;
  }
}

cache::read_rules rules_for(session& s, cache::cacheability known) noexcept {
  const bool plain = known == cache::cacheability::plain;
  return {.lists = plain, .string_ids = plain, .sharded = s.thread().upstream->kind == upstream_kind::sharded};
}

cache::reader reader_for(session& s, const config::cache_settings& settings, const protocol::command_view& command,
                         cache::entry_level level) noexcept {
  const auto mode = promise_of(settings.mode, s.shared().stream_refused.load(std::memory_order_relaxed));
  // Where the stream is followed what a majority has is as new as the mode promises, whatever the default is.
  if (level == cache::entry_level::by_default && mode != cache::promise::ttl) level = cache::entry_level::majority;
  return {.level = level,
          .after = command.after_cluster_time,
          .applied = s.shared().coherence.stream().applied_to(),
          .mode = mode,
          .max_lag = settings.max_lag,
          .ttl = settings.ttl,
          .negative_ttl = settings.negative_ttl};
}

bool answers(session& s, const cache::entry& e, const cache::reader& who, cache::instant now) noexcept {
  return s.shared().coherence.may_answer(e.meta(), who, now) && can_show(e.meta(), s.clock());
}

cache::bypass_reason append_documents_reply(protocol::byte_buffer& out, session& s,
                                            const protocol::command_view& command, const cache::read_plan& plan,
                                            std::span<const cache::entry_ref> entries) {
  cache::cluster_time upper = 0;
  std::size_t total = 0;
  std::int64_t found = 0;
  for (const auto& e : entries) {
    upper = std::max(upper, e->meta().upper);
    total += e->value().size();
    if (e->meta().kind == cache::entry_kind::document) ++found;
  }
  if (total > largest_batch) return cache::bypass_reason::too_large;
  const auto given = plan.limit > 0 ? std::min(found, plan.limit) : found;
  const bool ample =
      plan.batch_size == 0 || given < plan.batch_size || (plan.limit > 0 && plan.batch_size >= plan.limit);
  if (plan.shape == cache::read_shape::by_ids && !ample) return cache::bypass_reason::batch_size;

  const auto start = out.size();
  const auto frame = frame_for(s, command, tail_of(entries), upper);
  cached_reply reply(out, frame);
  auto left = given;
  for (const auto& e : entries) {
    if (e->meta().kind != cache::entry_kind::document || left-- <= 0) continue;
    if (!plan.projected) {
      reply.append_document(e->value());
      continue;
    }
    reply.begin_document();
    const auto document = protocol::bson_view::parse(e->value());
    if (!document || !plan.project.apply(*document, out)) {
      out.resize(start);
      return cache::bypass_reason::projection_array;
    }
    reply.end_document();
  }
  reply.finish();
  return cache::bypass_reason::none;
}

bool finds_room(session& s, std::span<const cache::entry_ref> entries) noexcept {
  auto size = s.thread().output.size();
  for (const auto& e : entries) size += e->value().size();
  return s.shared().buffers.has_room(size);
}

void append_list_reply(protocol::byte_buffer& out, session& s, const protocol::command_view& command,
                       const cache::entry& list) {
  const auto frame = frame_for(s, command, list.meta().tail, list.meta().upper);
  cached_reply reply(out, frame);
  reply.append_batch(list.value());
  reply.finish();
}

void offer_to_verify(session& s, const protocol::command_view& command, const hit_context& hit,
                     protocol::byte_view reply, std::span<const cache::entry_ref> entries) {
  if (!s.shared().verify || hit.settings.verify_share == 0) return;
  auto& dice = s.thread().dice;
  const auto drawn = static_cast<double>(dice() - std::minstd_rand::min());
  if (drawn >= hit.settings.verify_share * static_cast<double>(std::minstd_rand::max())) return;
  auto served = remember_hit(command, reply, entries);
  if (!served) return;
  served->ns = &hit.ns;
  served->kind = hit.kind;
  served->who = hit.who;
  served->at = data_thread::now();
  served->covered = s.shared().coherence.stream().covered();
  served->known = s.shared().coherence.newest_operation_time();
  s.shared().verify(*served);
}

bool try_hit(session& s, const protocol::command_view& command, const cache::plan_cache::prepared* prepared) {
  auto& thread = s.thread();
  if (!command.is("find") || command.in_transaction || command.has_txn_number) return false;
  if (!caches_anything(*thread.settings)) return false;
  const auto* known = thread.met_namespace(command.db, command.collection);
  if (known == nullptr || !known->settings->enabled || known->settings->memory == 0) return false;
  const auto begun = data_thread::now();
  auto& ns = *known->state;
  auto& coherence = s.shared().coherence;
  if (coherence.blocked(begun)) return false;
  const auto told = as_of(s, *known->settings, begun);
  auto permitted = permission_of(s, *known, command, begun, told);
  if (!permitted) return false;
  auto& [kind, who] = *permitted;

  const auto reply_at = thread.output.size();
  const auto& plan = plan_for(thread, command, rules_for(s, kind), prepared);
  if (plan.shape == cache::read_shape::forward || plan.hint.refresh) return false;
  who.max_age = plan.hint.max_age;
  const auto usable = [&](const cache::entry_ref& e) {
    return e && e->meta().kind != cache::entry_kind::too_large && answers(s, *e, who, begun);
  };
  if (plan.shape == cache::read_shape::list) {
    const auto list = coherence.find(ns, cache::key_kind::list, plan.list_key(), begun);
    if (!usable(list) || !finds_room(s, {&list, 1})) return false;
    append_list_reply(thread.output, s, command, *list);
    offer_to_verify(s, command, {ns, *known->settings, who, cache::key_kind::list},
                    protocol::byte_view(thread.output).subspan(reply_at), {&list, 1});
  } else {
    auto& entries = thread.entries;
    entries.clear();
    const bool several = plan.ids.size() > 1 && who.mode != cache::promise::ttl;
    cache::one_moment moment(several ? coherence.stream().applied_to() : 0);
    for (std::size_t i = 0; i < plan.ids.size(); ++i) {
      auto e = coherence.find(ns, cache::key_kind::document, plan.id_key(i), begun);
      if (!usable(e)) return false;
      if (several) moment.add(e->meta());
      entries.push_back(std::move(e));
    }
    if (several && !moment.holds()) return false;
    if (!finds_room(s, entries)) return false;
    const auto refused = append_documents_reply(thread.output, s, command, plan, entries);
    if (refused == cache::bypass_reason::none) {
      offer_to_verify(s, command, {ns, *known->settings, who, cache::key_kind::document},
                      protocol::byte_view(thread.output).subspan(reply_at), entries);
    }
    entries.clear();
    if (refused != cache::bypass_reason::none) return false;
  }
  static const auto label = cache::command_label("find");
  thread.metrics.count(outcome::l1_hit, label);
  if (told != begun && !permission_of(s, *known, command, begun, begun)) thread.metrics.stale_served.add();
  const auto took = data_thread::now() - begun;
  thread.turn_spent += took;
  thread.metrics.request_duration[static_cast<std::size_t>(outcome::l1_hit)].observe(took);
  auto& hits = ns.counts(thread.index).hits;
  hits.store(hits.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return true;
}

}  // namespace mongocached::daemon
