// One data thread: an io_context, and what its sessions share without locks. A session lives and dies on its thread.
//
// A sweep four times a second keeps every deadline of every session (reading a message, sending a reply, connecting,
// waiting): no timer is set or cancelled for a request.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "cache/plan_cache.hpp"
#include "cache/store/shared_store.hpp"
#include "daemon/asio_types.hpp"
#include "daemon/early_invalidations.hpp"
#include "daemon/metrics.hpp"
#include "daemon/one_shot.hpp"
#include "daemon/poller.hpp"
#include "daemon/pooled/pool_probe.hpp"
#include "daemon/pooled/upstream_pools.hpp"
#include "daemon/process.hpp"
#include "daemon/session/request.hpp"
#include "daemon/settling_fills.hpp"
#include "daemon/spare_buffers.hpp"
#include "daemon/uncached_queries.hpp"

namespace mongocached::daemon {

class session;

class data_thread {
 public:
  data_thread(process& shared, std::size_t index);
  ~data_thread();
  data_thread(const data_thread&) = delete;
  data_thread& operator=(const data_thread&) = delete;

  void start();  // the thread runs until stop()
  void stop();   // closes every session, ends the thread and joins it; from another thread

  // From any thread.
  // Runs `what` on this one, before anything that its clients send from now on.
  template <class What>
  void post(What&& what) {
    asio::post(context_, std::forward<What>(what));
    sockets_.wake();
  }
  void adopt_client(int fd, std::string peer);  // a connected, non-blocking socket, owned from now on; `peer` for logs
  void set_upstream(snapshot_ptr now);
  void drain();      // close idle sessions, let busy ones finish their request
  void try_login();  // pooled: on a connection of the pool, unless requests do
  void settle();     // more values may have settled (coherence S1)

  [[nodiscard]] asio::io_context& context() noexcept { return context_; }
  [[nodiscard]] executor get_executor() noexcept { return context_.get_executor(); }
  [[nodiscard]] std::size_t session_count() const noexcept { return live_.load(std::memory_order_relaxed); }

  // What follows is for the thread's own sessions.
  process& shared;
  const std::size_t index;
  thread_metrics metrics;
  uncached_queries uncached;                   // which reads are bypassed most often; also for GET /status
  std::unique_ptr<cache::shared_store> store;  // null: no Redis, or none yet
  early_invalidations early;                   // for the store that is to come
  std::shared_ptr<const config::settings> settings;
  settling_fills settling;
  settling_fills::outcome_handler count_fills;  // books what Redis said to fills
  snapshot_ptr upstream;
  std::unique_ptr<upstream_pools> pools;  // null: passthrough
  signed_time clock;                      // refreshed from shared.clock before a reply is built
  bool draining = false;
  std::minstd_rand dice;                 // which hits are verified
  protocol::byte_buffer input;           // one read's bytes; nothing in it survives the handler that read them
  std::size_t read_size = 0;             // how much of it is used: little while too many bytes are held for clients
  protocol::byte_buffer upstream_input;  // the same of one read from an upstream
  protocol::byte_buffer output;          // replies built in one turn, sent before the turn ends
  // What a client is asking the cluster about (namespace_probe.cpp), and those who wait for the answer. Or, once it is
  // over, what was not answered, and is not asked again before `again_at`.
  struct probe_in_flight {
    explicit probe_in_flight(cache::instant now) : begun(now) {}
    [[nodiscard]] bool is_over() const noexcept { return again_at != cache::instant{}; }
    const cache::instant begun;
    cache::instant again_at{};
    std::vector<std::shared_ptr<one_shot<bool>>> waiting;
  };
  std::unordered_map<const cache::namespace_state*, probe_in_flight> probes;
  std::optional<request> next_request;  // met in this turn, to be served as soon as the turn ends
  cache::duration turn_spent{};         // on hits in this turn
  cache::plan_cache plans;              // of the finds that are answered within a turn
  spare_buffers spare;
  // Scratch of what is answered within a turn.
  cache::read_plan plan;
  std::vector<cache::entry_ref> entries;
  std::vector<cache::key_view> keys;

  // CLOCK_BOOTTIME.
  [[nodiscard]] static cache::instant now() noexcept;
  struct known_namespace {
    cache::namespace_state* state = nullptr;
    const config::cache_settings* settings = nullptr;  // [cache] as it stands for this namespace
  };
  // Null for a namespace that may not be cached by its name, or once too many are tracked. Valid until the next sweep.
  [[nodiscard]] const known_namespace* find_namespace(std::string_view db, std::string_view collection);
  // The same of one that this thread has met; null for any other. For what anybody may send: it tracks nothing new.
  [[nodiscard]] const known_namespace* met_namespace(std::string_view db, std::string_view collection);
  // To be told true when the upstream's snapshot changes. Forgotten once nobody else knows it.
  void await_upstream(std::shared_ptr<one_shot<bool>> waiter) { upstream_waiters_.push_back(std::move(waiter)); }
  // Counts what is refused, and says so in the log, not too often.
  void count_shed(shed_reason why);
  void tell_of_failed_connect(const server_address& server, std::string_view why);  // in the log, not too often
  void watch_buffers() noexcept;  // call when bytes were counted that there may be no room for

  void delist(session& s);  // closed: gone when what runs now has ended
  [[nodiscard]] poller& sockets() noexcept { return sockets_; }

 private:
  void sweep();
  void schedule_sweep();

  asio::io_context context_{1};
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  struct tracked_namespace {
    known_namespace known;
    config::cache_settings settings;
  };

  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, executor> timer_{
      context_};
  asio::executor_work_guard<executor> work_{context_.get_executor()};
  poller sockets_{context_, [this] { departed_.clear(); }};
  std::vector<std::shared_ptr<session>> sessions_;
  std::vector<std::shared_ptr<session>> departed_;
  std::vector<std::shared_ptr<one_shot<bool>>> upstream_waiters_;
  std::unique_ptr<pool_probe> probe_;  // null: passthrough
  std::unordered_map<std::string, tracked_namespace, text_hash, std::equal_to<>> namespaces_;
  std::string name_;                                 // that find_namespace was last asked for
  const known_namespace* last_namespace_ = nullptr;  // what it found
  bool stopped_ = false;
  std::atomic<std::size_t> live_{0};
  std::thread thread_;
};

}  // namespace mongocached::daemon
