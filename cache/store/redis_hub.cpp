#include <boost/asio/io_context.hpp>
#include <stdexcept>

#include "cache/store/redis_shared.hpp"
#include "cache/store/redis_store_impl.hpp"

namespace mongocached::cache {
namespace {

std::shared_ptr<boost::asio::ssl::context> make_tls(const std::string& ca_file) {
  namespace ssl = boost::asio::ssl;
  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  context->set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 |
                       ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
  boost::system::error_code error;
  if (ca_file.empty()) {
    context->set_default_verify_paths(error);
  } else {
    context->load_verify_file(ca_file, error);
  }
  if (error) throw std::invalid_argument("cannot read the certificates to trust: " + error.message());
  return context;
}

}  // namespace

void try_redis_trust(const std::string& ca_file) {
  static_cast<void>(make_tls(ca_file));
}

redis_shared::redis_shared(redis_options given, redis_events told)
    : options(std::move(given)),
      uri(parse_redis_uri(options.uri)),
      events(std::move(told)),
      tls(uri.tls ? make_tls(options.tls_ca_file) : nullptr) {
  if (options.timeout < std::chrono::milliseconds(1)) throw std::invalid_argument("the timeout is below 1 ms");
}

epoch_name redis_shared::epoch() const {
  const std::lock_guard lock(guard);
  return current;
}

void redis_shared::saw_epoch(const epoch_name& seen, std::uint64_t serial_when_asked) {
  if (seen == epoch_name{}) return;
  {
    const std::lock_guard lock(guard);
    if (seen == current || serial.load() != serial_when_asked) return;
  }
  const std::lock_guard order(notify);
  {
    const std::lock_guard lock(guard);
    if (seen == current || serial.load() != serial_when_asked) return;
    current = seen;
    serial.fetch_add(1, std::memory_order_release);
  }
  if (events.epoch_changed) events.epoch_changed(seen);
}

void redis_shared::store_changed(int ready_stores, const std::string& reason) {
  {
    const std::lock_guard lock(guard);
    ready += ready_stores;
    if (!reason.empty()) {
      last_reason = reason;
      lost_any = true;
    }
  }
  tell();
}

void redis_shared::trust_changed() {
  tell();
}

// At the start nobody is told: it has not been usable.
void redis_shared::withhold(std::string why) {
  {
    const std::lock_guard lock(guard);
    why_withheld = std::move(why);
    withheld.store(true);
    if (!told_up) return;
  }
  tell();
}

void redis_shared::release() {
  {
    const std::lock_guard lock(guard);
    withheld.store(false);
    if (!up_locked()) return;
  }
  tell();
}

// Not told: a store goes when the process does.
void redis_shared::store_gone(bool was_ready) {
  const std::lock_guard lock(guard);
  --stores;
  if (was_ready) --ready;
}

// That it is not up yet is no news while its connections are on their way: until it was, or one of them failed.
void redis_shared::tell() {
  const std::lock_guard order(notify);
  bool now_up = false;
  std::string reason;
  {
    const std::lock_guard lock(guard);
    now_up = up_locked();
    reason = reason_locked();
    if (!told_any && !now_up && !lost_any) return;
    if (told_any && now_up == told_up) return;
    told_any = true;
    told_up = now_up;
  }
  if (events.state_changed) events.state_changed(now_up, reason);
}

bool redis_shared::up() const {
  const std::lock_guard lock(guard);
  return up_locked();
}

std::string redis_shared::reason_locked() const {
  const auto open = totals.unacknowledged.load();
  if (ready < stores || stores == 0) {
    return uri.address() + ": " + std::to_string(ready) + " of " + std::to_string(stores) +
           " connections are up: " + last_reason;
  }
  if (withheld.load()) return uri.address() + ": not used: " + why_withheld;
  if (open > 0)
    return uri.address() + ": not trusted, " + std::to_string(open) + " invalidations are not acknowledged yet";
  return uri.address() + ": connected";
}

std::string redis_shared::state() const {
  const std::lock_guard lock(guard);
  return reason_locked();
}

std::shared_ptr<store_counters> redis_shared::new_counters() {
  const std::lock_guard lock(guard);
  ++stores;
  return parts.emplace_back(std::make_shared<store_counters>());
}

const redis_counters& redis_shared::sum_counters() {
  const std::lock_guard lock(guard);
  const auto sum = [&](auto part, auto whole) {
    std::uint64_t total = 0;
    for (const auto& one : parts) total += ((*one).*part).load(std::memory_order_relaxed);
    (totals.*whole).store(total, std::memory_order_relaxed);
  };
  sum(&store_counters::commands, &redis_counters::commands);
  sum(&store_counters::errors, &redis_counters::errors);
  sum(&store_counters::timeouts, &redis_counters::timeouts);
  sum(&store_counters::connects, &redis_counters::connects);
  sum(&store_counters::connect_failures, &redis_counters::connect_failures);
  return totals;
}

connection_settings settings_of(const redis_shared& shared) {
  connection_settings out;
  out.uri = shared.uri;
  out.find_host = shared.options.find_host;
  out.tls = shared.tls;
  out.pipeline.timeout = shared.options.timeout;
  out.pipeline.max_pending = shared.options.max_queued;
  out.connect_timeout = std::max<duration>(out.connect_timeout, shared.options.timeout * 10);
  return out;
}

redis_hub::redis_hub(redis_options options, redis_events events)
    : shared_(std::make_shared<redis_shared>(std::move(options), std::move(events))) {}
redis_hub::~redis_hub() = default;

std::unique_ptr<shared_store> redis_hub::make_store(boost::asio::io_context& context) {
  return std::make_unique<redis_store>(context, shared_);
}

void redis_hub::withhold(std::string why) {
  shared_->withhold(std::move(why));
}
void redis_hub::release() {
  shared_->release();
}
bool redis_hub::up() const noexcept {
  return shared_->up();
}
std::string redis_hub::state() const {
  return shared_->state();
}
bool redis_hub::subscribed() const noexcept {
  return shared_->subscriptions.load() > 0;
}
epoch_name redis_hub::epoch() const {
  return shared_->epoch();
}
const std::string& redis_hub::cluster_id() const noexcept {
  return shared_->options.cluster_id;
}
const redis_counters& redis_hub::counters() const noexcept {
  return shared_->sum_counters();
}

}  // namespace mongocached::cache
