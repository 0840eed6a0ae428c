// The part of redis_store that serves mode `strict`, and the coverage mark.
#include "cache/store/boot_clock.hpp"
#include "cache/store/redis_store_impl.hpp"

namespace mongocached::cache {

void redis_store::get_checked(std::string_view ns, std::span<const key_view> keys,
                              std::function<void(get_result)> done) {
  const auto now = boot_now();
  if (!may_ask(now)) return later([done = std::move(done)] { done({}); });
  const auto commands = commands_.check(connection_->output(), ns, keys);
  submit(now, commands,
         [this, count = keys.size(), serial = shared_->epoch_serial(), done = std::move(done)](const reply& answer) {
           if (!good(answer)) return done({});
           auto result = redis_commands::read_check(answer.values, count, answer.elapsed);
           if (!result) return done({});
           saw_epoch(result->epoch, serial);
           // coherence W7: an invalidation may have come to be owed while this was under way.
           if (result->epoch == epoch_name{} || !shared_->trusted()) return done({});
           done(std::move(*result));
         });
}

reply_handler redis_store::tells_whether_done(std::function<void(store_status)> done) {
  return [this, serial = shared_->epoch_serial(), done = std::move(done)](const reply& answer) {
    if (!good(answer)) return done(store_status::unavailable);
    const auto read = redis_commands::read_invalidation(answer.values);
    if (!read) return done(store_status::unavailable);
    saw_epoch(read->epoch, serial);
    done(read->done ? store_status::ok : store_status::unavailable);
  };
}

// Also while Redis is not trusted: what others must not serve does not depend on what this process owes.
void redis_store::announce(const invalidation& what, std::function<void(store_status)> done) {
  const auto now = boot_now();
  const bool sendable =
      phase_ == phase::ready && connection_->accepts() && !what.everything && what.announcement != announcement_id{};
  if (!sendable || !breaker_.allow(now)) return later([done = std::move(done)] { done(store_status::unavailable); });
  const auto commands = commands_.announce(connection_->output(), what);
  submit(now, commands, tells_whether_done(std::move(done)));
}

void redis_store::load_mark(std::function<void(store_status, coverage_mark)> done) {
  const auto now = boot_now();
  if (!may_ask(now)) return later([done = std::move(done)] { done(store_status::unavailable, {}); });
  const auto commands = commands_.load_mark(connection_->output());
  submit(now, commands, [this, serial = shared_->epoch_serial(), done = std::move(done)](const reply& answer) {
    if (!good(answer)) return done(store_status::unavailable, {});
    auto read = redis_commands::read_mark(answer.values);
    if (!read) return done(store_status::unavailable, {});
    saw_epoch(read->epoch, serial);
    if (read->epoch == epoch_name{} || !shared_->trusted()) return done(store_status::unavailable, {});
    done(store_status::ok, std::move(read->mark));
  });
}

// coherence C3: may_ask() says no while an invalidation is unacknowledged. One that comes to be owed later is of a
// later event than those that the mark speaks of.
void redis_store::save_mark(const coverage_mark& mark, std::function<void(store_status)> done) {
  const auto now = boot_now();
  if (mark.epoch == epoch_name{} || !may_ask(now)) {
    return later([done = std::move(done)] { done(store_status::unavailable); });
  }
  const auto commands = commands_.save_mark(connection_->output(), mark);
  submit(now, commands, tells_whether_done(std::move(done)));
}

}  // namespace mongocached::cache
