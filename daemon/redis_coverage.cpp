#include "daemon/redis_coverage.hpp"

#include <boost/asio/post.hpp>
#include <optional>

namespace mongocached::daemon {
namespace {

namespace asio = boost::asio;

constexpr auto save_period = std::chrono::seconds(1);
// So many checks, a second apart, find an old mark before a new epoch takes its place.
constexpr int patience = 3;
constexpr auto ask_again = std::chrono::milliseconds(50);
// The store answers within its timeout; this is for a control thread that is late.
constexpr auto longest_tell = std::chrono::seconds(2);

}  // namespace

redis_coverage::redis_coverage(process& shared, asio::io_context& control, thread_metrics& metrics)
    : shared_(shared), control_(control), metrics_(metrics), timer_(control) {}

void redis_coverage::use(std::shared_ptr<cache::redis_hub> hub) {
  hub_ = std::move(hub);
  store_ = hub_->make_store(control_);
  subscriber_ = hub_->make_subscriber(control_, [this](const cache::push_message& message) { hear(message); });
  every_second();
}

void redis_coverage::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  answered_.notify_all();
  subscriber_.reset();
  store_.reset();
  timer_.cancel();
}

void redis_coverage::hear(const cache::push_message& message) {
  shared_.coherence.pushed({message.ns, message.keys, message.documents, message.lists, message.fence});
  metrics_.invalidations[static_cast<std::size_t>(invalidation_source::push)].add();
}

void redis_coverage::ask_mark(const std::shared_ptr<mark_answer>& answer) {
  asio::post(control_, [self = shared_from_this(), answer] {
    const auto told = [self, answer](cache::store_status status, cache::coverage_mark mark) {
      const std::scoped_lock lock(self->mutex_);
      answer->came = true;
      if (status == cache::store_status::ok) answer->mark = std::move(mark);
      self->answered_.notify_all();
    };
    if (!self->store_) return told(cache::store_status::unavailable, {});
    self->store_->load_mark(told);
  });
}

cache::coverage_mark redis_coverage::wait_for_mark(std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < until) {
    const auto answer = std::make_shared<mark_answer>();
    ask_mark(answer);
    std::unique_lock lock(mutex_);
    answered_.wait_until(lock, until, [&] { return stopped_ || answer->came; });
    if (answer->mark) {
      const bool none = answer->mark->epoch == cache::epoch_name{};
      return none ? cache::coverage_mark{} : std::move(*answer->mark);
    }
    if (stopped_) return {};
    answered_.wait_for(lock, ask_again, [this] { return stopped_; });  // Redis is not there yet
  }
  return {};
}

bool redis_coverage::deliver(std::vector<cache::invalidation> events) {
  if (events.empty()) return true;
  const auto left = std::make_shared<std::size_t>(events.size());  // guarded by mutex_
  asio::post(control_, [self = shared_from_this(), left, events = std::move(events)]() mutable {
    const auto told = [self, left](cache::store_status) {
      const std::scoped_lock lock(self->mutex_);
      if (--*left == 0) self->answered_.notify_all();
    };
    for (auto& event : events) {
      if (!self->store_) {
        {
          const std::scoped_lock lock(self->mutex_);
          self->missed_ = true;
        }
        told(cache::store_status::unavailable);
      } else {
        self->store_->invalidate(std::move(event), told);
      }
    }
  });
  std::unique_lock lock(mutex_);
  return answered_.wait_for(lock, longest_tell, [&] { return stopped_ || *left == 0; }) && !stopped_;
}

void redis_coverage::tell(std::vector<cache::invalidation> events, cache::cluster_time position,
                          protocol::byte_view token) {
  std::uint64_t term = 0;
  {
    const std::scoped_lock lock(mutex_);
    term = term_;
  }
  // Without a token, or not acknowledged, the mark stays where it is.
  if (!deliver(std::move(events)) || position == 0 || token.empty()) return;
  bool first = false;
  {
    const std::scoped_lock lock(mutex_);
    if (term != term_) return;
    applied_ = position;
    token_.assign(token.begin(), token.end());
    first = start_ == 0 || std::exchange(missed_, false);
    if (first) start_ = position;
  }
  if (first) changed();
}

