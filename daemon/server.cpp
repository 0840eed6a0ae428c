#include "daemon/server.hpp"

#include <sys/random.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <thread>

#include "daemon/certificate_term.hpp"
#include "daemon/control/topology_choice.hpp"
#include "daemon/metrics_exposition.hpp"
#include "daemon/milliseconds.hpp"
#include "daemon/process_limits.hpp"
#include "daemon/server_impl.hpp"
#include "daemon/tls_contexts.hpp"

namespace mongocached::daemon {
namespace {

constexpr auto housekeeping_period = std::chrono::seconds(1);

std::size_t thread_count(const config::settings& settings) {
  const std::size_t wanted =
      settings.listen.threads != 0 ? settings.listen.threads : std::max(1U, std::thread::hardware_concurrency());
  // Each has a share of the pool.
  if (settings.upstream.auth != config::auth_kind::pooled) return wanted;
  return std::min<std::size_t>(wanted, settings.upstream.pool_size);
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool same_target(const upstream_snapshot& a, const upstream_snapshot& b) {
  return a.host == b.host && a.port == b.port && a.election_id == b.election_id && a.set_version == b.set_version;
}

}  // namespace

server::server(server_options options, logger& log) : impl_(std::make_unique<impl>(std::move(options), log)) {}
server::~server() = default;
int server::run() {
  return impl_->run();
}

server::impl::impl(server_options options, logger& log)
    : options_(std::move(options)),
      log_(log),
      shared_(options_.settings, log, thread_count(*options_.settings)),
      driver_([&log](driver_log_level level, std::string_view domain, std::string_view message) {
        if (level <= driver_log_level::warning) log.debug("driver", message, {{"domain", domain}});
      }),
      notifier_(environment("NOTIFY_SOCKET")) {
  const auto& settings = *options_.settings;
  if (::getrandom(shared_.service_id.data(), shared_.service_id.size(), 0) < 0)
    throw std::runtime_error("no randomness");
  descriptor_needs needs{.threads = shared_.threads, .redis = settings.redis.uri.has_value()};
  if (settings.upstream.auth == config::auth_kind::pooled) {
    needs.a_client = 1;
    needs.pool = settings.upstream.pool_size;
  }
  const auto budget = fit_connections(settings.listen.max_connections, raise_descriptor_limit(), needs);
  if (!budget.warning.empty()) log_.warn("listener", budget.warning);
  shared_.max_connections = budget.max_connections;
  if (settings.listen.pose == config::pose_kind::replica_set) {
    shared_.advertise = to_string(settings.listen.advertise.value());
  }
  shared_.upstream_tls.store(upstream_files_.take());
  upstream_files_.lead(options_.upstream);
  shared_.client_tls.store(make_client_tls(settings.listen));
  shared_.users = options_.users;
  shared_.account = std::move(options_.account);
  shared_.compression = options_.upstream.compression;
  shared_.check_upstream_host = !options_.upstream.tls.allow_invalid_hostnames;
  start_threads();
  start_inquiry();
  start_topology();
  start_verifier();
  if (needs_stream(settings)) start_feed();
  start_status_desk();
  // Reads all of them; throws where its port is taken, so before there is anything that must be joined.
  start_side_port();
  for (auto& thread : threads_) thread->start();
}

server::impl::~impl() {
  stop_everything();
}

void server::impl::start_threads() {
  std::vector<data_thread*> all;
  for (std::size_t i = 0; i < thread_count(*options_.settings); ++i) {
    threads_.push_back(std::make_unique<data_thread>(shared_, i));
    all.push_back(threads_.back().get());
  }
  const auto& listen = options_.settings->listen;
  const auto& inherited = options_.inherited.clients;
  listener_ = std::make_unique<listener>(all);
  for (const int fd : inherited) listener_->listen_on(fd);
  if (inherited.empty()) listener_->listen_on(listen.address);
  if (!listen.unix_socket.empty()) listener_->listen_on(listen.unix_socket);
  administration_ = std::make_unique<administration>(shared_, *threads_.front());
}

void server::impl::start_topology() {
  const auto timeout = options_.settings->upstream.connect_timeout;
  topology_ = std::make_unique<topology_monitor>(options_.upstream,
                                                 std::chrono::duration_cast<std::chrono::milliseconds>(timeout),
                                                 [this](const snapshot_ptr& now) { upstream_changed(now); });
  shared_.request_topology_check = [this] { topology_->request_check(); };
}

// Also where nothing is to be verified: a reload may want it, and what is given nothing connects to nobody.
void server::impl::start_verifier() {
  verifier_ = std::make_unique<verifier>(shared_, options_.upstream,
                                         [this](cache::invalidation what) { administration_->drop(std::move(what)); });
  shared_.verify = [this](served_hit& hit) { verifier_->verify(std::move(hit)); };
}

void server::impl::start_feed() {
  shared_.stream_refused.store(false);
  feed_hooks hooks;
  hooks.settled = [this] {
    for (auto& thread : threads_) thread->settle();
  };
  hooks.history_void = [this] {
    doubt_cluster();
    asio::post(control_, [this] { ask_which_cluster(); });
  };
  const auto feed = std::make_shared<coherence_feed>(shared_, options_.upstream, control_, std::move(hooks));
  if (auto hub = redis()) feed->use_redis(std::move(hub));
  feed_.store(feed);
}

void server::impl::start_status_desk() {
  status_desk_ = std::make_unique<status_desk>([this](protocol::byte_buffer& out) {
    protocol::bson_builder document(out);
    with_status([&document](const status_input& in) { append_status(document, in); });
    document.append_double("ok", 1.0);
  });
  shared_.ask_status = [this](status_desk::taker take) { return status_desk_->ask(std::move(take)); };
}

void server::impl::start_side_port() {
  const auto& http = options_.settings->http;
  const int inherited = options_.inherited.http;
  if (!http.address && inherited < 0) return;
  side_port_hooks hooks;
  hooks.metrics = [this] { return metrics_text(); };
  hooks.stalled = [this] { return is_stalled(); };
  hooks.ready = [this] { return is_ready(); };
  hooks.status = [this] { return status_text(); };
  hooks.invalidate = [this](const invalidate_request& request) { return administration_->invalidate(request); };
  hooks.flush = [this] { return administration_->flush(); };
  side_port_options where;
  if (http.address) {
    where.host = http.address->host;
    where.port = http.address->port;
  }
  where.inherited = inherited;
  where.token = http.token.reveal();
  side_port_ = std::make_unique<side_port>(std::move(where), std::move(hooks));
}

int server::impl::run() {
  signals_.async_wait([this](const error_code& ec, int number) {
    if (!ec) on_signal(number);
  });
  listener_->start();
  const auto& settings = *options_.settings;
  log_.info("listener", "accepting clients",
            {{"address", to_string(listener_->bound())},
             {"inherited_sockets", options_.inherited.clients.size()},
             {"threads", threads_.size()},
             {"max_connections", shared_.max_connections.load()},
             {"upstream", settings.upstream.uri.masked()},
             {"redis", settings.redis.uri ? settings.redis.uri->masked() : "none"}});
  if (side_port_) log_.info("http", "side port is open", {{"port", side_port_->port()}});
  if (const auto period = watchdog_period(std::getenv("WATCHDOG_USEC"), std::getenv("WATCHDOG_PID"), ::getpid())) {
    watchdog_ = std::make_unique<watchdog>(*period);
    ping_watchdog();
  }
  notifier_.ready("accepting clients");
  housekeeping();
  control_.run();
  stop_everything();
  log_.info("server", "stopped");
  return 0;
}

void server::impl::upstream_changed(const snapshot_ptr& now) {
  const bool news = !last_known_ || !same_content(*last_known_, *now);
  const bool back = !last_known_ || !last_known_->available;
  last_known_ = now;
  if (!news) {  // but for the members' times, by which only pooled reads go
    if (options_.settings->upstream.auth != config::auth_kind::pooled) return;
    for (auto& thread : threads_) thread->set_upstream(now);
    return;
  }
  log_.info("upstream", "topology changed", {{"description", now->description}, {"available", now->available}});
  if (now->available) {
    // Another primary may not have what the one before had acknowledged (coherence S1): nothing cached survives an
    // election.
    const bool another = last_available_ && !same_target(*last_available_, *now);
    if (another) shared_.coherence.void_everything();
    last_available_ = now;
    if (another || back) {
      doubt_cluster();  // before anybody connects to it
      asio::post(control_, [this, now] { meet_upstream(now); });
    }
  }
  for (auto& thread : threads_) thread->set_upstream(now);
  log_in_to_pool();
}

void server::impl::on_signal(int number) {
  if (number == SIGHUP) {
    reload();
    signals_.async_wait([this](const error_code& ec, int next) {
      if (!ec) on_signal(next);
    });
    return;
  }
  drain();
}

void server::impl::housekeeping() {
  shared_.coherence.flights().sweep(data_thread::now());
  log_in_to_pool();
  static_cast<void>(is_stalled());  // takes note, for who asks seldom
  housekeeping_timer_.expires_after(housekeeping_period);
  housekeeping_timer_.async_wait([this](const error_code& ec) {
    if (!ec) housekeeping();
  });
}

std::vector<std::uint64_t> server::impl::ticks() const {
  std::vector<std::uint64_t> out;
  out.reserve(threads_.size());
  for (const auto& thread : threads_) out.push_back(thread->metrics.ticks.value());
  return out;
}

bool server::impl::is_stalled() {
  return stalls_.is_stalled(data_thread::now(), ticks());
}

void server::impl::ping_watchdog() {
  if (watchdog_->should_notify(data_thread::now(), ticks())) notifier_.watchdog();
  watchdog_timer_.expires_after(watchdog_->interval());
  watchdog_timer_.async_wait([this](const error_code& ec) {
    if (!ec) ping_watchdog();
  });
}

// Unless requests do, or it did before.
void server::impl::log_in_to_pool() {
  if (options_.settings->upstream.auth == config::auth_kind::pooled && !shared_.pool_login.is_good())
    threads_.front()->try_login();
}

readiness server::impl::is_ready() {
  if (stopping_.load()) return {false, "stopping"};
  return is_upstream_ready();
}

readiness server::impl::is_upstream_ready() {
  const auto now = topology_->current();
  const auto& login = shared_.pool_login;
  const bool pooled = options_.settings->upstream.auth == config::auth_kind::pooled;
  if (now->available && pooled && !login.is_good()) {
    if (!login.is_refused()) return {false, "the proxy's own user has not logged in to the upstream yet"};
    return {false, "the proxy's own user cannot log in to the upstream: " + login.why()};
  }
  const auto feed = feed_.load();
  const bool denied = feed && feed->status().state == stream_state::denied;
  return {now->available, now->description,
          denied ? "the user in upstream.uri may not read the change stream: in modes bounded and strict everything is "
                   "relayed"
                 : ""};
}

void server::impl::with_status(const std::function<void(const status_input&)>& use) {
  const auto hub = redis();
  const auto feed = feed_.load();
  const status_input in{.version = options_.version,
                        .uptime = data_thread::now() - started_,
                        .shared = shared_,
                        .threads = threads_,
                        .upstream = topology_->current(),
                        .redis = hub.get(),
                        .stream = feed ? std::optional(feed->status()) : std::nullopt,
                        .redis_state = redis_state(hub.get())};
  use(in);
}

std::string server::impl::status_text() {
  std::string out;
  with_status([&out](const status_input& in) { out = status_json(in); });
  return out;
}

std::string server::impl::metrics_text() {
  exposition_input in;
  in.version = options_.version;
  std::vector<const thread_metrics*> blocks;
  blocks.reserve(threads_.size() + 1);
  for (const auto& thread : threads_) blocks.push_back(&thread->metrics);
  blocks.push_back(&redis_metrics_);
  if (verifier_) blocks.push_back(&verifier_->metrics());
  const auto feed = feed_.load();
  if (feed) {
    blocks.push_back(&feed->metrics());
    const auto stream = feed->status();
    const auto lag = stream.lag < cache::duration{} ? std::numeric_limits<double>::quiet_NaN()
                                                    : std::chrono::duration<double>(stream.lag).count();
    in.stream = {stream.open, stream.state, lag, stream.events};
  }
  in.blocks = blocks;
  const auto stats = shared_.local.stats();
  in.cache = {stats.entries, stats.bytes, stats.limit_bytes, stats.evictions, stats.expired, stats.refused};
  in.redis.configured = options_.settings->redis.uri.has_value();
  if (const auto hub = redis()) {
    const auto& c = hub->counters();
    in.redis.up = hub->up();
    in.redis.subscribed = hub->subscribed();
    in.redis.commands = c.commands.load();
    in.redis.errors = c.errors.load() + c.timeouts.load() + c.connect_failures.load();
  }
  in.load = {shared_.buffers.used(), shared_.buffers.limit(), shared_.in_flight.load()};
  const auto certificate = [&in](const char* side, const auto& context) {
    const auto term = term_of(context.get());
    if (term) in.certificates.push_back({side, static_cast<double>(term->ends.time_since_epoch().count())});
  };
  certificate("listen", shared_.client_tls.load());
  certificate("upstream", shared_.upstream_tls.load());
  in.upstream_up = is_upstream_ready().ready;
  in.log_lines_dropped = log_.lines_dropped();
  in.process = read_process_stats();
  return expose(in);
}

}  // namespace mongocached::daemon
