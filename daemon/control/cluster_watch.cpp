#include "daemon/control/cluster_watch.hpp"

#include <utility>

#include "daemon/control/cluster_sampler.hpp"
#include "daemon/control/releasable_thread.hpp"
#include "daemon/control/stream_follower.hpp"

namespace mongocached::daemon {

const char* name_of(stream_state s) noexcept {
  switch (s) {
    case stream_state::opened:
      return "opened";
    case stream_state::lost:
      return "lost";
    case stream_state::history_lost:
      return "history lost";
    case stream_state::refused:
      return "refused";
    case stream_state::denied:
      break;
  }
  return "denied";
}

namespace {

// The call-backs, for threads that may be let go of.
watch_events gated(call_gate& gate, watch_events to) {
  watch_events out;
  out.begin = [&gate, begin = std::move(to.begin)] {
    protocol::byte_buffer where;
    gate.pass([&] { where = begin(); });
    return where;
  };
  out.state = [&gate, state = std::move(to.state)](stream_state now, const std::string& reason) {
    gate.pass([&] { state(now, reason); });
  };
  out.batch = [&gate, batch = std::move(to.batch)](const stream_batch& b) { gate.pass([&] { batch(b); }); };
  out.sample = [&gate, sample = std::move(to.sample)](const cluster_sample& s) { gate.pass([&] { sample(s); }); };
  out.no_sample = [&gate, none = std::move(to.no_sample)](const std::string& reason) {
    gate.pass([&] { none(reason); });
  };
  return out;
}

}  // namespace

// What the two threads use, and own; each gives back what it has of libmongoc's before it ends.
class cluster_watch::followed {
 public:
  followed(const upstream_uri& uri, const watch_options& options, watch_events events)
      : events_(gated(gate_, std::move(events))),
        source_(uri, options),
        follower_(source_, options, events_),
        sampler_(source_, options, events_) {}

  void follow() {
    follower_.run();
    source_.discard();
  }
  void sample() {
    sampler_.run();
    source_.discard();
  }
  void ask_to_stop() {
    follower_.stop();
    sampler_.stop();
  }
  void restart() { follower_.restart(); }
  void renew(const watch_options& options) {
    follower_.renew(options);
    sampler_.renew(options);
  }
  void shut() { gate_.shut(); }

 private:
  call_gate gate_;
  const watch_events events_;
  cluster_source source_;
  stream_follower follower_;
  cluster_sampler sampler_;
};

class cluster_watch::impl {
 public:
  impl(const upstream_uri& uri, const watch_options& options, watch_events events)
      : followed_(std::make_shared<followed>(uri, options, std::move(events))),
        stream_("stream", [all = followed_] { all->follow(); }),
        sampling_("sampler", [all = followed_] { all->sample(); }) {}
  ~impl() {
    ask_to_stop();
    followed_->shut();
    stream_.finish();
    sampling_.finish();
  }
  impl(const impl&) = delete;
  impl& operator=(const impl&) = delete;

  void ask_to_stop() {
    followed_->ask_to_stop();
    stream_.was_asked();
    sampling_.was_asked();
  }
  void restart() { followed_->restart(); }
  void renew(const watch_options& options) { followed_->renew(options); }

 private:
  const std::shared_ptr<followed> followed_;
  releasable_thread stream_;
  releasable_thread sampling_;
};

cluster_watch::cluster_watch(const upstream_uri& uri, const watch_options& options, watch_events events)
    : impl_(std::make_unique<impl>(uri, options, std::move(events))) {}

cluster_watch::~cluster_watch() = default;

void cluster_watch::ask_to_stop() {
  impl_->ask_to_stop();
}

void cluster_watch::restart() {
  impl_->restart();
}

void cluster_watch::renew(const watch_options& options) {
  impl_->renew(options);
}

}  // namespace mongocached::daemon