void redis_coverage::began(cache::cluster_time start) {
  {
    const std::scoped_lock lock(mutex_);
    ++term_;
    began_ = true;
    start_ = start;
    applied_ = 0;
    token_.clear();
  }
  changed();
}

void redis_coverage::lost() {
  const std::scoped_lock lock(mutex_);
  ++term_;
  began_ = false;
  shared_.redis_covered.store(false);
}

void redis_coverage::changed() {
  shared_.redis_covered.store(false);
  asio::post(control_, [self = shared_from_this()] { self->check(); });
}

void redis_coverage::void_all() {
  asio::post(control_, [self = shared_from_this()] {
    if (!self->store_) return;
    cache::invalidation everything;
    everything.everything = true;
    self->store_->invalidate(std::move(everything), [](cache::store_status) {});
  });
}

void redis_coverage::every_second() {
  if (shared_.redis_covered.load()) {
    save([](cache::store_status) {});
  } else {
    check();
  }
  timer_.expires_after(save_period);
  timer_.async_wait([self = shared_from_this()](boost::system::error_code ec) {
    if (!ec) self->every_second();
  });
}

// Is what lies in Redis known to be whole?
void redis_coverage::check() {
  if (checking_ || !store_ || shared_.redis_covered.load()) return;
  std::uint64_t term = 0;
  {
    const std::scoped_lock lock(mutex_);
    if (!began_ || start_ == 0) return;
    term = term_;
  }
  checking_ = true;
  store_->load_mark([self = shared_from_this(), term](cache::store_status status, const cache::coverage_mark& mark) {
    self->checking_ = false;
    if (status == cache::store_status::ok) self->judge(mark, term);
  });
}

void redis_coverage::judge(const cache::coverage_mark& mark, std::uint64_t term) {
  cache::cluster_time start = 0;
  {
    const std::scoped_lock lock(mutex_);
    if (term != term_) return;
    start = start_;
  }
  const bool there = mark.epoch != cache::epoch_name{};
  if (there && mark.time >= start) {
    old_marks_ = 0;
    return trust(mark.epoch, term);
  }
  // Another process may be about to move it on.
  if (there && ++old_marks_ < patience) return;
  old_marks_ = 0;
  renew_epoch(term);
}

// C3: no mark, or one from before our stream began: nobody knows what is missing in between.
void redis_coverage::renew_epoch(std::uint64_t term) {
  {
    const std::scoped_lock lock(mutex_);
    if (applied_ == 0) return;  // no mark of our own to give: at the next batch
  }
  cache::invalidation everything;
  everything.everything = true;
  checking_ = true;
  store_->invalidate(std::move(everything), [self = shared_from_this(), term](cache::store_status status) {
    self->checking_ = false;
    if (status != cache::store_status::ok || !self->store_) return;
    self->save([self, term, epoch = self->hub_->epoch()](cache::store_status saved) {
      if (saved == cache::store_status::ok) self->trust(epoch, term);
    });
  });
}

void redis_coverage::save(std::function<void(cache::store_status)> done) {
  cache::coverage_mark mark;
  mark.epoch = hub_->epoch();
  {
    const std::scoped_lock lock(mutex_);
    if (applied_ == 0 || !began_) return;
    mark.time = applied_;
    mark.token = token_;
  }
  store_->save_mark(mark, std::move(done));
}

void redis_coverage::trust(const cache::epoch_name& epoch, std::uint64_t term) {
  bool before = false;
  {
    const std::scoped_lock lock(mutex_);
    if (!began_ || term != term_) return;
    before = shared_.redis_covered.exchange(true);
  }
  // Whoever saw another epoch since has set it to false before this looks, or sees it set and does so afterwards.
  if (hub_->epoch() != epoch) shared_.redis_covered.store(false);
  if (!before && shared_.redis_covered.load()) shared_.log.info("redis", "what it holds is up to date");
}

}  // namespace mongocached::daemon
