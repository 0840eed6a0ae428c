#include "config/renew.hpp"

#include "config/check.hpp"
#include "config/keys.hpp"

namespace mongocached::config {
namespace {

bool waits(const key& k, const value& now, const value& wanted) {
  if (now == wanted || k.renewed == renewal::at_reload) return false;
  if (k.renewed == renewal::at_restart) return true;
  const value nothing{std::string{}};
  return now == nothing || wanted == nothing;
}

}  // namespace

std::vector<std::string> keep_until_restart(const settings& running, settings& fresh) {
  std::vector<std::string> out;
  const bool other_users = running.upstream.auth != fresh.upstream.auth && running.users != fresh.users;
  for (const auto& k : keys()) {
    const auto now = k.get(running);
    if (!waits(k, now, k.get(fresh))) continue;
    k.assign(fresh, now);
    out.push_back(full_name(k));
  }
  if (other_users) {
    fresh.users = running.users;
    out.emplace_back("user");
  }
  return out;
}

void check_in_force(result& fresh) {
  // Files that a running process has read may be gone: certificates are judged where they are read again.
  const auto notes = fresh.notes.size();
  check_together(fresh, {"listen.tls_cert", "listen.tls_key", "listen.tls_client_ca"});
  fresh.notes.resize(notes);
}

}  // namespace mongocached::config
