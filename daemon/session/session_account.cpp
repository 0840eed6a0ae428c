// What a session counts, and says in the log, of its requests.
#include "cache/write_plan.hpp"
#include "daemon/milliseconds.hpp"
#include "daemon/session/session.hpp"

namespace mongocached::daemon {

void session::finished(const request& r, const verdict& v) {
  auto& metrics = thread_.metrics;
  metrics.count(v.how, r.label);
  if (v.how == outcome::bypass) metrics.bypass[static_cast<std::size_t>(v.reason)].add();
  if (v.how == outcome::miss && v.reason == cache::bypass_reason::unproven) metrics.unproven_misses.add();
  if (awaiting_) return;  // it took as long as nothing happened
  const auto took = data_thread::now() - r.received;
  metrics.request_duration[static_cast<std::size_t>(v.how)].observe(took);
  const auto slow = thread_.settings->log.slow;
  if (slow.count() != 0 && took >= slow) tell_of_slow(r, v, took);
}

void session::answered_at_once(outcome how, std::size_t label, cache::instant begun) {
  thread_.metrics.count(how, label);
  thread_.metrics.request_duration[static_cast<std::size_t>(how)].observe(data_thread::now() - begun);
}

// When the upstream is slow every request is: the log is not to make it worse.
void session::tell_of_slow(const request& r, const verdict& v, cache::duration took) {
  constexpr std::string_view event = "slow request";
  if (!shared().log.enabled(config::log_level::info)) return;
  const auto [allowed, suppressed] = shared().limiter.admit(event, data_thread::now());
  if (!allowed) return;
  const auto& c = r.command;
  shared().log.info("session", event,
                    {{"client", peer_},
                     {"command", c.name},
                     {"namespace", cache::full_name(c.db, c.collection)},
                     {"milliseconds", milliseconds(took)},
                     {"outcome", name_of(v.how)},
                     {"reason", cache::name_of(v.reason)},
                     {"unsaid", suppressed}});
}

void session::tell(std::string_view what, const log_field& why) {
  if (!shared().log.enabled(config::log_level::info)) return;
  const auto [allowed, suppressed] = shared().limiter.admit(what, data_thread::now());
  if (allowed) shared().log.info("session", what, {{"client", peer_}, why, {"unsaid", suppressed}});
}

}  // namespace mongocached::daemon
