#include "daemon/control/cluster_watch.hpp"

#include <pthread.h>

#include <thread>
#include <utility>

#include "daemon/control/cluster_sampler.hpp"
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

class cluster_watch::impl {
 public:
  impl(const upstream_uri& uri, const watch_options& options, watch_events events)
      : events_(std::move(events)),
        source_(uri, options),
        follower_(source_, options, events_),
        sampler_(source_, options, events_),
        stream_([this] { follower_.run(); }),
        sampling_([this] { sampler_.run(); }) {
    ::pthread_setname_np(stream_.native_handle(), "stream");
    ::pthread_setname_np(sampling_.native_handle(), "sampler");
  }
  ~impl() {
    follower_.stop();
    sampler_.stop();
    stream_.join();
    sampling_.join();
  }
  impl(const impl&) = delete;
  impl& operator=(const impl&) = delete;

  void restart() { follower_.restart(); }

 private:
  const watch_events events_;
  cluster_source source_;
  stream_follower follower_;
  cluster_sampler sampler_;
  std::thread stream_;
  std::thread sampling_;
};

cluster_watch::cluster_watch(const upstream_uri& uri, const watch_options& options, watch_events events)
    : impl_(std::make_unique<impl>(uri, options, std::move(events))) {}

cluster_watch::~cluster_watch() = default;

void cluster_watch::restart() {
  impl_->restart();
}

}  // namespace mongocached::daemon
