#include "daemon/control/upstream_uri.hpp"

#include <mongoc/mongoc.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <memory>
#include <tuple>

#include "daemon/control/driver_log_capture.hpp"

namespace mongocached::daemon {
namespace {

using uri_ptr = std::unique_ptr<mongoc_uri_t, decltype(&mongoc_uri_destroy)>;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// The text cut where RFC 3986 and the connection string specification cut it.
struct uri_parts {
  std::string_view scheme;     // with "://"
  std::string_view user_info;  // without '@'; empty: none
  std::string_view hosts;
  std::string_view path;  // with '/'
  std::vector<std::string_view> options;
};

uri_parts cut(std::string_view text) {
  uri_parts parts;
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return parts;
  parts.scheme = text.substr(0, scheme + 3);
  std::string_view rest = text.substr(scheme + 3);
  if (const std::size_t query = rest.find('?'); query != std::string_view::npos) {
    std::string_view options = rest.substr(query + 1);
    rest = rest.substr(0, query);
    while (!options.empty()) {
      const std::size_t end = std::min(options.find_first_of("&;"), options.size());
      if (end > 0) parts.options.push_back(options.substr(0, end));
      options.remove_prefix(std::min(end + 1, options.size()));
    }
  }
  if (const std::size_t path = rest.find('/'); path != std::string_view::npos) {
    parts.path = rest.substr(path);
    rest = rest.substr(0, path);
  }
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    parts.user_info = rest.substr(0, at);
    rest = rest.substr(at + 1);
  }
  parts.hosts = rest;
  return parts;
}

std::string option_name(std::string_view option) {
  return lower(option.substr(0, option.find('=')));
}

std::string_view option_value(std::string_view option) {
  const std::size_t equals = option.find('=');
  return equals == std::string_view::npos ? std::string_view() : option.substr(equals + 1);
}

bool is_about_authentication(const std::string& option) {
  constexpr std::array names{"authsource", "authmechanism", "authmechanismproperties", "gssapiservicename",
                             "canonicalizehostname"};
  return std::find(names.begin(), names.end(), option) != names.end();
}

std::string with_options(std::string address, const std::vector<std::string>& options) {
  char separator = '?';
  for (const auto& option : options) {
    address += separator + option;
    separator = '&';
  }
  return address;
}

// The URI without user, password and whatever asks for authentication: monitoring never authenticates.
std::string without_credentials(const uri_parts& parts) {
  std::vector<std::string> kept;
  for (const std::string_view option : parts.options) {
    if (!is_about_authentication(option_name(option))) kept.emplace_back(option);
  }
  return with_options(std::string(parts.scheme) + std::string(parts.hosts) + "/", kept);
}

// The URI with other values of the two options that name files, where they are given. A path of ours needs no %XX.
std::string with_other_files(std::string_view text, const std::string& ca, const std::string& certificate_key) {
  const uri_parts parts = cut(text);
  std::string address(parts.scheme);
  if (!parts.user_info.empty()) address += std::string(parts.user_info) + "@";
  address += std::string(parts.hosts) + (parts.path.empty() ? "/" : std::string(parts.path));
  std::vector<std::string> options;
  for (const std::string_view option : parts.options) {
    const std::string name = option_name(option);
    if (!ca.empty() && (name == "tlscafile" || name == "sslcertificateauthorityfile")) {
      options.push_back(name + "=" + ca);
    } else if (!certificate_key.empty() && (name == "tlscertificatekeyfile" || name == "sslclientcertificatekeyfile")) {
      options.push_back(name + "=" + certificate_key);
    } else {
      options.emplace_back(option);
    }
  }
  return with_options(std::move(address), options);
}

// Everything in the text that may be a secret. A malformed URI may be cut in the wrong place, so all up to its last '@'
// counts.
std::vector<std::string> secrets_of(std::string_view text) {
  std::vector<std::string> secrets;
  const auto add = [&](std::string_view piece) {
    if (piece.empty()) return;
    secrets.emplace_back(piece);
    if (char* const plain = mongoc_uri_unescape(secrets.back().c_str())) {
      if (plain[0] != '\0' && secrets.back() != plain) secrets.emplace_back(plain);
      bson_free(plain);
    }
  };
  const std::size_t scheme = text.find("://");
  const std::size_t begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos && at > begin) {
    const std::string_view user_info = text.substr(begin, at - begin);
    std::string_view password = user_info.substr(std::min(user_info.find(':'), user_info.size()));
    while (!password.empty()) {  // a message may quote any part between delimiters
      const std::size_t end = std::min(password.find_first_of(":@/?&=,#[] "), password.size());
      add(password.substr(0, end));
      password.remove_prefix(std::min(end + 1, password.size()));
    }
  }
  for (const std::string_view option : cut(text).options) {
    const std::string name = option_name(option);
    if (name.find("password") != std::string::npos || name == "authmechanismproperties") add(option_value(option));
  }
  return secrets;
}

bool tells(const std::string& message, const std::vector<std::string>& secrets) {
  return std::any_of(secrets.begin(), secrets.end(),
                     [&](const std::string& secret) { return message.find(secret) != std::string::npos; });
}

std::string text_or_empty(const char* text) {
  return text == nullptr ? "" : text;
}

