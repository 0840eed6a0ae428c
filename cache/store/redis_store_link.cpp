// The part of redis_store that keeps its connection ready and its invalidations going until Redis has acknowledged
// them.
#include "cache/store/boot_clock.hpp"
#include "cache/store/redis_store_impl.hpp"

namespace mongocached::cache {
namespace {

constexpr std::size_t replay_window = 256;                        // sent and not acknowledged, while catching up
constexpr duration retry_pause = std::chrono::milliseconds(100);  // after Redis answered an invalidation with an error

void answer_once(const std::shared_ptr<owed_invalidation>& item, store_status status) {
  if (const auto done = std::exchange(item->done, nullptr)) done(status);
}

}  // namespace

void redis_store::opened() {
  count(counters_->connects);
  prepare();
}

void redis_store::closed(const std::string& reason) {
  if (phase_ == phase::down) count(counters_->connect_failures);
  asking_epoch_ = false;
  leave_ready(reason);
  phase_ = phase::down;
}

void redis_store::leave_ready(const std::string& reason) {
  const bool was_ready = phase_ == phase::ready;
  phase_ = phase::down;
  shared_->store_changed(was_ready ? -1 : 0, reason);
}

void redis_store::prepare() {
  phase_ = phase::preparing;
  const auto commands = commands_.prepare(connection_->output());
  submit(
      boot_now(), commands, [this](const reply& answer) { prepared(answer); }, true);
}

void redis_store::prepared(const reply& answer) {
  if (answer.outcome != reply_outcome::reply) return;  // late is fine, until the connection counts as stuck
  const auto facts = commands_.read_prepared(answer.values);
  if (!facts) {
    count(counters_->errors);
    const auto error = redis_commands::first_error(answer.values);
    return connection_->fail(error.empty() ? "no Redis: INFO names no run id" : "Redis refuses: " + std::string(error));
  }
  if (facts->mode != "standalone") return connection_->fail("Redis in mode " + facts->mode + " is not supported");
  run_id_ = facts->run_id;
  phase_ = phase::adopting;
  adopt_epoch();
}

void redis_store::adopt_epoch() {
  if (asking_epoch_ || (phase_ != phase::adopting && phase_ != phase::ready)) return;
  asking_epoch_ = true;
  const auto commands = commands_.epoch(connection_->output(), run_id_, random_name(), false);
  submit(
      boot_now(), commands,
      [this, serial = shared_->epoch_serial()](const reply& answer) {
        if (answer.outcome != reply_outcome::reply) return;
        asking_epoch_ = false;
        const auto epoch = redis_commands::read_epoch(answer.values);
        if (!epoch) {
          count(counters_->errors);
          const auto error = redis_commands::first_error(answer.values);
          return connection_->fail("Redis keeps no epoch: " + std::string(error));
        }
        shared_->saw_epoch(*epoch, serial);
        if (phase_ == phase::adopting) become_ready();
      },
      true);
}

void redis_store::become_ready() {
  phase_ = phase::ready;
  connection_->reset_back_off();
  breaker_.reset();
  replay();  // before any request is taken (coherence W7)
  shared_->store_changed(1, {});
}

void redis_store::invalidate(invalidation what, std::function<void(store_status)> done) {
  const auto item = std::make_shared<owed_invalidation>();
  item->what = std::move(what);
  item->done = std::move(done);
  const bool sendable = phase_ == phase::ready && connection_->accepts();
  const bool wait = sendable && breaker_.allow(boot_now());
  if (!wait) {
    // The caller goes on; from here to the acknowledgement Redis is not trusted.
    keep(item, sendable);
    later([item] { answer_once(item, store_status::unavailable); });
  }
  if (sendable) send(item);
}

void redis_store::keep(const owed& item, bool sent) {
  if (item->kept) {
    if (!sent) unacknowledged_.not_sent(*item);
  } else {
    unacknowledged_.add(item, sent);
  }
  shared_->trust_changed();
  if (phase_ == phase::ready && unacknowledged_.has_unsent()) retry_later();
}

void redis_store::send(const owed& item) {
  auto& out = connection_->output();
  const auto commands =
      item->what.everything
          ? commands_.epoch(out, run_id_, random_name(), true)  // a fresh name each time it is sent:
          : commands_.invalidate(out, item->what);              // an old one, run twice, would bring its entries back
  submit(
      boot_now(), commands,
      [this, item, serial = shared_->epoch_serial()](const reply& answer) { sent(item, serial, answer); }, true);
}

void redis_store::sent(const owed& item, std::uint64_t serial, const reply& answer) {
  if (answer.outcome == reply_outcome::timeout) {
    (void)good(answer);
    keep(item, true);
    return answer_once(item, store_status::unavailable);
  }
  if (!acknowledges(item, serial, answer)) {
    keep(item, false);
    return answer_once(item, store_status::unavailable);
  }
  if (unacknowledged_.acknowledged(*item)) {
    shared_->trust_changed();
    replay();
  }
  answer_once(item, store_status::ok);
}

bool redis_store::acknowledges(const owed& item, std::uint64_t serial, const reply& answer) {
  if (!good(answer)) return false;
  if (item->what.everything) {
    const auto epoch = redis_commands::read_epoch(answer.values);
    if (epoch) shared_->saw_epoch(*epoch, serial);
    return epoch.has_value();
  }
  const auto read = redis_commands::read_invalidation(answer.values);
  if (!read) return false;
  saw_epoch(read->epoch, serial);
  return read->done;
}

void redis_store::replay() {
  while (phase_ == phase::ready && connection_->accepts() && unacknowledged_.in_flight() < replay_window) {
    const auto item = unacknowledged_.take_unsent();
    if (!item) return;
    send(item);
  }
  if (phase_ == phase::ready && unacknowledged_.has_unsent() && unacknowledged_.in_flight() == 0) retry_later();
}

void redis_store::retry_later() {
  if (retry_armed_) return;
  retry_armed_ = true;
  retry_timer_.expires_after(retry_pause);
  retry_timer_.async_wait([this, alive = std::weak_ptr<bool>(life_)](boost::system::error_code) {
    if (alive.expired()) return;
    retry_armed_ = false;
    replay();
  });
}

}  // namespace mongocached::cache
