// The read flow's last step: the read upstream, and what becomes of its answer (coherence R4, R6; wire rules S3, S4,
// S6).
#include <algorithm>

#include "cache/one_moment.hpp"
#include "daemon/cached_reply.hpp"
#include "daemon/fill_command.hpp"
#include "daemon/session/read_flow.hpp"

namespace mongocached::daemon {
namespace {

// Replies up to this size are held for storing, beyond max_entry for what stands around the document.
constexpr std::size_t reply_slack = 64UL * 1024;
constexpr std::size_t batch_reply_limit = 4UL * 1024 * 1024;  // far below where a server closes a batch

// Spreads the expiry of entries that were filled together over the last tenth of their time.
cache::duration jittered(cache::duration ttl, std::uint64_t hash) noexcept {
  return ttl - ttl / 10 * static_cast<std::int64_t>(hash % 1024) / 1024;
}

bool from_current_primary(session& s) {
  const auto* link = s.open_upstream();
  const auto& now = *s.thread().upstream;
  if (link == nullptr || !now.available || link->host() != now.host || link->port() != now.port) return false;
  // S1: what the samples tell of a majority holds for their server alone.
  return s.shared().coherence.settled().may_fill(link->address());
}

// All that was found, in a reply of the only form that can be imitated (S8).
std::optional<protocol::bson_view> only_batch(const upstream_reply& reply) noexcept {
  protocol::cursor_view cursor;
  const bool usable = reply.whole && reply.viewed && reply.view.ok && reply.view.tail[0] != 0 &&
                      protocol::view_cursor(reply.view, cursor) && cursor.id == 0;
  return usable ? cursor.first_batch : std::nullopt;
}

}  // namespace

// R4: an error that what we changed in the command cannot have caused, or that the server itself tells drivers how to
// take: the client is to see it as if it had asked alone. What was killed stays so, and what costs too much is not
// asked for twice.
bool is_the_clients_own(const request& r, const upstream_reply& reply) {
  if (!reply.whole || !reply.viewed || reply.view.ok) return false;
  switch (static_cast<protocol::error_code>(reply.view.code)) {
    case protocol::error_code::interrupted:
    case protocol::error_code::query_exceeded_memory_limit:
      return true;
    case protocol::error_code::max_time_ms_expired:
      return data_thread::now() >= r.received + std::chrono::milliseconds(r.command.max_time_ms);
    default:
      return protocol::is_server_trouble(reply.view.code) || reply.body.find("errorLabels").has_value();
  }
}

// What the client has not asked for and a majority may have yet to reach: where a majority is away the server would
// wait for it for ever, and not answer at once as it would the client.
bool read_flow::would_wait_for_majority() const noexcept {
  const bool asked_for = r_.command.level == protocol::read_level::majority;
  const auto asked = asked_for ? r_.command.after_cluster_time : 0;
  return tells_majority() && lower_ > std::max(asked, s_.shared().coherence.known_majority());
}

// Behind a mongos operationTime is the newest of several shards'.
bool read_flow::tells_majority() const noexcept {
  return level_ == cache::entry_level::majority && s_.thread().upstream->kind != upstream_kind::sharded;
}

// R4: a read may not ask for a time that the primary has not reached yet, as far as is known.
bool read_flow::raise_lower() {
  const auto read_from = std::max(lower_, r_.command.after_cluster_time);
  if (read_from > s_.shared().coherence.newest_operation_time()) return false;
  // Sent as it came, whether that means local or majority: only what a majority has is certain to be in the answer.
  if (level_ == cache::entry_level::by_default && lower_ > s_.shared().coherence.known_majority()) return false;
  if (would_wait_for_majority()) {
    if (wanted_.size() > 1 || untold_) return false;
    abandon();  // nothing of it is kept
    lower_ = 0;
    return true;
  }
  for (const auto& w : wanted_) {
    if (w.flight) s_.shared().coherence.flights().set_lower(*w.flight, lower_);
  }
  return true;
}

bool read_flow::is_torn() const noexcept {
  if (wanted_.size() < 2 || who_.mode == cache::promise::ttl) return false;
  cache::one_moment moment(applied_);
  std::size_t found = 0;
  for (const auto& w : wanted_) {
    if (!w.entry) continue;
    moment.add(w.entry->meta());
    ++found;
  }
  // What is yet to be read is of another moment than what is here.
  return found > 0 && (found < wanted_.size() || !moment.holds());
}

// All are read with one command. No flight for what is cached: were it stored anew, its U would run ahead of H for as
// long as it is asked for.
void read_flow::set_apart() {
  for (auto& w : wanted_) {
    if (!w.entry) continue;
    w.entry = {};
    w.apart = true;
    lower_ = std::max(lower_, s_.shared().coherence.fence(*ns_, kind_, w.key.hash));
  }
}

task<void> read_flow::send_own_bytes() {
  abandon();
  shorten_max_time(r_, data_thread::now() - r_.received);
  ns_->counts(s_.thread().index).misses.fetch_add(1, std::memory_order_relaxed);
  co_await relay(s_, r_, {outcome::miss, cache::bypass_reason::none});
}

task<exchange> read_flow::skip_reply() {
  auto* link = s_.open_upstream();
  const auto lost = [this] { return s_.is_open() ? exchange::upstream_lost : exchange::client_lost; };
  if (link == nullptr) co_return lost();
  // GCC 12 evaluates a co_await behind && in the condition of a loop whatever stands before it.
  while (link->unread() > 0) {
    const auto piece = co_await link->read_rest();
    if (piece.empty()) co_return lost();
  }
  link->release_memory();
  co_return exchange::ok;
}

task<void> read_flow::end_in(exchange how) {
  abandon(true);
  co_await fail(s_, r_, how);
  s_.finished(r_, {outcome::error, cache::bypass_reason::none});
}

task<void> read_flow::fill() {
  std::vector<const protocol::bson_element*> ids;
  const bool batch = plan_.shape == cache::read_shape::by_ids;
  if (batch) {
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      if (!wanted_[i].entry) ids.push_back(&plan_.ids[i].value);
    }
  }
  fill_changes changes;
  changes.lower = level_ == cache::entry_level::by_default ? 0 : lower_;
  changes.whole_document = plan_.projected && kind_ == cache::key_kind::document;
  if (batch && (ids.size() < wanted_.size() || plan_.limit > 0 || plan_.batch_size > 0)) changes.ids = &ids;
  if (level_ == cache::entry_level::majority && r_.command.level != protocol::read_level::majority) {
    changes.level = protocol::read_level::majority;
  }
  // The wait for a connection counts as well, and what is sent is no longer the request itself.
  if (s_.pooled() != nullptr) {
    const auto* const link = co_await s_.upstream(selection_deadline(r_));
    if (!s_.is_open()) co_return co_await end_in(exchange::client_lost);
    if (link == nullptr) co_return co_await end_in(exchange::no_upstream);
  }
  shorten_max_time(r_, data_thread::now() - r_.received);
  const bool altered = changes_anything(r_.command, changes);
  auto& spare = s_.thread().spare;
  auto command = spare.take();
  if (altered) append_fill_command(command, r_.command, changes);

