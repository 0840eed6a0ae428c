#include "bench/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <csignal>
#include <stdexcept>

namespace mongocached::bench {
namespace {

void check(int done, const std::string& what) {
  if (done == 1) return;
  const char* reason = ::ERR_reason_error_string(::ERR_peek_last_error());
  const std::string why = reason != nullptr ? reason : "unknown reason";
  ::ERR_clear_error();
  throw std::runtime_error("TLS: " + what + ": " + why);
}

tls_context make_context(const SSL_METHOD* method) {
  tls_context made(::SSL_CTX_new(method), ::SSL_CTX_free);
  check(made != nullptr ? 1 : 0, "no context");
  check(static_cast<int>(SSL_CTX_set_min_proto_version(made.get(), TLS1_3_VERSION)), "no TLS 1.3");
  std::signal(SIGPIPE, SIG_IGN);
  return made;
}

}  // namespace

tls_context make_client_context(const std::string& authority_file) {
  auto made = make_context(::TLS_client_method());
  check(::SSL_CTX_load_verify_locations(made.get(), authority_file.c_str(), nullptr), authority_file);
  ::SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER, nullptr);
  return made;
}

tls_context make_server_context(const std::string& certificate_file, const std::string& key_file) {
  auto made = make_context(::TLS_server_method());
  check(::SSL_CTX_use_certificate_chain_file(made.get(), certificate_file.c_str()), certificate_file);
  check(::SSL_CTX_use_PrivateKey_file(made.get(), key_file.c_str(), SSL_FILETYPE_PEM), key_file);
  return made;
}

}  // namespace mongocached::bench
