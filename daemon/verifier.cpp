#include "daemon/verifier.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "daemon/control/releasable_thread.hpp"
#include "daemon/control/upstream_reader.hpp"
#include "daemon/data_thread.hpp"
#include "daemon/milliseconds.hpp"

namespace mongocached::daemon {
namespace {

constexpr std::size_t max_waiting = 64;
constexpr cache::duration longest_wait = std::chrono::seconds(5);
constexpr auto look_again = std::chrono::milliseconds(20);

cache::invalidation dropping(const served_hit& hit, cache::cluster_time now) {
  cache::invalidation out;
  out.fence = now;
  out.ns = hit.ns->name();
  out.lists = hit.kind == cache::key_kind::list;
  for (const auto& e : hit.entries) {
    if (out.lists) break;
    out.keys.emplace_back(out.key_bytes.size(), out.key_bytes.size() + e->key().size());
    out.key_bytes.insert(out.key_bytes.end(), e->key().begin(), e->key().end());
  }
  return out;
}

}  // namespace

// Owned by its thread, which may be let go of while it waits for the upstream. But for that it holds touching_: of what
// is not its own nothing is touched once shut() has returned.
class verifier::work {
 public:
  work(process& shared, const upstream_uri& upstream, std::function<void(cache::invalidation)> tell_redis)
      : shared_(shared),
        tell_redis_(std::move(tell_redis)),
        reader_(
            std::in_place, upstream,
            std::chrono::duration_cast<std::chrono::milliseconds>(shared.settings.load()->upstream.connect_timeout)),
        judge_(
            shared.coherence, [this](const served_hit& hit) { return ask(hit); },
            [this](cache::instant moment) { return wait(moment); }, &data_thread::now) {}

  void run() {
    while (const auto hit = next()) {
      const std::scoped_lock lock(touching_);
      if (shut_) break;
      const auto verdict = judge_.judge(*hit);
      if (!shut_) book(*hit, verdict);
    }
    reader_.reset();
  }

  void ask_to_stop() {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }

  void shut() {
    const std::scoped_lock lock(touching_);
    shut_ = true;
  }

  void verify(served_hit hit) {
    {
      const std::scoped_lock lock(mutex_);
      if (stopping_ || waiting_.size() >= max_waiting) return;
      waiting_.push_back(std::move(hit));
    }
    changed_.notify_one();
  }

  [[nodiscard]] const thread_metrics& metrics() const noexcept { return metrics_; }

 private:
  std::optional<served_hit> next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return std::nullopt;
    std::optional<served_hit> hit(std::move(waiting_.front()));
    waiting_.pop_front();
    return hit;
  }

  void book(const served_hit& hit, const hit_judge::verdict& verdict) {
    metrics_.verified[static_cast<std::size_t>(verdict.result)].add();
    const bool old = verdict.result == verification::stale || verdict.result == verification::mismatch;
    if (old) metrics_.staleness.observe(verdict.staleness);
    if (verdict.result != verification::mismatch) return;
    tell_redis_(dropping(hit, shared_.coherence.newest_operation_time()));
    shared_.log.error("verifier", "an answer from the cache was wrong; it has been dropped",
                      {{"namespace", hit.ns->name()},
                       {"kind", hit.kind == cache::key_kind::list ? "list" : "document"},
                       {"served_ms_ago", milliseconds(data_thread::now() - hit.at)}});
  }

  std::optional<protocol::byte_buffer> ask(const served_hit& hit) {
    std::string why;
    touching_.unlock();
    auto batch = reader_->find(hit.db, hit.command, why);
    touching_.lock();
    if (shut_) return std::nullopt;  // with which the judge leaves off
    if (!batch && !std::exchange(told_, true)) {
      shared_.log.warn("verifier", "the upstream does not answer the proxy's own user: hits cannot be verified",
                       {{"reason", why}});
    }
    return batch;
  }

  bool wait(cache::instant moment) {
    const auto until = data_thread::now() + longest_wait;
    std::unique_lock lock(mutex_);
    while (shared_.coherence.stream().covered() <= moment) {
      if (stopping_ || data_thread::now() >= until) return false;
      changed_.wait_for(lock, look_again, [this] { return stopping_; });
    }
    return true;
  }

  process& shared_;
  const std::function<void(cache::invalidation)> tell_redis_;
  thread_metrics metrics_;                 // written by the thread
  std::optional<upstream_reader> reader_;  // used by the thread, which ends it
  hit_judge judge_;
  bool told_ = false;

  std::mutex touching_;
  bool shut_ = false;  // guarded by touching_

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<served_hit> waiting_;
  bool stopping_ = false;
};

class verifier::impl {
 public:
  impl(process& shared, const upstream_uri& upstream, std::function<void(cache::invalidation)> tell_redis)
      : work_(std::make_shared<work>(shared, upstream, std::move(tell_redis))),
        thread_("verifier", [all = work_] { all->run(); }) {}
  ~impl() { stop(); }
  impl(const impl&) = delete;
  impl& operator=(const impl&) = delete;

  void ask_to_stop() {
    work_->ask_to_stop();
    thread_.was_asked();
  }
  void stop() {
    ask_to_stop();
    work_->shut();
    thread_.finish();
  }
  [[nodiscard]] work& at_work() noexcept { return *work_; }

 private:
  const std::shared_ptr<work> work_;
  releasable_thread thread_;
};

verifier::verifier(process& shared, const upstream_uri& upstream, std::function<void(cache::invalidation)> tell_redis)
    : impl_(std::make_unique<impl>(shared, upstream, std::move(tell_redis))) {}
verifier::~verifier() = default;
void verifier::verify(served_hit hit) {
  impl_->at_work().verify(std::move(hit));
}
const thread_metrics& verifier::metrics() const noexcept {
  return impl_->at_work().metrics();
}
void verifier::ask_to_stop() {
  impl_->ask_to_stop();
}
void verifier::stop() {
  impl_->stop();
}

}  // namespace mongocached::daemon