  sent_ = data_thread::now();
  read_ = s_.shared().last_read.fetch_add(1, std::memory_order_relaxed) + 1;
  const auto proofs_epoch = s_.shared().authorization.epoch();
  auto how = co_await forward(s_, r_, command);
  spare.give(std::move(command));
  upstream_reply reply;
  reply.bytes = spare.take();
  if (how == exchange::ok) {
    how = co_await receive(s_, reply, batch ? batch_reply_limit : settings_->max_entry + reply_slack);
  }
  if (how != exchange::ok) co_return co_await end_in(how);
  const bool reshaped = changes.whole_document || changes.ids != nullptr;
  if (reply.viewed && reply.view.ok) {
    s_.identity().prove(*ns_, sent_, proofs_epoch);
    if (tells_majority()) s_.shared().coherence.saw_majority(reply.view.operation_time);
  }
  bool taken = false;
  const auto rows = only_batch(reply);
  if (!reply.whole) {
    reject(reply.crowded_out ? fill_rejection::memory : fill_rejection::size);
    if (kind_ == cache::key_kind::document && !batch && !reply.crowded_out)
      store(wanted_.front(), cache::entry_kind::too_large, reply.view, {});
  } else if (!rows) {
    reject(fill_rejection::reply);
  } else if (batch && reply.bytes.size() > batch_reply_limit) {
    reject(fill_rejection::size);  // and it may have been cut where a batch ends
  } else if (!from_current_primary(s_)) {
    reject(fill_rejection::primary);
  } else {
    taken = kind_ == cache::key_kind::list ? take_list(reply, *rows) : take_documents(reply, *rows);
  }
  if (taken) store_in_redis();
  abandon();
  if (reshaped && taken) {
    protocol::byte_buffer().swap(reply.bytes);  // what it held is now for the entries and what is made of them
    co_return co_await answer_from_entries(outcome::miss);
  }
  const bool refused = reply.whole && !(reply.viewed && reply.view.ok);
  if ((reshaped || (altered && refused)) && !is_the_clients_own(r_, reply)) {
    // R4: an altered command's answer never reaches the client when it is an error that the change may have caused, or
    // cannot be turned into the client's own.
    if (const auto skipped = co_await skip_reply(); skipped != exchange::ok) co_return co_await end_in(skipped);
    co_return co_await send_own_bytes();
  }
  how = co_await deliver(s_, reply);
  if (how != exchange::ok) co_await fail(s_, r_, how);
  if (reply.viewed) leave_deposed(s_, reply.view);
  spare.give(std::move(reply.bytes));
  ns_->counts(s_.thread().index).misses.fetch_add(1, std::memory_order_relaxed);
  s_.finished(r_, {how == exchange::ok ? outcome::miss : outcome::error,
                   proven_ ? cache::bypass_reason::none : cache::bypass_reason::unproven});
}

