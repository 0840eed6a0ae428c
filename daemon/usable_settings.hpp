// What settings name and config/ cannot judge: URIs, and files for TLS. Tried before anything is served, and by
// --check-config: what is at fault there must not show only when a client is already connected.
#pragma once

#include <optional>
#include <vector>

#include "config/load.hpp"
#include "daemon/control/upstream_uri.hpp"

namespace mongocached::daemon {

// Both add faults and notes: a line each that begins with the key, without a password. They connect to nobody.

// Of upstream.uri and redis.uri. Empty: the upstream's cannot be used.
[[nodiscard]] std::optional<upstream_uri> parse_uris(config::result& loaded);

// Reads what listen.tls_*, redis.tls_ca and `upstream` name, as the start will. A certificate that is out of date is a
// note.
void try_tls_files(config::result& loaded, const upstream_uri& upstream);

}  // namespace mongocached::daemon
