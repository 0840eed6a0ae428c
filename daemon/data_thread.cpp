#include "daemon/data_thread.hpp"

#include <pthread.h>

#include <ctime>

#include "daemon/session/session.hpp"

namespace mongocached::daemon {
namespace {

constexpr auto sweep_period = std::chrono::milliseconds(250);
constexpr std::size_t input_size = 64UL * 1024;

fill_rejection reason_of(cache::fill_outcome refused) noexcept {
  switch (refused) {
    case cache::fill_outcome::fence:
      return fill_rejection::fence;
    case cache::fill_outcome::epoch:
      return fill_rejection::epoch;
    case cache::fill_outcome::generation:
      return fill_rejection::generation;
    default:
      return fill_rejection::lease;
  }
}

// The monitors never log in: what they are told of the cluster's time, everybody may know (S8). Without it the first
// clients would be shown a cluster that has no time.
void learn_time(cluster_clock& clock, const upstream_snapshot& seen) {
  const auto hello = protocol::bson_view::parse(seen.hello);
  protocol::reply_view view;
  if (hello && protocol::view_reply(*hello, view)) clock.saw(view);
}

}  // namespace

data_thread::data_thread(process& shared_, std::size_t index_)
    : shared(shared_),
      index(index_),
      settings(shared_.settings.load()),
      count_fills([this](std::span<const cache::fill_outcome> outcomes) {
        for (const auto o : outcomes) {
          if (o == cache::fill_outcome::stored || o == cache::fill_outcome::unavailable) continue;
          metrics.fills_rejected[static_cast<std::size_t>(reason_of(o))].add();
        }
      }),
      upstream(std::make_shared<upstream_snapshot>()) {
  if (settings->upstream.auth == config::auth_kind::pooled) {
    probe_ = std::make_unique<pool_probe>(*this);
    pools = std::make_unique<upstream_pools>(pool_share(settings->upstream.pool_size, shared.threads, index));
  }
  dice.seed(std::random_device{}());
  input.resize(input_size);
  upstream_input.resize(upstream_link::small_piece);
  output.reserve(input_size);
  read_size = input.size();
}

data_thread::~data_thread() = default;

cache::instant data_thread::now() noexcept {
  timespec t{};
  ::clock_gettime(CLOCK_BOOTTIME, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

void data_thread::start() {
  schedule_sweep();
  sockets_.start();
  thread_ = std::thread([this] { context_.run(); });
  ::pthread_setname_np(thread_.native_handle(), ("data-" + std::to_string(index)).c_str());
}

void data_thread::stop() {
  post([this] {
    while (!sessions_.empty()) sessions_.back()->close(disconnect::shutdown);
    if (pools) pools->close();
    if (probe_) probe_->close();
    departed_.clear();
    sockets_.stop();
    stopped_ = true;
    timer_.cancel();
    for (auto& waiter : upstream_waiters_) waiter->deliver(false);
    work_.reset();
    asio::post(context_, [this] { store.reset(); });
  });
  if (thread_.joinable()) thread_.join();
}

void data_thread::adopt_client(int fd, std::string peer) {
  live_.fetch_add(1, std::memory_order_relaxed);
  shared.client_count.fetch_add(1);
  set_socket_options(fd);
  post([this, fd, peer = std::move(peer)]() mutable {
    const auto client = std::make_shared<session>(*this, fd, std::move(peer));
    client->roster_index_ = sessions_.size();
    sessions_.push_back(client);
    metrics.clients_opened.add();
    metrics.connections_total.add();
    if (draining) return client->close(disconnect::shutdown);
    static_cast<void>(client->start());
  });
}

void data_thread::delist(session& s) {
  departed_.push_back(std::move(sessions_[s.roster_index_]));
  if (s.roster_index_ + 1 < sessions_.size()) {
    sessions_[s.roster_index_] = std::move(sessions_.back());
    sessions_[s.roster_index_]->roster_index_ = s.roster_index_;
  }
  sessions_.pop_back();
  metrics.clients_closed.add();
  shared.client_count.fetch_sub(1);
  live_.fetch_sub(1, std::memory_order_relaxed);
}

void data_thread::set_upstream(snapshot_ptr fresh_snapshot) {
  post([this, fresh = std::move(fresh_snapshot)] {
    if (pools) pools->topology_changed(*upstream, *fresh);
    upstream = fresh;
    learn_time(shared.clock, *fresh);
    for (auto& waiter : std::exchange(upstream_waiters_, {})) waiter->deliver(true);
    // F4: idle clients whose identity is bound to the server of before leave at once.
    const auto everyone = sessions_;
    for (const auto& s : everyone) s->sweep(now());
  });
}

void data_thread::drain() {
  post([this] {
    draining = true;
    const auto everyone = sessions_;
    for (const auto& s : everyone) s->drain();
  });
}

void data_thread::try_login() {
  post([this] {
    if (probe_) probe_->begin();
  });
}

void data_thread::settle() {
  post([this] {
    if (store && !settling.empty()) settling.settle(*store, shared.coherence, now(), count_fills);
  });
}

void data_thread::count_shed(shed_reason why) {
  metrics.shed[static_cast<std::size_t>(why)].add();
  const auto [allowed, suppressed] = shared.limiter.admit(name_of(why), now());
  if (allowed) shared.log.warn("overload", "refused", {{"reason", name_of(why)}, {"unsaid", suppressed}});
}

void data_thread::tell_of_failed_connect(const server_address& server, std::string_view why) {
  const auto [allowed, suppressed] = shared.limiter.admit("cannot connect", now());
  if (!allowed) return;
  shared.log.warn("upstream", "cannot connect",
                  {{"host", server.host}, {"port", server.port}, {"error", why}, {"unsaid", suppressed}});
}

void data_thread::watch_buffers() noexcept {
  read_size = shared.buffers.is_full() ? buffer_budget::uncounted : input.size();
}

const data_thread::known_namespace* data_thread::met_namespace(std::string_view db, std::string_view collection) {
  const bool same = last_namespace_ != nullptr && name_.size() == db.size() + 1 + collection.size() &&
                    name_.starts_with(db) && name_[db.size()] == '.' && name_.ends_with(collection);
  if (same) return last_namespace_;
  last_namespace_ = nullptr;
  cache::set_full_name(name_, db, collection);
  if (const auto known = namespaces_.find(name_); known != namespaces_.end()) {
    return last_namespace_ = &known->second.known;
  }
  return nullptr;
}

const data_thread::known_namespace* data_thread::find_namespace(std::string_view db, std::string_view collection) {
  if (const auto* known = met_namespace(db, collection)) return known;
  if (!cache::is_user_namespace(db, collection)) return nullptr;
  auto* state = shared.coherence.namespaces().find_or_add(db, collection);
  if (state == nullptr) return nullptr;
  auto& fresh = namespaces_[name_];
  fresh.settings = settings->cache_for(name_);
  fresh.known = {state, &fresh.settings};
  return &fresh.known;
}

void data_thread::schedule_sweep() {
  if (stopped_) return;
  timer_.expires_after(sweep_period);
  timer_.async_wait([this](const error_code& ec) {
    if (ec) return;
    sweep();
    schedule_sweep();
  });
}

void data_thread::sweep() {
  metrics.ticks.add();
  uncached.begin_period();
  if (auto fresh = shared.settings.load(); fresh != settings) {
    settings = std::move(fresh);
    for (auto& [name, tracked] : namespaces_) tracked.settings = settings->cache_for(name);
    // Backwards, here and below: one that closes is replaced by the last.
    for (auto i = sessions_.size(); i-- > 0;) sessions_[i]->settings_changed();
  }
  const auto instant = now();
  for (auto i = sessions_.size(); i-- > 0;) sessions_[i]->sweep(instant);
  departed_.clear();
  watch_buffers();
  if (probe_) probe_->sweep(instant);
  if (pools) pools->sweep(instant);
  std::erase_if(upstream_waiters_, [](const auto& waiter) { return waiter.use_count() == 1; });
}

}  // namespace mongocached::daemon
