#include "config/check.hpp"

#include <algorithm>
#include <charconv>

#include "config/toml_file.hpp"
#include "config/value.hpp"

namespace mongocached::config {
namespace {

class checker {
 public:
  checker(result& out, const std::set<std::string, std::less<>>& bad) : out_(out), bad_(bad) {}

  void run() {
    tls();
    pose();
    upstream();
    redis();
    http();
    users();
    collections();
    sizes();
  }

 private:
  [[nodiscard]] bool good(std::initializer_list<std::string_view> keys) const {
    return std::none_of(keys.begin(), keys.end(), [&](std::string_view key) { return bad_.contains(key); });
  }

  void fault(std::string key, std::string_view text) {
    std::string line = key;
    line += text;
    out_.faults.push_back({std::move(key), mask_text(line)});
  }

  void note(std::string_view text) { out_.notes.push_back(mask_text(text)); }

  // Where clients come in, beside listen.unix_socket; none if it is not known.
  [[nodiscard]] std::vector<endpoint> places() const {
    if (!out_.inherited.clients.empty()) return out_.inherited.clients;
    if (!good({"listen.address"})) return {};
    return {out_.settings.listen.address};
  }

  void readable(const char* key, const std::string& path) {
    if (path.empty() || !good({key})) return;
    constexpr std::size_t most = 1 << 20;
    const auto file = read_file(path, most);
    if (!file.why.empty()) {
      fault(key,
            " = " + in_quotes_short(path) + ": " + file.why + "; allowed: a file that can be read, or \"\" for none");
    }
  }

  void tls() {
    const auto& listen = out_.settings.listen;
    if (good({"listen.tls_cert", "listen.tls_key"})) {
      if (!listen.tls_cert.empty() && listen.tls_key.empty()) {
        fault("listen.tls_key", " = \"\": listen.tls_cert needs it; allowed: the file with its private key");
      }
      if (listen.tls_cert.empty() && !listen.tls_key.empty()) {
        fault("listen.tls_cert", " = \"\": listen.tls_key needs it; allowed: the file with its certificate");
      }
      if (listen.tls_cert.empty() && !listen.tls_client_ca.empty() && good({"listen.tls_client_ca"})) {
        fault("listen.tls_cert",
              " = \"\": listen.tls_client_ca needs it; allowed: the file with the certificate to serve");
      }
    }
    readable("listen.tls_cert", listen.tls_cert);
    readable("listen.tls_key", listen.tls_key);
    readable("listen.tls_client_ca", listen.tls_client_ca);
  }

  void pose() {
    const auto& listen = out_.settings.listen;
    if (!good({"listen.pose", "listen.advertise"})) return;
    if (listen.pose == pose_kind::replica_set && !listen.advertise) {
      fault("listen.advertise",
            " = \"none\": listen.pose = \"replica_set\" needs it; allowed: the \"HOST:PORT\" clients use");
    }
    if (listen.pose == pose_kind::mongos && listen.advertise) {
      note("listen.advertise has no effect: listen.pose is \"mongos\"");
    }
  }

  void upstream() {
    const auto& s = out_.settings;
    if (!good({"upstream.uri"})) return;
    if (s.upstream.uri.empty()) {
      fault("upstream.uri", " is not set; allowed: \"mongodb://...\" or \"mongodb+srv://...\"");
      return;
    }
    for (const auto& place : places()) {
      if (!is_own_address(s.upstream.uri.reveal(), place)) continue;
      fault("upstream.uri", " = " + in_quotes_short(s.upstream.uri.masked()) + ": mongocached itself listens on " +
                                to_string(place) + "; allowed: the address of a MongoDB server");
      return;
    }
  }

  void redis() {
    redis_tls();
    const auto& s = out_.settings;
    if (!good({"redis.uri"}) || s.redis.uri) return;
    constexpr std::string_view text = " = \"strict\": needs redis.uri; allowed: \"bounded\" or \"ttl\", or a Redis";
    if (good({"cache.mode"}) && s.cache.mode == cache_mode::strict) fault("cache.mode", text);
    for (std::size_t i = 0; i < s.collections.size(); ++i) {
      const auto key = "collection[" + std::to_string(i + 1) + "].mode";
      if (good({key}) && s.collections[i].mode == cache_mode::strict) fault(key, text);
    }
    if (good({"cache.memory", "cache.enabled"}) && s.cache.memory == 0 && s.cache.enabled) {
      note("nothing is cached: cache.memory is \"0\" and redis.uri is \"none\"");
    }
  }

  // Whoever names authorities means TLS: it is not left out silently.
  void redis_tls() {
    const auto& redis = out_.settings.redis;
    readable("redis.tls_ca", redis.tls_ca);
    if (redis.tls_ca.empty() || !good({"redis.uri", "redis.tls_ca"})) return;
    const auto given = redis.uri;
    if (!given) return note("redis.tls_ca has no effect: redis.uri is \"none\"");
    const auto& uri = *given;
    if (uri.reveal().starts_with("rediss://")) return;
    fault("redis.uri",
          " = " + in_quotes_short(uri.masked()) + ": without TLS, and redis.tls_ca is set; allowed: \"rediss://...\"");
  }

  void http() {
    const auto& s = out_.settings;
    const bool inherits = out_.inherited.http.has_value();
    const auto wanted = inherits ? out_.inherited.http : s.http.address;
    if (!wanted || !(inherits || good({"http.address"}))) return;
    const auto& address = *wanted;
    if (!inherits && address.port != 0 && std::ranges::count(places(), address) != 0) {
      fault("http.address", " = " + in_quotes(to_string(address)) + ": clients come in there; allowed: another port");
    }
    if (good({"http.token"}) && !address.is_loopback() && s.http.token.empty()) {
      note(
          "the side port is not on a loopback address and http.token is not set: only /metrics, /healthz and /readyz "
          "answer");
    }
  }

