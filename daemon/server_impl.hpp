// The parts of the server and what it does with them. Internal to server*.cpp.
#pragma once

#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <mutex>

#include "daemon/administration.hpp"
#include "daemon/coherence_feed.hpp"
#include "daemon/control/driver_runtime.hpp"
#include "daemon/control/fingerprint_inquiry.hpp"
#include "daemon/data_thread.hpp"
#include "daemon/listener.hpp"
#include "daemon/server.hpp"
#include "daemon/service_notify.hpp"
#include "daemon/side_port.hpp"
#include "daemon/status.hpp"
#include "daemon/status_desk.hpp"
#include "daemon/upstream_tls_files.hpp"
#include "daemon/verifier.hpp"
#include "daemon/watchdog.hpp"

namespace mongocached::daemon {

class server::impl {
 public:
  impl(server_options options, logger& log);
  ~impl();
  int run();

 private:
  using timer = asio::steady_timer;

  void start_threads();
  void start_topology();
  void start_side_port();
  void start_verifier();
  void start_feed();
  void put_in_force(config::settings fresh);
  void start_status_desk();
  void upstream_changed(const snapshot_ptr& now);
  // On the control thread.
  void start_inquiry();
  void meet_upstream(const snapshot_ptr& now);
  void ask_which_cluster();
  void ask_which_cluster_later();
  void identify(const fingerprint_answer& answer);
  void start_redis(const fingerprint_answer& answer);
  [[nodiscard]] cache::redis_events redis_events();
  void hand_out(std::shared_ptr<cache::redis_hub> hub);
  void release_redis();
  // Any thread: from here on Redis is not used before the cluster was asked again.
  void doubt_cluster();
  void on_signal(int number);
  void reload();
  bool reload_certificates(const config::listen_settings& listen);
  void take_users(config::result& fresh);
  void drain();
  void finish_drain(cache::instant until);
  void housekeeping();
  void ping_watchdog();
  [[nodiscard]] std::vector<std::uint64_t> ticks() const;
  [[nodiscard]] bool is_stalled();
  [[nodiscard]] std::string metrics_text();
  // The status as it is now. Any thread but a data thread.
  void with_status(const std::function<void(const status_input&)>& use);
  [[nodiscard]] std::string status_text();
  void log_in_to_pool();
  [[nodiscard]] readiness is_ready();
  [[nodiscard]] readiness is_upstream_ready();
  [[nodiscard]] std::shared_ptr<cache::redis_hub> redis();
  // While there is none although one is configured: why, for the status.
  void no_redis_yet(const std::string& why);
  [[nodiscard]] std::string redis_state(const cache::redis_hub* hub);
  void ask_to_stop();
  void stop_everything();

  server_options options_;
  logger& log_;
  const cache::instant started_ = data_thread::now();
  std::atomic<bool> stopping_{false};  // the drain has begun
  upstream_tls_files upstream_files_{options_.upstream.tls};
  process shared_;
  driver_runtime driver_;
  asio::io_context control_{1};
  asio::signal_set signals_{control_, SIGTERM, SIGINT, SIGHUP};
  timer housekeeping_timer_{control_};
  timer watchdog_timer_{control_};
  timer drain_timer_{control_};
  service_notifier notifier_;
  std::unique_ptr<watchdog> watchdog_;
  stall_watch stalls_{std::chrono::seconds(30)};
  std::vector<std::unique_ptr<data_thread>> threads_;
  std::unique_ptr<listener> listener_;
  std::mutex redis_mutex_;
  std::shared_ptr<cache::redis_hub> redis_;
  std::string why_no_redis_ = "the cluster has not said yet which one it is";
  std::unique_ptr<administration> administration_;
  std::unique_ptr<side_port> side_port_;
  std::unique_ptr<status_desk> status_desk_;
  std::unique_ptr<fingerprint_inquiry> inquiry_;  // null: no Redis
  std::unique_ptr<topology_monitor> topology_;
  std::unique_ptr<verifier> verifier_;
  // Null: no collection's mode has relied on the change stream yet. Made by the control thread, once.
  std::atomic<std::shared_ptr<coherence_feed>> feed_;
  std::atomic<std::uint64_t> doubts_{0};
  // Which cluster Redis is used for. On the control thread.
  snapshot_ptr named_by_;  // the first one that was available
  std::string fingerprint_;
  std::uint64_t question_ = 0;  // the newest, and the newest that was answered
  std::uint64_t answered_ = 0;
  bool another_cluster_ = false;  // than at the start: for good
  std::uint64_t doubts_cleared_ = 0;
  timer ask_again_timer_{control_};
  std::shared_ptr<std::atomic<std::size_t>> stores_to_make_;
  snapshot_ptr last_known_;       // on the topology monitor's thread
  snapshot_ptr last_available_;   // on the topology monitor's thread
  thread_metrics redis_metrics_;  // observations come from any data thread, one at a time
  std::mutex redis_metrics_mutex_;
};

}  // namespace mongocached::daemon
