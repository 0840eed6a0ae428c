#include "daemon/tls_contexts.hpp"

#include <openssl/ssl.h>

#include <boost/asio/ssl/context.hpp>
#include <stdexcept>

namespace mongocached::daemon {
namespace {

namespace ssl = boost::asio::ssl;

void check(const boost::system::error_code& ec, const std::string& what) {
  if (ec) throw std::runtime_error(what + ": " + ec.message());
}

std::shared_ptr<ssl::context> new_context(ssl::context::method side) {
  auto context = std::make_shared<ssl::context>(side);
  context->set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 |
                       ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
  return context;
}

}  // namespace

std::shared_ptr<ssl::context> make_upstream_tls(const upstream_tls& tls) {
  if (!tls.enabled) return nullptr;
  auto context = new_context(ssl::context::tls_client);
  boost::system::error_code ec;
  if (tls.ca_file.empty()) {
    context->set_default_verify_paths(ec);
    check(ec, "upstream.uri: the system's certificate authorities cannot be loaded");
  } else {
    context->load_verify_file(tls.ca_file, ec);
    check(ec, "upstream.uri: tlsCAFile " + tls.ca_file);
  }
  if (!tls.certificate_key_file.empty()) {
    context->set_password_callback([password = tls.certificate_key_password.reveal()](
                                       std::size_t, ssl::context::password_purpose) { return password; },
                                   ec);
    context->use_certificate_chain_file(tls.certificate_key_file, ec);
    check(ec, "upstream.uri: tlsCertificateKeyFile " + tls.certificate_key_file);
    context->use_private_key_file(tls.certificate_key_file, ssl::context::pem, ec);
    check(ec, "upstream.uri: tlsCertificateKeyFile " + tls.certificate_key_file);
  }
  context->set_verify_mode(tls.allow_invalid_certificates ? ssl::verify_none : ssl::verify_peer);
  return context;
}

std::shared_ptr<ssl::context> make_client_tls(const config::listen_settings& listen) {
  if (listen.tls_cert.empty()) return nullptr;
  auto context = new_context(ssl::context::tls_server);
  boost::system::error_code ec;
  // A key under a password is refused; OpenSSL would ask the terminal for it.
  context->set_password_callback([](std::size_t, ssl::context::password_purpose) { return std::string(); }, ec);
  context->use_certificate_chain_file(listen.tls_cert, ec);
  check(ec, "listen.tls_cert " + listen.tls_cert);
  context->use_private_key_file(listen.tls_key, ssl::context::pem, ec);
  check(ec, "listen.tls_key " + listen.tls_key);
  if (listen.tls_client_ca.empty()) return context;
  context->load_verify_file(listen.tls_client_ca, ec);
  check(ec, "listen.tls_client_ca " + listen.tls_client_ca);
  context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
  // What clients are told to choose their certificate by. A file that was just read can be read again.
  ::SSL_CTX_set_client_CA_list(context->native_handle(), ::SSL_load_client_CA_file(listen.tls_client_ca.c_str()));
  // Without it OpenSSL refuses to resume sessions that a certificate opened.
  constexpr std::string_view name = "mongocached";
  ::SSL_CTX_set_session_id_context(context->native_handle(), reinterpret_cast<const unsigned char*>(name.data()),
                                   name.size());
  return context;
}

}  // namespace mongocached::daemon