bool read_flow::take_list(const upstream_reply& reply, protocol::bson_view batch) {
  if (batch.size() > settings_->max_entry || !batch.validate()) {
    reject(fill_rejection::size);
    return false;
  }
  store(wanted_.front(), cache::entry_kind::list, reply.view, batch.bytes());
  return true;
}

bool read_flow::take_documents(const upstream_reply& reply, protocol::bson_view batch) {
  protocol::pooled_vector<std::pair<wanted*, protocol::byte_view>> found;
  auto key = s_.thread().spare.take();
  protocol::bson_element row;
  protocol::bson_cursor rows(batch);
  while (rows.next(row)) {
    const auto document = row.document();
    const auto id = document ? document->find("_id") : std::nullopt;
    if (!id || !document->validate()) return false;
    cache::begin_key(key, cache::key_kind::document, r_.command.db, r_.command.collection);
    if (!cache::append_canonical_id(key, *id)) return false;
    const auto match = std::ranges::find_if(
        wanted_, [&key](const wanted& w) { return !w.entry && protocol::equal(w.key.bytes, key); });
    // Two documents of one _id (a server that tells ids apart which we take for equal): not ours to judge.
    if (match == wanted_.end() || std::ranges::any_of(found, [&match](const auto& f) { return f.first == &*match; })) {
      return false;
    }
    found.emplace_back(&*match, document->bytes());
  }
  if (rows.failed()) return false;
  s_.thread().spare.give(std::move(key));
  for (const auto& [w, document] : found) {
    const bool fits = document.size() <= settings_->max_entry;
    store(*w, fits ? cache::entry_kind::document : cache::entry_kind::too_large, reply.view, document);
    if (!fits) reject(fill_rejection::size);
  }
  for (auto& w : wanted_) {
    if (!w.entry) store(w, cache::entry_kind::absent, reply.view, {});
  }
  return true;
}

cache::entry_meta read_flow::meta_for(const wanted& w, const protocol::reply_view& reply,
                                      cache::entry_kind kind) const {
  const auto usual = kind == cache::entry_kind::absent ? settings_->negative_ttl : settings_->ttl;
  const auto ttl = std::min<cache::duration>(usual, plan_.hint.max_age);
  cache::entry_meta meta{.kind = kind,
                         .level = level_,
                         .read = read_,
                         .generation = w.flight ? w.flight->generation() : 0,
                         .lower = lower_,
                         .upper = reply.operation_time,
                         .filled = sent_,
                         .expires = sent_ + jittered(ttl, w.key.hash)};
  std::ranges::copy(reply.tail, meta.tail);
  return meta;
}

void read_flow::reject(fill_rejection why) {
  s_.thread().metrics.fills_rejected[static_cast<std::size_t>(why)].add();
}

// Into memory where the flight is this request's, and in any case into the answer.
void read_flow::store(wanted& w, cache::entry_kind kind, const protocol::reply_view& reply, protocol::byte_view value) {
  const bool too_large = kind == cache::entry_kind::too_large;
  const auto meta = meta_for(w, reply, kind);
  auto& flights = s_.shared().coherence.flights();
  // The answer holds the document also where the cache only remembers that it is too large.
  auto answer_meta = meta;
  if (too_large) answer_meta.kind = cache::entry_kind::document;
  w.entry = cache::entry::make(w.key.bytes, w.key.hash, answer_meta, value);
  auto kept = too_large ? cache::entry::make(w.key.bytes, w.key.hash, meta, {}) : w.entry;
  w.keep_out_of_redis = w.keep_out_of_redis || too_large;
  const auto flight = std::exchange(w.flight, nullptr);
  if (!flight) return;
  const bool lasting = meta.expires > data_thread::now();
  if (!flights.finish(*flight, kept, lasting && keeps_in_memory())) {
    reject(fill_rejection::dirty);
    w.keep_out_of_redis = true;
  }
}

}  // namespace mongocached::daemon
