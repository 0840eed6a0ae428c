#include "daemon/coherence_feed.hpp"

#include "daemon/data_thread.hpp"
#include "daemon/redis_coverage.hpp"

namespace mongocached::daemon {
namespace {

constexpr std::chrono::milliseconds shortest_period{10};
constexpr std::chrono::milliseconds longest_await{1000};
// At the start: how long Redis may take to tell its mark. Without it the stream begins at the present.
constexpr auto mark_wait = std::chrono::seconds(2);

template <class F>
void for_each_cache(const config::settings& settings, F f) {
  f(settings.cache);
  for (const auto& collection : settings.collections) f(settings.cache_for(collection.pattern));
}

watch_options options_for(const config::settings& settings) {
  auto max_lag = cache::duration::max();
  std::uint64_t max_entry = 0;
  for_each_cache(settings, [&](const config::cache_settings& c) {
    if (c.enabled && c.mode != config::cache_mode::ttl) max_lag = std::min<cache::duration>(max_lag, c.max_lag);
    max_entry = std::max(max_entry, c.max_entry);
  });
  const auto lag = std::chrono::duration_cast<std::chrono::milliseconds>(max_lag);
  watch_options out;
  out.sample_period = std::clamp(lag / 8, shortest_period, longest_await);
  out.await = std::clamp(lag / 4, shortest_period, longest_await);
  out.max_document = max_entry;
  out.connect_timeout = std::chrono::duration_cast<std::chrono::milliseconds>(settings.upstream.connect_timeout);
  return out;
}

}  // namespace

bool needs_stream(const config::settings& settings) {
  bool needed = false;
  for_each_cache(settings, [&](const config::cache_settings& c) {
    needed = needed || (c.enabled && c.mode != config::cache_mode::ttl);
  });
  return needed;
}

class coherence_feed::impl {
 public:
  impl(process& shared, const upstream_uri& upstream, boost::asio::io_context& control, feed_hooks hooks)
      : shared_(shared),
        redis_(std::make_shared<redis_coverage>(shared, control, metrics_)),
        hooks_(std::move(hooks)),
        has_redis_(shared.settings.load()->redis.uri.has_value()) {
    watch_events events;
    events.begin = [this] { return begin(); };
    events.state = [this](stream_state state, const std::string& reason) { changed(state, reason); };
    events.batch = [this](const stream_batch& batch) { take(batch); };
    events.sample = [this](const cluster_sample& sample) { take(sample); };
    events.no_sample = [this](const std::string& reason) {
      shared_.coherence.void_unsettled();
      shared_.log.debug("stream", "the primary gave no sample", {{"reason", reason}});
    };
    const std::scoped_lock lock(watch_mutex_);
    watch_ = std::make_unique<cluster_watch>(upstream, options_for(*shared.settings.load()), std::move(events));
  }

  ~impl() { stop(); }

  void settings_changed(const config::settings& now) {
    const std::scoped_lock lock(watch_mutex_);
    if (watch_) watch_->renew(options_for(now));
  }

  void ask_to_stop() {
    const std::scoped_lock lock(watch_mutex_);
    if (watch_) watch_->ask_to_stop();
  }

  void stop() {
    redis_->stop();
    std::unique_ptr<cluster_watch> ending;
    {
      const std::scoped_lock lock(watch_mutex_);
      ending = std::move(watch_);
    }
  }

  [[nodiscard]] redis_coverage& redis() noexcept { return *redis_; }
  [[nodiscard]] const thread_metrics& metrics() const noexcept { return metrics_; }

  [[nodiscard]] feed_status status() const {
    const auto covered = shared_.coherence.stream().covered();
    const auto now = data_thread::now();
    const std::scoped_lock lock(state_mutex_);
    feed_status out{state_, reason_, false, covered == cache::instant{} ? cache::duration(-1) : now - covered, 0};
    out.open = state_ == stream_state::opened &&
               shared_.coherence.stream().is_open(now, shared_.settings.load()->cache.max_lag);
    out.events = events_.load(std::memory_order_relaxed);
    return out;
  }

 private:
  // Stream thread. The mark counts once: whenever the stream is begun again, what was known is void.
  protocol::byte_buffer begin() {
    cache::coverage_mark mark;
    if (has_redis_ && !std::exchange(began_, true)) mark = redis_->wait_for_mark(mark_wait);
    if (mark.token.empty()) mark = {};  // then the stream begins at the present
    const std::scoped_lock lock(apply_mutex_);
    void_ = false;
    from_now_ = mark.token.empty();
    start_ = mark.time;
    redis_->began(start_);
    return std::move(mark.token);
  }

  void changed(stream_state state, const std::string& reason) {
    {
      const std::scoped_lock lock(state_mutex_);
      state_ = state;
      reason_ = reason;
    }
    switch (state) {
      case stream_state::opened:
        return opened(reason);
      case stream_state::lost:
        shared_.coherence.void_unsettled();
        return shared_.log.warn("stream", "lost: it will be resumed where it stopped", {{"reason", reason}});
      case stream_state::history_lost:
        return lose_history(reason);
      case stream_state::refused:
        return refused(reason);
      case stream_state::denied:
        return denied(reason);
    }
  }

