// The TLS contexts of connections to the upstream, from the URI's options, and of clients' connections, from the
// settings. OpenSSL and Asio stay out of this header.
#pragma once

#include <memory>

#include "config/settings.hpp"
#include "daemon/control/upstream_uri.hpp"

namespace boost::asio::ssl {
class context;
}

namespace mongocached::daemon {

// Both: TLS 1.2 and 1.3; null where TLS is off. Throw std::runtime_error with one clear line for a file that cannot be
// used.
[[nodiscard]] std::shared_ptr<boost::asio::ssl::context> make_upstream_tls(const upstream_tls& tls);
[[nodiscard]] std::shared_ptr<boost::asio::ssl::context> make_client_tls(const config::listen_settings& listen);

}  // namespace mongocached::daemon
