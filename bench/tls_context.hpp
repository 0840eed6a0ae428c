// What TLS connections of the benchmark tools have in common: TLS 1.3 only, so that all that is compared does the same
// work. Both functions throw std::runtime_error for a file that cannot be used, and from then on this process ignores
// SIGPIPE: OpenSSL writes to sockets that the peer may have closed.
#pragma once

#include <memory>
#include <string>

struct ssl_ctx_st;

namespace mongocached::bench {

using tls_context = std::shared_ptr<ssl_ctx_st>;

// Trusts what the authorities in this PEM file have signed, and nothing else.
[[nodiscard]] tls_context make_client_context(const std::string& authority_file);
// PEM files of the certificate (with its chain) and its key.
[[nodiscard]] tls_context make_server_context(const std::string& certificate_file, const std::string& key_file);

}  // namespace mongocached::bench
