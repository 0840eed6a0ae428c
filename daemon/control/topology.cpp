#include "daemon/control/topology.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "daemon/control/releasable_thread.hpp"
#include "daemon/control/topology_choice.hpp"
#include "daemon/control/topology_source.hpp"

namespace mongocached::daemon {
namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

constexpr milliseconds check_interval{500};  // minHeartbeatFrequencyMS of the specification
constexpr milliseconds longest_backoff{10'000};

}  // namespace

// Threads: run() on the control thread, on_...() on libmongoc's, the rest on the owner's. The control thread and each
// of libmongoc's callbacks are covered by the shared_ptr that the control thread holds until the pool is gone, so a
// monitor whose network hangs can be let go. Locks: publishing_ before state_; libmongoc is never called with either
// held.
class topology_monitor::impl final : public topology_listener, public std::enable_shared_from_this<impl> {
 public:
  impl(const upstream_uri& uri, milliseconds connect_timeout, callback on_change, majority_callback on_majority)
      : uri_(uri),
        connect_timeout_(connect_timeout),
        on_change_(std::move(on_change)),
        on_majority_(std::move(on_majority)) {
    pool_seen_.direct = uri.direct;
    pool_seen_.set_name = uri.replica_set;
  }

  void start() {
    thread_.emplace("topology", [self = shared_from_this()] { self->run(); });
  }

  void ask_to_stop() {
    {
      const std::lock_guard lock(publishing_);  // waits for a call-back in progress
      closed_ = true;
    }
    const std::lock_guard lock(state_);
    stopping_ = true;
    changed_.notify_all();
    thread_->was_asked();
  }

  void stop() {
    ask_to_stop();
    thread_->finish();
  }

  [[nodiscard]] snapshot_ptr current() const {
    const std::lock_guard lock(state_);
    return current_;
  }

  void request_check() {
    const std::lock_guard lock(state_);
    check_requested_ = true;
    changed_.notify_all();
  }

  // topology_listener: the pool's monitors.
  void on_server_opened(const std::string& host, std::uint16_t port) override {
    const std::lock_guard lock(publishing_);
    pool_seen_.open(host, port);
  }

  void on_server_closed(const std::string& host, std::uint16_t port) override {
    const std::lock_guard lock(publishing_);
    pool_seen_.close(host, port);
    pool_seen_.errors.erase(host_and_port(host, port));
    if (!pool_seen_.servers.empty()) return;
    pool_has_target_ = false;
    pool_seen_.trouble = "none of the servers is what the URI asks for";
    if (!pool_seen_.set_name.empty()) pool_seen_.trouble += " (a member of replica set " + pool_seen_.set_name + ")";
    publish(choose_target(*current(), pool_seen_));
  }

  void on_servers(std::vector<upstream_server> answering) override {
    const std::lock_guard lock(publishing_);
    pool_seen_.update(std::move(answering));
    if (!pool_seen_.servers.empty()) pool_seen_.trouble.clear();
    const upstream_snapshot after = choose_target(*current(), pool_seen_);
    pool_has_target_ = after.available;
    if (probed_ && after.available && older_election(after, *probed_)) return;  // behind what a probe has seen
    probed_.reset();
    publish(after);
  }

  void on_check_failed(const std::string& address, const std::string& why) override {
    const std::lock_guard lock(publishing_);
    pool_seen_.errors[address] = why;
    // The reason belongs into the description; a target that the monitors have and a probe has refuted does not come
    // back by it.
    if (!current()->available && !pool_has_target_) return publish(choose_target(*current(), pool_seen_));
    upstream_snapshot after = *current();
    for (upstream_server& server : after.servers) {
      if (host_and_port(server.host, server.port) == address) server.unreachable = is_unreachable(server, pool_seen_);
    }
    publish(after);
  }

  void on_check_succeeded(const std::string& address, const last_write& told) override {
    const auto now = std::chrono::duration_cast<milliseconds>(clock::now().time_since_epoch()).count();
    const std::lock_guard lock(publishing_);
    pool_seen_.errors.erase(address);
    if (pool_seen_.heard(address, told.date_ms, now) && pool_seen_.servers.size() > 1) publish_times();
    const auto target = current();
    const bool from_target = target->available && host_and_port(target->host, target->port) == address;
    if (from_target && on_majority_ && !closed_) on_majority_(told.majority);
  }

  // A probe's view while it is being made (`last` false) and at its end. Returns what the last one means.
  probe_verdict on_probe(const topology_observation& seen, bool last) {
    const std::lock_guard lock(publishing_);
    const probe_verdict verdict = judge_probe(*current(), seen);
    if (verdict != probe_verdict::contradicts) return verdict;
    const upstream_snapshot after = choose_target(*current(), seen);
    if (!last && !after.available) return verdict;  // some members have not answered yet
    probed_ = after;
    publish(after);
    return verdict;
  }

