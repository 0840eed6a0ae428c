#include "model_proxy.hpp"

#include "protocol/bson_builder.hpp"

namespace mongocached::simulation {

model_proxy::model_proxy(world& w, int index) : world_(w), index_(index) {
  boot();
}

void model_proxy::boot() {
  state_.reset();
  local_.reset();
  local_.emplace(cache::local_cache_options{.budget_bytes = 1 << 20, .shards = 1});
  state_.emplace(*local_, cache::coherence_options{.max_namespaces = 4, .threads = 1});
  ns_ = state_->namespaces().find_or_add("shop", "things");
  state_->follow(true);
  position_ = {};
  ++life_;
  started_ = sampling_ = following_ = false;
  reads_behind_ = false;
  knows_primary_ = true;
  trusted_epoch_ = 0;
  owes_epoch_ = false;
  unacknowledged_.clear();
  settling_.clear();
}

void model_proxy::crash(bool messages_arrive) {
  world_.kill_flows(index_, messages_arrive);
  boot();
}

// C3: the mark tells where to begin; without one nothing in Redis can be trusted.
flow model_proxy::start() {
  co_await before(step::load_mark);
  const auto fresh = world_.fresh_name();
  const auto epoch = redis().open(fresh, false);
  auto mark = redis().mark();
  const bool marked = mark.epoch == epoch && mark.time <= world_.cluster.time() &&
                      mark.position <= world_.cluster.log().size() && mark.position >= world_.cluster.first_kept();
  co_await before(step::open_stream);
  if (marked && is_kept(model_guard::replay)) {
    cursor_ = mark.position;
    began_ = mark.time;
    position_ = {};
    stream_opened(0);
    trusted_epoch_ = epoch;
  } else if (marked) {
    open_stream_now();
    trusted_epoch_ = epoch;
  } else {
    open_stream_now();
    void_redis();
  }
  started_ = true;
}

// The reply that opens a stream is empty, and its token made up from the server's clock: events before it are to come.
void model_proxy::stream_opened(cache::cluster_time from) {
  position_.opened(from);
  const auto now = world_.cluster.majority_time();
  static_cast<void>(position_.applied({.token = now, .operation_time = now}));
}

void model_proxy::open_stream_now() {
  const auto& log = world_.cluster.log();
  const auto from = world_.cluster.time();
  cursor_ = log.size();
  while (cursor_ > 0 && log[cursor_ - 1].time >= from) --cursor_;
  began_ = from;
  position_ = {};
  stream_opened(from);
  ++life_;
}

// A new epoch, made by this process: it knows all that happens in it.
void model_proxy::void_redis() {
  owes_epoch_ = true;
  trusted_epoch_ = 0;
  if (world_.luck.fate_of(step::load_mark) != fate::ok) return;
  trusted_epoch_ = redis().open(world_.fresh_name(), true);
  owes_epoch_ = false;
  unacknowledged_.clear();
}

flow model_proxy::start_anew() {
  co_await before(step::open_stream);
  open_stream_now();
  void_redis();
}

// An epoch that another process made is trusted once its mark reaches back no further than what we have seen.
void model_proxy::learn_epoch() {
  if (owes_epoch_) return void_redis();
  const auto mark = redis().mark();
  const auto epoch = redis().epoch();
  if (epoch != trusted_epoch_ && epoch != 0 && mark.epoch == epoch && mark.time >= began_) trusted_epoch_ = epoch;
}

bool model_proxy::trusts_redis() const noexcept {
  return uses_redis && started_ && trusted_epoch_ != 0 &&
         (unacknowledged_.empty() || !is_kept(model_guard::unacknowledged));
}

void model_proxy::reconnect(int which) {
  redis_at_ = which;
  const auto fresh = world_.fresh_name();
  const auto epoch = redis().open(fresh, false);
  if (epoch == fresh) {
    trusted_epoch_ = epoch;  // ours, and empty
  } else if (epoch != trusted_epoch_) {
    trusted_epoch_ = 0;
    learn_epoch();
  }
}

void model_proxy::lose_stream(std::size_t repeat) {
  cursor_ -= std::min(repeat, cursor_);
  stream_opened(0);
  ++life_;
}

bool model_proxy::tell_redis(const cache::invalidation& what) {
  if (!uses_redis) return true;
  const auto how = world_.luck.fate_of(step::invalidate);
  if (how == fate::ok || how == fate::reply_lost) redis().invalidate(what, world_.fresh_name(), world_.now());
  if (how == fate::ok) return true;
  unacknowledged_.push_back(what);
  return false;
}

flow model_proxy::housekeeping() {
  auto again = std::exchange(unacknowledged_, {});
  for (auto& what : again) static_cast<void>(tell_redis(what));
  if (!started_ || !uses_redis) co_return;
  if (redis().epoch() != trusted_epoch_) learn_epoch();
  settle_fills();
  const bool all_told = unacknowledged_.empty() || !is_kept(model_guard::mark_waits);
  if (!all_told || trusted_epoch_ == 0 || state_->stream().applied_to() == 0) co_return;
  const redis_mark mark{trusted_epoch_, state_->stream().applied_to(), cursor_};
  redis().save_mark(mark);
}

flow model_proxy::sample() {
  sampling_ = true;
  cache::primary_sample out;
  out.sent = world_.now();
  co_await before(step::sample);
  const auto& cluster = world_.cluster;
  out.operation_time = cluster.time();
  out.majority = cluster.majority_time();
  out.election = std::to_string(cluster.term());
  out.server = out.election;  // each term's primary is a server of its own
  const bool lost = world_.luck.fate_of(step::sample) != fate::ok;
  co_await before(step::sample_reply);
  sampling_ = false;
  if (lost) co_return;
  if (!is_kept(model_guard::gate_sent)) out.sent = world_.now();
  if (!state_->sampled(out)) world_.start(index_, -1, start_anew());
  settle_fills();
}

flow model_proxy::follow() {
  following_ = true;
  co_await before(step::stream);
  const auto life = life_;
  const auto& cluster = world_.cluster;
  const bool gone = cursor_ < cluster.first_kept() || cursor_ > cluster.log().size();
  if (gone && is_kept(cache::guard::history)) {
    following_ = false;
    state_->void_history(true);
    world_.start(index_, -1, start_anew());
    co_return;
  }
  const auto begin = std::min(std::max(cursor_, cluster.first_kept()), cluster.log().size());
  auto end = begin;
  cache::stream_position::batch batch;
  std::vector<op> events;
  const auto most = world_.luck.batch_size();
  for (; end < cluster.majority() && events.size() < most; ++end) {
    if (cluster.log()[end].what != op_kind::noop) events.push_back(cluster.log()[end]);
  }
  if (!events.empty()) batch.last_event = events.back().time;
  batch.token = end >= cluster.majority() ? std::max(cluster.majority_time(), batch.last_event) : batch.last_event;
  batch.operation_time = cluster.majority_time();
  const bool lost = world_.luck.fate_of(step::stream) != fate::ok;
  co_await before(step::stream_reply);
  if (lost || life != life_) {
    following_ = false;
    if (lost && life == life_) lose_stream(0);
    co_return;
  }
  auto next = position_;
  const auto reached = next.applied(batch);
  if (!is_kept(model_guard::whole_batch)) state_->applied(reached);
  std::vector<cache::invalidation> told;
  for (const auto& event : events) {
    if (world_.luck.chance(4)) co_await before(step::apply);
    if (life != life_) break;
    scratch_.clear();
    static_cast<void>(append_event(scratch_, event));
    const auto raw = *protocol::bson_view::parse(scratch_);
    if (is_kept(model_guard::own_stream)) state_->apply(cache::read_change_event(raw), raw, told);
  }
  for (const auto& what : told) {
    co_await before(step::invalidate);
    static_cast<void>(tell_redis(what));
  }
  following_ = false;
  if (life != life_) co_return;
  position_ = next;
  cursor_ = end;
  state_->applied(reached);
}

}  // namespace mongocached::simulation
