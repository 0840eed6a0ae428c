#include "cache/store/redis_store.hpp"

#include "cache/store/boot_clock.hpp"
#include "cache/store/redis_store_impl.hpp"

namespace mongocached::cache {
namespace {

std::mt19937_64 seeded() {
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device(), device(), device(), device(), device()};
  return std::mt19937_64(seed);
}

std::vector<hex_128> hashes_of(std::span<const key_view> keys) {
  std::vector<hex_128> out;
  out.reserve(keys.size());
  for (const auto& key : keys) out.push_back(redis_hash(key.bytes));
  return out;
}

}  // namespace

redis_store::redis_store(boost::asio::io_context& context, std::shared_ptr<redis_shared> shared)
    : context_(context),
      shared_(std::move(shared)),
      counters_(shared_->new_counters()),
      commands_(shared_->options.key_prefix, shared_->options.cluster_id, shared_->options.lease_time, shared_->sender),
      unacknowledged_(shared_->unacknowledged(), shared_->options.max_unacknowledged),
      connection_(std::make_shared<resp_connection>(
          context, settings_of(*shared_),
          connection_events{[this] { opened(); }, [this](const std::string& reason) { closed(reason); }})),
      retry_timer_(context),
      random_(seeded()) {
  // In the first turn of the loop, so that no state is told from inside make_store().
  later([this] { connection_->start(); });
}

redis_store::~redis_store() {
  connection_->stop();
  shared_->store_gone(phase_ == phase::ready);
}

std::array<std::uint8_t, 16> redis_store::random_name() {
  std::array<std::uint8_t, 16> out{};
  protocol::store_le(out.data(), random_());
  protocol::store_le(out.data() + 8, random_() | 1);  // never the name that is all zero
  return out;
}

bool redis_store::may_ask(instant now) {
  // Trust first: a breaker that is half open takes the question for its probe.
  return phase_ == phase::ready && shared_->trusted() && connection_->accepts() && breaker_.allow(now);
}

void redis_store::submit(instant now, unsigned commands, reply_handler done, bool late) {
  count(counters_->commands, commands);
  connection_->submit(now, commands, std::move(done), late);
}

bool redis_store::good(const reply& answer) {
  switch (answer.outcome) {
    case reply_outcome::closed:
      return false;
    case reply_outcome::timeout:
      count(counters_->timeouts);
      if (shared_->events.observed) shared_->events.observed(answer.elapsed);
      breaker_.failure(boot_now());
      return false;
    case reply_outcome::reply:
      break;
  }
  if (shared_->events.observed && !answer.late) shared_->events.observed(answer.elapsed);
  if (!redis_commands::first_error(answer.values).empty()) {
    breaker_.failure(boot_now());
    failed(answer.values);
    return false;
  }
  if (!answer.late) breaker_.success(boot_now());
  return true;
}

void redis_store::failed(std::span<const resp_value> replies) {
  count(counters_->errors);
  const auto error = redis_commands::first_error(replies);
  if (error.starts_with("NOSCRIPT")) {
    // Someone flushed the scripts. The request is lost, an invalidation is sent again.
    if (phase_ == phase::ready) {
      leave_ready("the scripts are gone");
      prepare();
    }
  } else if (error.starts_with("READONLY")) {
    connection_->fail("Redis is a replica now");  // the name may lead to the new master
  } else if (error.starts_with("NOAUTH")) {
    connection_->fail("Redis asks for a login");
  }
}

void redis_store::saw_epoch(const epoch_name& seen, std::uint64_t serial) {
  if (seen == epoch_name{}) {
    adopt_epoch();  // flushed or evicted
  } else {
    shared_->saw_epoch(seen, serial);
  }
}