  void opened(const std::string& how) {
    {
      const std::scoped_lock lock(apply_mutex_);
      // Nothing was heard of what was done between the loss of its history and now; and who wrote meanwhile may have
      // relied on hearing of it.
      const bool gap = std::exchange(from_now_, false) && shared_.coherence.follows();
      if (gap) shared_.coherence.void_history(true);
      if (gap || !shared_.coherence.follows()) voided_ = data_thread::now();
      shared_.coherence.follow(true);
      // The mark says that up to it Redis was told everything; memory holds nothing older.
      if (start_ != 0) shared_.coherence.resumed(std::exchange(start_, 0));
    }
    shared_.stream_refused.store(false);
    shared_.log.info("stream", "following the cluster's changes", {{"how", how}});
  }

  void lose_history(const std::string& reason) {
    redis_->lost();
    {
      const std::scoped_lock lock(apply_mutex_);
      shared_.coherence.void_history(true);
      voided_ = data_thread::now();
    }
    shared_.log.warn("stream", "events were missed: everything cached is void", {{"reason", reason}});
    hooks_.history_void();
  }

  void refused(const std::string& reason) {
    redis_->lost();
    const bool followed = shared_.coherence.follows();
    {
      const std::scoped_lock lock(apply_mutex_);
      shared_.coherence.follow(false);
    }
    if (followed) redis_->void_all();
    shared_.stream_refused.store(true);
    shared_.log.warn("stream", "no change stream here: mode ttl is what is promised instead of bounded",
                     {{"reason", reason},
                      {"writes_through_this_proxy", "seen at once"},
                      {"other_writes", "seen after at most cache.ttl"},
                      {"mode_strict", "nothing is served from the cache"}});
  }

  // A fault of the settings is no reason to promise less: what cannot be followed is not served (G2).
  void denied(const std::string& reason) {
    shared_.stream_refused.store(false);
    shared_.coherence.void_unsettled();
    shared_.log.error("stream",
                      "the cluster does not let the user in upstream.uri read its change stream: in modes bounded and "
                      "strict everything is relayed",
                      {{"reason", reason},
                       {"remedy",
                        "put a user who may read change streams into upstream.uri, or set cache.mode = \"ttl\" if that "
                        "is what you want"}});
  }

  void take(const stream_batch& batch) {
    std::vector<cache::invalidation> for_redis;
    {
      const std::scoped_lock lock(apply_mutex_);
      if (void_) return;
      for (const auto& raw : batch.events) {
        shared_.coherence.apply(cache::read_change_event(raw), raw, for_redis);
        metrics_.invalidations[static_cast<std::size_t>(invalidation_source::stream)].add();
      }
      shared_.coherence.applied(batch.position);
    }
    events_.fetch_add(batch.events.size(), std::memory_order_relaxed);
    if (has_redis_) redis_->tell(std::move(for_redis), batch.position, batch.token);
  }

  void take(const cluster_sample& sample) {
    bool good = false;
    {
      const std::scoped_lock lock(apply_mutex_);
      // One from before the voiding says nothing of what came behind it.
      if (sample.sent < voided_) return;
      good = shared_.coherence.sampled({.sent = sample.sent,
                                        .operation_time = sample.operation_time,
                                        .majority = sample.majority,
                                        .election = sample.election,
                                        .server = sample.server});
      void_ = void_ || !good;
      if (!good) voided_ = data_thread::now();
    }
    if (good) return hooks_.settled();
    shared_.log.warn(
        "stream",
        "the primary's time is behind what the stream told (restored, or rolled back): everything cached is void");
    redis_->lost();
    hooks_.history_void();
    const std::scoped_lock lock(watch_mutex_);
    if (watch_) watch_->restart();
  }

  process& shared_;
  thread_metrics metrics_;
  const std::shared_ptr<redis_coverage> redis_;
  const feed_hooks hooks_;
  const bool has_redis_;
  bool began_ = false;  // stream thread

  // Held while anything is applied or voided, so that no batch of before follows the voiding.
  std::mutex apply_mutex_;
  bool void_ = false;        // until the stream begins anew
  cache::instant voided_{};  // when everything was last void
  cache::cluster_time start_ = 0;
  bool from_now_ = false;  // the stream is begun at the present; under apply_mutex_

  mutable std::mutex state_mutex_;
  stream_state state_ = stream_state::lost;
  std::string reason_ = "not opened yet";
  std::atomic<std::uint64_t> events_{0};

  std::mutex watch_mutex_;
  std::unique_ptr<cluster_watch> watch_;
};

coherence_feed::coherence_feed(process& shared, const upstream_uri& upstream, boost::asio::io_context& control,
                               feed_hooks hooks)
    : impl_(std::make_unique<impl>(shared, upstream, control, std::move(hooks))) {}
coherence_feed::~coherence_feed() = default;

void coherence_feed::use_redis(std::shared_ptr<cache::redis_hub> hub) {
  impl_->redis().use(std::move(hub));
}

void coherence_feed::redis_changed() {
  impl_->redis().changed();
}

void coherence_feed::settings_changed(const config::settings& now) {
  impl_->settings_changed(now);
}

feed_status coherence_feed::status() const {
  return impl_->status();
}

const thread_metrics& coherence_feed::metrics() const noexcept {
  return impl_->metrics();
}

void coherence_feed::ask_to_stop() {
  impl_->ask_to_stop();
}

void coherence_feed::stop() {
  impl_->stop();
}

}  // namespace mongocached::daemon
