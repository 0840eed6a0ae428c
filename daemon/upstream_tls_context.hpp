// The TLS context of connections to the upstream, from the URI's options. OpenSSL and Asio stay out of this header.
#pragma once

#include <memory>

#include "daemon/control/upstream_uri.hpp"

namespace boost::asio::ssl {
class context;
}

namespace mongocached::daemon {

// Null where TLS is off. Throws std::runtime_error with one clear line for a file that cannot be used.
[[nodiscard]] std::shared_ptr<boost::asio::ssl::context> make_upstream_tls(const upstream_tls& tls);

}  // namespace mongocached::daemon