  // Two probes running got no answer from the target.
  void give_up_target(const topology_observation& seen) {
    const std::lock_guard lock(publishing_);
    const upstream_snapshot after = choose_target(*current(), seen);
    if (older_election(after, *current())) return;
    probed_ = after;
    publish(after);
  }

 private:
  enum class pool_use : std::uint8_t { watch, ask_again, none };

  void run();
  bool watch(mongoc_client_t* client);
  void probe();
  void report_trouble(const std::string& why);
  void await_text_record(const mongoc_uri_t* asked);
  pool_use take_text_record(mongoc_uri_t* asked, const mongoc_uri_t* told);
  void forget_servers();
  bool no_servers_left();
  bool some_server_answers();

  // Publishing_ held.
  void publish(const upstream_snapshot& after) {
    const snapshot_ptr before = current();
    if (awaits_text_record_) return;
    const bool nothing_known = before->version == 0 && !after.available && after.kind == upstream_kind::unknown &&
                               pool_seen_.errors.empty() && pool_seen_.trouble.empty();
    if (closed_ || nothing_known || same_content(*before, after)) return;
    auto next = std::make_shared<upstream_snapshot>(after);
    next->auth_source = auth_source_;
    {
      const std::lock_guard lock(state_);
      current_ = next;
      changed_.notify_all();
    }
    on_change_(std::move(next));
  }

  // The same snapshot with the members' newest times. Publishing_ held.
  void publish_times() {
    const snapshot_ptr before = current();
    if (closed_ || before->version == 0 || before->kind != upstream_kind::replica_set) return;
    auto next = std::make_shared<upstream_snapshot>(*before);
    for (upstream_server& server : next->servers) {
      for (const upstream_server& seen : pool_seen_.servers) {
        if (seen.host != server.host || seen.port != server.port) continue;
        server.last_write_ms = seen.last_write_ms;
        server.heard_ms = seen.heard_ms;
      }
    }
    {
      const std::lock_guard lock(state_);
      current_ = next;
    }
    on_change_(std::move(next));
  }

  [[nodiscard]] bool pool_has_target() {
    const std::lock_guard lock(publishing_);
    return pool_has_target_;
  }

  // Sleeps; false when stopping.
  bool sleep(milliseconds most) {
    std::unique_lock lock(state_);
    changed_.wait_for(lock, most, [this] { return stopping_; });
    return !stopping_;
  }

  const upstream_uri uri_;
  const milliseconds connect_timeout_;
  const callback on_change_;
  const majority_callback on_majority_;
  std::optional<releasable_thread> thread_;

  std::mutex publishing_;  // orders snapshots and their call-backs
  topology_observation pool_seen_;
  bool pool_has_target_ = false;
  bool awaits_text_record_ = false;  // nobody logs in before it is known where
  std::string auth_source_;
  std::optional<upstream_snapshot> probed_;  // adopted from a probe and not yet confirmed by the monitors
  bool closed_ = false;

  mutable std::mutex state_;
  std::condition_variable changed_;
  snapshot_ptr current_ = std::make_shared<const upstream_snapshot>();
  bool check_requested_ = false;
  bool stopping_ = false;

