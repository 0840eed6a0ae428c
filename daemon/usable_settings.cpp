#include "daemon/usable_settings.hpp"

#include <stdexcept>
#include <utility>

#include "cache/store/redis_uri.hpp"
#include "daemon/tls_contexts.hpp"
#include "daemon/upstream_tls_files.hpp"

namespace mongocached::daemon {

std::optional<upstream_uri> parse_uris(config::result& loaded) {
  const auto& settings = loaded.settings;
  auto& faults = loaded.faults;
  std::string error;
  auto upstream = parse_upstream_uri(settings.upstream.uri.reveal(), error);
  if (!upstream) faults.push_back({"upstream.uri", "upstream.uri: " + error});
  if (upstream) {
    for (const auto& warning : upstream->warnings) loaded.notes.push_back("upstream.uri: " + warning);
  }
  if (!settings.redis.uri) return upstream;
  try {
    static_cast<void>(cache::parse_redis_uri(settings.redis.uri->reveal()));
  } catch (const std::invalid_argument& e) {
    faults.push_back({"redis.uri", "redis.uri = \"" + settings.redis.uri->masked() + "\": " + e.what()});
  }
  return upstream;
}

void try_tls_files(const config::listen_settings& listen, const upstream_uri& upstream,
                   std::vector<config::fault>& faults) {
  const auto attempt = [&faults](const char* key, auto make) {
    try {
      static_cast<void>(make());
    } catch (const std::runtime_error& e) {  // names the key
      faults.push_back({key, e.what()});
    }
  };
  attempt("listen.tls_cert", [&] { return make_client_tls(listen); });
  attempt("upstream.uri", [&] { return upstream_tls_files(upstream.tls).take(); });
}

}  // namespace mongocached::daemon