void redis_store::get(std::string_view ns, key_kind kind, std::span<const key_view> keys,
                      std::function<void(get_result)> done) {
  const auto now = boot_now();
  if (!may_ask(now)) return later([done = std::move(done)] { done({}); });
  const auto commands = commands_.get(connection_->output(), ns, kind, keys);
  submit(now, commands,
         [this, count = keys.size(), serial = shared_->epoch_serial(), done = std::move(done)](const reply& answer) {
           if (!good(answer)) return done({});
           auto result = redis_commands::read_get(answer.values, count, answer.elapsed);
           if (!result) {
             connection_->fail("an answer to MGET of another shape");
             return done({});
           }
           saw_epoch(result->epoch, serial);
           // coherence W7: an invalidation may have come to be owed while this was under way.
           if (result->epoch == epoch_name{} || !shared_->trusted()) return done({});
           done(std::move(*result));
         });
}

void redis_store::lease(std::string_view ns, key_kind kind, std::span<const key_view> keys,
                        std::function<void(lease_result)> done) {
  const auto now = boot_now();
  if (keys.empty() || !may_ask(now)) return later([done = std::move(done)] { done({}); });
  auto hashes = hashes_of(keys);
  std::vector<lease_token> tokens(keys.size());
  for (auto& token : tokens) token = random_name();
  const auto commands =
      commands_.lease(connection_->output(), shared_->epoch(), ns, kind, hashes, tokens, random_name());
  submit(
      now, commands,
      [this, hashes = std::move(hashes), tokens = std::move(tokens), serial = shared_->epoch_serial(),
       done = std::move(done)](const reply& answer) { leased(answer, hashes, tokens, serial, done); },
      true);
}

void redis_store::leased(const reply& answer, std::span<const hex_128> keys, std::span<const lease_token> tokens,
                         std::uint64_t serial, const std::function<void(lease_result)>& done) {
  if (answer.late) {
    // Its flight has gone on without it: the next one need not wait for the lease to run out.
    if (answer.outcome == reply_outcome::reply && phase_ == phase::ready && connection_->accepts()) {
      submit(boot_now(), commands_.release(connection_->output(), keys, tokens), [](const reply&) {});
    }
    return;
  }
  if (!good(answer)) return done({});
  const auto read = redis_commands::read_lease(answer.values, keys.size());
  if (!read) return done({});
  saw_epoch(read->epoch, serial);
  if (read->epoch == epoch_name{} || !shared_->trusted()) return done({});
  lease_result result{store_status::ok, read->epoch, read->generation, std::vector<lease_grant>(keys.size())};
  for (std::size_t i = 0; i < read->records.size(); ++i) {
    const auto& record = read->records[i];
    result.grants[i] = {record.granted, record.taken, tokens[i], record.fence};
  }
  done(std::move(result));
}

void redis_store::release(std::string_view /*ns*/, key_kind /*kind*/, std::span<const key_view> keys,
                          std::span<const lease_token> tokens) {
  const auto now = boot_now();
  if (keys.empty() || keys.size() != tokens.size() || !may_ask(now)) return;
  const auto commands = commands_.release(connection_->output(), hashes_of(keys), tokens);
  submit(now, commands, [this](const reply& answer) { (void)good(answer); });
}

void redis_store::fill(std::string_view ns, key_kind kind, const generation_token& generation,
                       std::span<const fill_item> items, std::function<void(std::span<const fill_outcome>)> done) {
  const auto now = boot_now();
  if (items.empty() || !may_ask(now)) {
    return later([count = items.size(), done = std::move(done)] {
      done(std::vector<fill_outcome>(count, fill_outcome::unavailable));
    });
  }
  const auto commands = commands_.fill(connection_->output(), shared_->epoch(), ns, kind, generation, items);
  submit(now, commands,
         [this, count = items.size(), serial = shared_->epoch_serial(), done = std::move(done)](const reply& answer) {
           if (good(answer)) {
             if (const auto read = redis_commands::read_fill(answer.values, count)) {
               saw_epoch(read->epoch, serial);
               return done(read->outcomes);
             }
           }
           done(std::vector<fill_outcome>(count, fill_outcome::unavailable));
         });
}

}  // namespace mongocached::cache
