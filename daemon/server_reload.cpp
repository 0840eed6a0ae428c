// SIGHUP: what is read again, and what of it takes effect at once.
#include "config/renew.hpp"
#include "daemon/certificate_term.hpp"
#include "daemon/server_impl.hpp"
#include "daemon/tls_contexts.hpp"

namespace mongocached::daemon {
namespace {

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

// Beside what waits for a restart.
void refuse_what_does_not_hold(config::result& fresh, const std::vector<std::string>& waiting) {
  config::check_in_force(fresh);
  for (auto& fault : fresh.faults) {
    fault.line += " (now; what takes effect with a restart only: " + listed(waiting) + ")";
  }
}

}  // namespace

void server::impl::reload() {
  notifier_.reloading(
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()));
  auto fresh = options_.reload();
  // What waits is not in force, and must not look as if it were.
  const auto waiting = config::keep_until_restart(*shared_.settings.load(), fresh.settings);
  if (fresh.ok() && !waiting.empty()) refuse_what_does_not_hold(fresh, waiting);
  take_users(fresh);
  for (const auto& fault : fresh.faults) log_.error("config", fault.line);
  if (fresh.ok()) {
    log_.set_level(fresh.settings.log.level);
    for (const auto& note : fresh.notes) log_.warn("config", note);
    const bool certified = reload_certificates(fresh.settings.listen);
    // Of those in force: one that cannot be used has left the one of before.
    for (const auto& note : certificate_notes(shared_.client_tls.load().get(), shared_.upstream_tls.load().get())) {
      log_.warn("config", note);
    }
    shared_.buffers.set_limit(fresh.settings.listen.max_buffered);
    if (side_port_) side_port_->set_token(fresh.settings.http.token.reveal());
    put_in_force(std::move(fresh.settings));
    if (!waiting.empty()) {
      log_.warn("config", "changes of these keys take effect with a restart only", {{"keys", listed(waiting)}});
    }
    log_.info("config", certified ? "settings and certificates read again" : "settings read again");
  } else {
    log_.error("config", "the settings of before stay in force");
  }
  notifier_.ready("accepting clients");
}

void server::impl::put_in_force(config::settings fresh) {
  const bool begin = !feed_.load() && needs_stream(fresh);
  // Whoever sees the new mode finds the gate shut: what was cached in mode ttl falls when the stream is opened.
  if (begin) shared_.stream_refused.store(false);
  shared_.settings.store(std::make_shared<const config::settings>(std::move(fresh)));
  if (begin) {
    start_feed();
  } else if (const auto feed = feed_.load()) {
    feed->settings_changed(*shared_.settings.load());
  }
}

// For connections to come, those of the control plane too. One file that cannot be used leaves that side's certificates
// as they are; then false, as where there is no TLS.
bool server::impl::reload_certificates(const config::listen_settings& listen) {
  bool any = false;
  bool all = true;
  const auto renew = [&](auto& context, auto make) {
    if (!context.load()) return;
    any = true;
    try {
      if (auto fresh = make()) context.store(std::move(fresh));
    } catch (const std::runtime_error& e) {
      all = false;
      log_.error("config", "the certificates of before stay in force", {{"error", e.what()}});
    }
  };
  renew(shared_.client_tls, [&] { return make_client_tls(listen); });
  renew(shared_.upstream_tls, [this] { return upstream_files_.take(); });
  return any && all;
}

// Faults of users count with those of the settings.
void server::impl::take_users(config::result& fresh) {
  const auto before = shared_.users.load();
  if (!before || !fresh.ok()) return;
  std::vector<std::string> faults;
  auto users = user_table::make(fresh.settings.users, before.get(), faults);
  for (auto& fault : faults) fresh.faults.push_back({"user", std::move(fault)});
  if (!users) return;
  // First: who is cut off logs in again at once.
  shared_.users.store(users);
  users->succeed(*before);
  shared_.authorization.revoke_all();
}

}  // namespace mongocached::daemon
