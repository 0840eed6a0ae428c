#include "daemon/usable_settings.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "cache/store/redis_store.hpp"
#include "cache/store/redis_uri.hpp"
#include "daemon/certificate_term.hpp"
#include "daemon/tls_contexts.hpp"
#include "daemon/upstream_tls_files.hpp"

namespace mongocached::daemon {
namespace {

// What libmongoc, which logs in for the control plane, can do as it is delivered; it takes every name. GSSAPI it knows
// as well, but only with a plugin of Cyrus SASL and a ticket: without them the change stream was lost for ever.
constexpr std::array mechanisms{"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "MONGODB-AWS"};

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
}

bool can_log_in(const upstream_uri& uri) {
  const auto& name = uri.auth_mechanism;
  if (name.empty()) return true;
  if (same_word(name, "MONGODB-X509")) return uri.tls.enabled && !uri.tls.certificate_key_file.empty();
  return std::ranges::any_of(mechanisms, [&name](const char* known) { return same_word(name, known); });
}

void try_redis_ca(const config::redis_settings& redis, std::vector<config::fault>& faults) {
  if (redis.tls_ca.empty()) return;
  try {
    cache::try_redis_trust(redis.tls_ca);
  } catch (const std::invalid_argument& e) {
    faults.push_back({"redis.tls_ca", "redis.tls_ca = \"" + redis.tls_ca + "\": " + e.what()});
  }
}

}  // namespace

std::optional<upstream_uri> parse_uris(config::result& loaded) {
  const auto& settings = loaded.settings;
  auto& faults = loaded.faults;
  std::string error;
  auto upstream = parse_upstream_uri(settings.upstream.uri.reveal(), error);
  if (!upstream) {
    faults.push_back({"upstream.uri", "upstream.uri: " + error});
  } else {
    for (const auto& warning : upstream->warnings) loaded.notes.push_back("upstream.uri: " + warning);
    // With "pooled" the proxy logs in by itself: upstream_account judges.
    if (settings.upstream.auth == config::auth_kind::passthrough && !can_log_in(*upstream)) {
      faults.push_back({"upstream.uri", "upstream.uri: authMechanism " + upstream->auth_mechanism +
                                            " cannot be used; allowed: SCRAM-SHA-256, SCRAM-SHA-1, PLAIN, MONGODB-AWS, "
                                            "or MONGODB-X509 with TLS and tlsCertificateKeyFile"});
    }
  }
  if (!settings.redis.uri) return upstream;
  try {
    static_cast<void>(cache::parse_redis_uri(settings.redis.uri->reveal()));
  } catch (const std::invalid_argument& e) {
    faults.push_back({"redis.uri", "redis.uri = \"" + settings.redis.uri->masked() + "\": " + e.what()});
  }
  return upstream;
}

void try_tls_files(config::result& loaded, const upstream_uri& upstream) {
  const auto attempt = [&loaded](const char* key, auto make) {
    try {
      return make();
    } catch (const std::runtime_error& e) {  // names the key
      loaded.faults.push_back({key, e.what()});
    }
    return decltype(make()){};
  };
  const auto clients = attempt("listen.tls_cert", [&] { return make_client_tls(loaded.settings.listen); });
  const auto servers = attempt("upstream.uri", [&] { return upstream_tls_files(upstream.tls).take(); });
  try_redis_ca(loaded.settings.redis, loaded.faults);
  for (auto& note : certificate_notes(clients.get(), servers.get())) loaded.notes.push_back(std::move(note));
}

}  // namespace mongocached::daemon