  unsigned silent_probes_ = 0;  // control thread only
};

// libmongoc offers no way to ask a streaming monitor for a check, so we look ourselves.
void topology_monitor::impl::probe() {
  topology_observation start;
  start.direct = uri_.direct;
  start.set_name = uri_.replica_set;
  const topology_observation seen = scan_once(probe_uri(uri_, current()->servers, connect_timeout_), std::move(start),
                                              [this](const topology_observation& so_far) { on_probe(so_far, false); });
  if (on_probe(seen, true) != probe_verdict::silent) {
    silent_probes_ = 0;
  } else if (++silent_probes_ >= 2) {
    silent_probes_ = 0;
    give_up_target(seen);
  }
}

void topology_monitor::impl::report_trouble(const std::string& why) {
  const std::lock_guard lock(publishing_);
  pool_seen_.trouble = why;
  awaits_text_record_ = false;
  publish(choose_target(*current(), pool_seen_));
}

void topology_monitor::impl::await_text_record(const mongoc_uri_t* asked) {
  const std::lock_guard lock(publishing_);
  awaits_text_record_ = uri_.srv;
  pool_seen_.trouble.clear();  // of an earlier pool
  if (mongoc_uri_get_replica_set(asked) == nullptr) pool_seen_.set_name.clear();
}

// `told`: what libmongoc made of `asked` and the TXT record. Of that it takes members of any set, whichever the record
// names: it has to be asked again, for that one. Publishes what the monitors have said meanwhile, too.
topology_monitor::impl::pool_use topology_monitor::impl::take_text_record(mongoc_uri_t* asked,
                                                                          const mongoc_uri_t* told) {
  const std::lock_guard lock(publishing_);
  if (!awaits_text_record_) return pool_use::watch;
  if (mongoc_uri_get_option_as_bool(told, MONGOC_URI_LOADBALANCED, false)) {
    pool_seen_.trouble = "the TXT record says loadBalanced=true, which is not supported";
    pool_seen_.servers.clear();
    awaits_text_record_ = false;
    publish(choose_target(*current(), pool_seen_));
    awaits_text_record_ = true;  // nothing that this pool's monitors say counts
    return pool_use::none;
  }
  const char* const set_name = mongoc_uri_get_replica_set(told);
  if (set_name != nullptr && mongoc_uri_get_replica_set(asked) == nullptr) {
    mongoc_uri_set_option_as_utf8(asked, MONGOC_URI_REPLICASET, set_name);
    pool_seen_.set_name = set_name;
    return pool_use::ask_again;
  }
  auth_source_ = auth_source_in(told);
  awaits_text_record_ = false;
  publish(choose_target(*current(), pool_seen_));
  return pool_use::watch;
}

void topology_monitor::impl::forget_servers() {
  const std::lock_guard lock(publishing_);
  pool_seen_.servers.clear();
  pool_seen_.errors.clear();
}

bool topology_monitor::impl::no_servers_left() {
  const std::lock_guard lock(publishing_);
  return pool_seen_.servers.empty();
}

bool topology_monitor::impl::some_server_answers() {
  const std::lock_guard lock(publishing_);
  return std::any_of(pool_seen_.servers.begin(), pool_seen_.servers.end(),
                     [](const upstream_server& server) { return server.type != server_type::unknown; });
}

// Keeps one pool's monitors busy until told to stop (true), or until the pool has no server any more (false), which is
// final for it: the look-up of SRV records failed, or no server is what the URI asks for.
bool topology_monitor::impl::watch(mongoc_client_t* client) {
  clock::time_point next_check{};
  while (true) {
    {
      std::unique_lock lock(state_);
      changed_.wait_until(lock, next_check, [this] { return stopping_; });
      changed_.wait(lock,
                    [this] { return stopping_ || check_requested_ || !current_->available || silent_probes_ > 0; });
      if (stopping_) return true;
      check_requested_ = false;
    }
    if (pool_has_target()) {
      next_check = clock::now() + check_interval;
      probe();
      continue;
    }
    // Not available by the monitors' own view: selecting makes those that sleep look again, and waits for them.
    bson_error_t error{};
    mongoc_server_description_t* const selected = mongoc_client_select_server(client, true, nullptr, &error);
    mongoc_server_description_destroy(selected);
    next_check = clock::now();
    if (selected != nullptr) {
      next_check += check_interval;  // the monitors' event is on its way
    } else if (error.domain == MONGOC_ERROR_STREAM) {
      report_trouble(error.message);
    }
    if (no_servers_left()) return false;
    // A streaming monitor does not look again, and a server may forget to tell that it has become primary.
    if (selected == nullptr && some_server_answers()) {
      next_check += check_interval;
      probe();
    }
  }
}

void topology_monitor::impl::run() {
  milliseconds backoff = check_interval;
  mongoc_uri_ptr uri = monitoring_uri(uri_, connect_timeout_);
  while (uri) {
    bson_error_t error{};
    const mongoc_client_pool_ptr pool(mongoc_client_pool_new_with_error(uri.get(), &error),
                                      &mongoc_client_pool_destroy);
    if (pool) {
      const mongoc_callbacks_ptr callbacks = topology_callbacks();
      mongoc_client_pool_set_apm_callbacks(pool.get(), callbacks.get(), static_cast<topology_listener*>(this));
      await_text_record(uri.get());
      mongoc_client_t* const client = mongoc_client_pool_pop(pool.get());  // the first one starts the monitors
      const pool_use use = take_text_record(uri.get(), mongoc_client_get_uri(client));
      const bool stop = use == pool_use::watch && watch(client);
      mongoc_client_pool_push(pool.get(), client);
      if (stop) return;
      forget_servers();
      if (use == pool_use::ask_again) continue;
      uri = monitoring_uri(uri_, connect_timeout_);  // the record may change
    } else {
      report_trouble(error.message);
    }
    if (!sleep(backoff)) return;
    backoff = std::min(backoff * 2, longest_backoff);
  }
}

topology_monitor::topology_monitor(const upstream_uri& uri, std::chrono::milliseconds connect_timeout,
                                   callback on_change, majority_callback on_majority)
    : impl_(std::make_shared<impl>(uri, connect_timeout, std::move(on_change), std::move(on_majority))) {
  impl_->start();
}

topology_monitor::~topology_monitor() {
  impl_->stop();
}

void topology_monitor::ask_to_stop() {
  impl_->ask_to_stop();
}

snapshot_ptr topology_monitor::current() const {
  return impl_->current();
}

void topology_monitor::request_check() {
  impl_->request_check();
}

}  // namespace mongocached::daemon
