// Brings what the cluster tells (cluster_watch) to the cache and to Redis, and keeps the coverage mark (coherence
// C1-C4, G2, S1).
//
//   stream thread    a batch: applied here, then Redis is told and waited for, which is the back-pressure
//   sampling thread  a sample: gate and settlement, then the data threads may fill what has settled
//   control thread   Redis: the mark, the epoch, pushes of other processes
//
// Redis is trusted (process::redis_covered) once its mark, in its present epoch, is not older than the moment at which
// our own stream began: up to the mark somebody has told it everything, and from there on we do. Otherwise it gets a
// new epoch.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "cache/store/redis_store.hpp"
#include "daemon/control/cluster_watch.hpp"
#include "daemon/metrics.hpp"
#include "daemon/process.hpp"

namespace mongocached::daemon {

struct feed_status {
  stream_state state = stream_state::lost;
  std::string reason;     // of the state; no password
  bool open = false;      // unbroken, and known to be within cache.max_lag
  cache::duration lag{};  // since the moment up to which everything is known; negative: never
  std::uint64_t events = 0;
};

// Called from any thread; must be quick.
struct feed_hooks {
  std::function<void()> settled;       // more values may have settled
  std::function<void()> history_void;  // events were missed, or the cluster's time went back
};

// Some collection's mode relies on the change stream.
[[nodiscard]] bool needs_stream(const config::settings& settings);

class coherence_feed {
 public:
  // `control` runs on one thread.
  coherence_feed(process& shared, const upstream_uri& upstream, boost::asio::io_context& control, feed_hooks hooks);
  ~coherence_feed();
  coherence_feed(const coherence_feed&) = delete;
  coherence_feed& operator=(const coherence_feed&) = delete;

  // Control thread. Once, when Redis is known.
  void use_redis(std::shared_ptr<cache::redis_hub> hub);
  // Any thread: Redis has another epoch.
  void redis_changed();
  // Any thread: max_lag and max_entry may be others.
  void settings_changed(const config::settings& now);
  [[nodiscard]] feed_status status() const;
  [[nodiscard]] const thread_metrics& metrics() const noexcept;
  // The stream is followed no longer; returns at once. From the control thread or once it has ended, as stop().
  void ask_to_stop();
  // Nothing is applied any more. Waits for the threads, at most a second from ask_to_stop() on.
  void stop();

 private:
  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace mongocached::daemon
