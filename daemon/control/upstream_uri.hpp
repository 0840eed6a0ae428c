// The upstream's connection string, parsed and checked by libmongoc once, at the start. A plain value after that.
// libmongoc stays out of this header.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/secret.hpp"
#include "protocol/compression_offer.hpp"

namespace mongocached::daemon {

// How the proxy's own connections to the upstream use TLS. Paths are as written in the URI.
struct upstream_tls {
  bool enabled = false;
  std::string ca_file;               // empty: the system's
  std::string certificate_key_file;  // PEM, certificate and key; empty: none is shown
  config::secret certificate_key_password;
  bool allow_invalid_certificates = false;  // also set by tlsInsecure
  bool allow_invalid_hostnames = false;     // also set by tlsInsecure
  bool disable_ocsp_endpoint_check = false;
  bool disable_revocation_check = false;
};

struct upstream_seed {
  std::string host;  // without brackets where it is an IPv6 address
  std::uint16_t port = 27017;
};

struct upstream_uri {
  config::uri text;  // as given; may hold a password
  bool srv = false;
  std::string srv_name;              // mongodb+srv: the name whose records list the seeds
  std::vector<upstream_seed> seeds;  // sorted; empty for mongodb+srv
  std::string replica_set;           // empty: not named
  bool direct = false;               // directConnection=true
  upstream_tls tls;
  std::string username;  // empty: no credentials of the proxy's own
  config::secret password;
  std::string auth_source;                  // with a username: never empty
  bool auth_source_given = false;           // authSource=...: it outranks a TXT record's, which outranks the default
  std::string auth_mechanism;               // empty: the server's choice (SCRAM)
  protocol::compression_offer compression;  // compressors=..., zlibCompressionLevel=...
  std::string monitoring_text;              // the same URI without credentials, as topology_monitor uses it
  std::vector<std::string> warnings;        // a line each: options that libmongoc does not know, ...
};

// Null and a clear line in `error` (without the key's name, never with a password in it) where the URI cannot be used:
// then the program ends with status 2.
[[nodiscard]] std::optional<upstream_uri> parse_upstream_uri(std::string_view text, std::string& error);

// The same upstream, whose TLS files are read from these paths instead (no %XX in them). An empty one, and one for a
// file that the URI does not name, changes nothing.
void read_tls_files_from(upstream_uri& uri, const std::string& ca, const std::string& certificate_key);

}  // namespace mongocached::daemon