  void users() {
    const auto& s = out_.settings;
    if (good({"upstream.auth"})) {
      if (s.upstream.auth == auth_kind::pooled && s.users.empty() && good({"user"})) nobody_logs_in();
      if (s.upstream.auth == auth_kind::passthrough && s.listen.allow_unauthenticated) {
        note("listen.allow_unauthenticated has no effect: upstream.auth is \"passthrough\"");
      }
      if (s.upstream.auth == auth_kind::passthrough) idle_users();
    }
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < s.users.size(); ++i) {
      one_secret("user[" + std::to_string(i + 1) + "].", s.users[i]);
      const auto& name = s.users[i].name;
      if (name.empty() || names.insert(name).second) continue;
      fault("user[" + std::to_string(i + 1) + "].name",
            " = " + in_quotes_short(name) + ": there is another; allowed: each name once");
    }
  }

  // Pooled without users: whoever may connect has the proxy's rights (wire rule I3).
  void nobody_logs_in() {
    const auto& listen = out_.settings.listen;
    if (listen.allow_unauthenticated) {
      note("everybody who can connect has the rights of the user in upstream.uri: listen.allow_unauthenticated");
    } else if (!std::ranges::all_of(places(), is_on_this_machine)) {
      fault("upstream.auth",
            " = \"pooled\": no [[user]] may connect; allowed: \"passthrough\", or at least one [[user]]");
    } else {
      note("there is no [[user]]: every client on this machine has the rights of the user in upstream.uri");
    }
  }

  static bool is_on_this_machine(const endpoint& place) { return place.host.empty() || place.is_loopback(); }

  // In passthrough mode the upstream knows the users; an entry only says who of them is an administrator here.
  void idle_users() {
    const auto& users = out_.settings.users;
    if (std::ranges::any_of(users, [](const user& who) { return !who.admin; })) {
      note("a [[user]] without admin = true has no effect: upstream.auth is \"passthrough\"");
    }
    const auto has_secret = [](const user& who) { return !who.password.empty() || !who.scram_sha_256.empty(); };
    if (std::ranges::any_of(users, has_secret)) {
      note("the passwords of [[user]] have no effect: upstream.auth is \"passthrough\", the upstream knows them");
    }
  }

  void one_secret(const std::string& at, const user& who) {
    const auto password = at + "password";
    if (!good({password, at + "scram_sha_256"})) return;
    if (who.password.empty() && who.scram_sha_256.empty()) {
      if (!good({"upstream.auth"}) || out_.settings.upstream.auth == auth_kind::passthrough) return;
      fault(password, " is not set; allowed: a text of at least 1 byte, or scram_sha_256 in its place");
    } else if (!who.password.empty() && !who.scram_sha_256.empty()) {
      fault(password, " = ***: scram_sha_256 is set as well; allowed: one of the two");
    }
  }

  void collections() {
    std::set<std::string_view> patterns;
    const auto& rules = out_.settings.collections;
    for (std::size_t i = 0; i < rules.size(); ++i) {
      const auto& pattern = rules[i].pattern;
      if (pattern.empty() || patterns.insert(pattern).second) continue;
      fault("collection[" + std::to_string(i + 1) + "].namespace",
            " = " + in_quotes_short(pattern) + ": there is another; allowed: each namespace once");
    }
  }

  void sizes() {
    const auto& cache = out_.settings.cache;
    // A reply is held twice while it is taken apart.
    if (good({"listen.max_buffered", "cache.max_entry"}) && out_.settings.listen.max_buffered < 2 * cache.max_entry) {
      note("listen.max_buffered is less than two of cache.max_entry: replies of that size are not cached");
    }
    if (!good({"cache.memory", "cache.max_entry"})) return;
    if (cache.memory != 0 && cache.max_entry > cache.memory) note("cache.max_entry is more than cache.memory");
  }

  result& out_;
  const std::set<std::string, std::less<>>& bad_;
};

bool same_host(std::string_view theirs, const endpoint& listen) {
  const bool any = listen.host == "0.0.0.0" || listen.host == "::";
  const auto plain = [](std::string_view host) { return host == "localhost" ? std::string_view{"127.0.0.1"} : host; };
  if (plain(theirs) == plain(listen.host)) return true;
  return any && (plain(theirs) == "127.0.0.1" || theirs == "::1");
}

}  // namespace

bool is_own_address(std::string_view upstream_uri, const endpoint& listen) {
  constexpr std::string_view scheme = "mongodb://";
  constexpr std::string_view default_port = "27017";
  if (!upstream_uri.starts_with(scheme) || listen.port == 0) return false;
  auto hosts = upstream_uri.substr(scheme.size());
  if (const auto at = hosts.rfind('@'); at != std::string_view::npos) hosts.remove_prefix(at + 1);
  hosts = hosts.substr(0, hosts.find_first_of("/?"));
  while (!hosts.empty()) {
    auto host = hosts.substr(0, hosts.find(','));
    hosts.remove_prefix(std::min(host.size() + 1, hosts.size()));
    auto port = default_port;
    const auto colon = host.rfind(':');
    if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) {
      port = host.substr(colon + 1);
      host = host.substr(0, colon);
    }
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (port == std::to_string(listen.port) && same_host(host, listen)) return true;
  }
  return false;
}

void check_together(result& out, const std::set<std::string, std::less<>>& bad) {
  checker{out, bad}.run();
}

}  // namespace mongocached::config