upstream_tls tls_of(const mongoc_uri_t* uri) {
  const auto flag = [&](const char* name) { return mongoc_uri_get_option_as_bool(uri, name, false); };
  const auto text = [&](const char* name) { return text_or_empty(mongoc_uri_get_option_as_utf8(uri, name, "")); };
  upstream_tls tls;
  tls.enabled = mongoc_uri_get_tls(uri);
  tls.ca_file = text(MONGOC_URI_TLSCAFILE);
  tls.certificate_key_file = text(MONGOC_URI_TLSCERTIFICATEKEYFILE);
  tls.certificate_key_password = config::secret(text(MONGOC_URI_TLSCERTIFICATEKEYFILEPASSWORD));
  const bool insecure = flag(MONGOC_URI_TLSINSECURE);
  tls.allow_invalid_certificates = insecure || flag(MONGOC_URI_TLSALLOWINVALIDCERTIFICATES);
  tls.allow_invalid_hostnames = insecure || flag(MONGOC_URI_TLSALLOWINVALIDHOSTNAMES);
  tls.disable_ocsp_endpoint_check = insecure || flag(MONGOC_URI_TLSDISABLEOCSPENDPOINTCHECK);
  tls.disable_revocation_check = insecure || flag(MONGOC_URI_TLSDISABLECERTIFICATEREVOCATIONCHECK);
  return tls;
}

// libmongoc warns of the names that it does not know.
protocol::compression_offer compression_of(const mongoc_uri_t* uri) {
  protocol::compression_offer out;
  bson_iter_t name;
  if (bson_iter_init(&name, mongoc_uri_get_compressors(uri))) {
    while (bson_iter_next(&name)) out.compressors.add(protocol::compressor_named(lower(bson_iter_key(&name))));
  }
  out.zlib_level = mongoc_uri_get_option_as_int32(uri, MONGOC_URI_ZLIBCOMPRESSIONLEVEL, out.zlib_level);
  return out;
}

// Seeds of mongodb://, or false where one is a Unix socket.
bool read_seeds(const mongoc_uri_t* uri, std::vector<upstream_seed>& seeds) {
  for (const mongoc_host_list_t* host = mongoc_uri_get_hosts(uri); host != nullptr; host = host->next) {
    if (host->host[0] == '/') return false;
    seeds.push_back({lower(host->host), host->port});
  }
  std::sort(seeds.begin(), seeds.end(), [](const upstream_seed& a, const upstream_seed& b) {
    return std::tie(a.host, a.port) < std::tie(b.host, b.port);
  });
  return true;
}

bool readable(const std::string& path) {
  return path.empty() || std::ifstream(path).is_open();
}

}  // namespace

void read_tls_files_from(upstream_uri& uri, const std::string& ca, const std::string& certificate_key) {
  uri.text = config::uri(with_other_files(uri.text.reveal(), ca, certificate_key));
  uri.monitoring_text = with_other_files(uri.monitoring_text, ca, certificate_key);
  if (!ca.empty()) uri.tls.ca_file = ca;
  if (!certificate_key.empty()) uri.tls.certificate_key_file = certificate_key;
}

std::optional<upstream_uri> parse_upstream_uri(std::string_view text, std::string& error) {
  const auto refuse = [&](const std::string& why) {
    error = why;
    return std::optional<upstream_uri>();
  };
  if (text.empty()) return refuse("is not set; it names the cluster, such as mongodb://host:27017");
  if (text.find('\0') != std::string_view::npos) return refuse("holds a NUL byte");
  const uri_parts parts = cut(text);
  if (parts.scheme != "mongodb://" && parts.scheme != "mongodb+srv://") {
    return refuse("must begin with mongodb:// or mongodb+srv://");
  }

  const std::vector<std::string> secrets = secrets_of(text);
  driver_log_capture log;
  bson_error_t fault{};
  const uri_ptr uri(mongoc_uri_new_with_error(std::string(text).c_str(), &fault), &mongoc_uri_destroy);
  if (!uri) {
    const std::string why = fault.message;
    if (why.empty() || tells(why, secrets)) {
      return refuse("is no valid connection string; in user name and password, : / ? # [ ] @ must be written as %XX");
    }
    if (why == "Invalid service name in URI")
      return refuse("mongodb+srv:// needs one host name of at least three parts");
    return refuse(why);
  }

  upstream_uri out;
  out.text = config::uri(std::string(text));
  out.srv_name = lower(text_or_empty(mongoc_uri_get_srv_hostname(uri.get())));
  out.srv = !out.srv_name.empty();
  if (!out.srv && !read_seeds(uri.get(), out.seeds))
    return refuse("a Unix socket cannot be the upstream; name host:port");
  if (mongoc_uri_get_option_as_bool(uri.get(), MONGOC_URI_LOADBALANCED, false)) {
    return refuse("loadBalanced=true is not supported: behind a load balancer the proxy cannot follow the servers");
  }
  out.replica_set = text_or_empty(mongoc_uri_get_replica_set(uri.get()));
  out.direct = mongoc_uri_get_option_as_bool(uri.get(), MONGOC_URI_DIRECTCONNECTION, false);
  out.tls = tls_of(uri.get());
  if (!readable(out.tls.ca_file)) return refuse("tlsCAFile " + out.tls.ca_file + " cannot be read");
  if (!readable(out.tls.certificate_key_file)) {
    return refuse("tlsCertificateKeyFile " + out.tls.certificate_key_file + " cannot be read");
  }
  out.username = text_or_empty(mongoc_uri_get_username(uri.get()));
  out.password = config::secret(text_or_empty(mongoc_uri_get_password(uri.get())));
  out.auth_mechanism = text_or_empty(mongoc_uri_get_auth_mechanism(uri.get()));
  if (!out.username.empty()) out.auth_source = text_or_empty(mongoc_uri_get_auth_source(uri.get()));
  out.auth_source_given = std::any_of(parts.options.begin(), parts.options.end(),
                                      [](std::string_view option) { return option_name(option) == "authsource"; });
  out.compression = compression_of(uri.get());
  out.monitoring_text = without_credentials(parts);
  for (const std::string& line : log.lines()) {
    if (!tells(line, secrets)) out.warnings.push_back(line);
  }
  return out;
}

}  // namespace mongocached::daemon
