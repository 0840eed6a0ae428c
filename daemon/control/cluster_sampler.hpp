// The sampling thread of cluster_watch: the primary's time, every period (coherence G1, S1). Included by
// cluster_watch.cpp alone.
#pragma once

#include <condition_variable>
#include <mutex>

#include "daemon/control/cluster_link.hpp"

namespace mongocached::daemon {

class cluster_sampler {
 public:
  cluster_sampler(cluster_source& source, const watch_options& options, const watch_events& events)
      : events_(events), period_(options.sample_period), link_(source) {}

  void run() noexcept;                       // until stop()
  void stop();                               // any thread
  void renew(const watch_options& options);  // any thread: from the sample in hand on

 private:
  void sample();
  bool wait_for_next();
  bool ask_mongos(cluster_sample& out, link_error& error);
  bool ask_server(cluster_sample& out, link_error& error);
  void report_none(const std::string& reason) noexcept;

  const watch_events& events_;

  std::mutex guard_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::chrono::milliseconds period_;

  // The thread's own.
  std::chrono::steady_clock::time_point due_;  // when the sample in hand was
  cluster_link link_;
  link_reply reply_;
  bool user_refused_ = false;  // by the last sample
  bool legacy_hello_ = false;  // the server does not know `hello`
};

}  // namespace mongocached::daemon
