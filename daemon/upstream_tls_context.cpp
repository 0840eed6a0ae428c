#include "daemon/upstream_tls_context.hpp"

#include <boost/asio/ssl/context.hpp>
#include <stdexcept>

namespace mongocached::daemon {
namespace {

namespace ssl = boost::asio::ssl;

void check(const boost::system::error_code& ec, const std::string& what) {
  if (ec) throw std::runtime_error("upstream.uri: " + what + ": " + ec.message());
}

}  // namespace

std::shared_ptr<ssl::context> make_upstream_tls(const upstream_tls& tls) {
  if (!tls.enabled) return nullptr;
  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  boost::system::error_code ec;
  context->set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 |
                       ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
  if (tls.ca_file.empty()) {
    context->set_default_verify_paths(ec);
    check(ec, "the system's certificate authorities cannot be loaded");
  } else {
    context->load_verify_file(tls.ca_file, ec);
    check(ec, "tlsCAFile " + tls.ca_file);
  }
  if (!tls.certificate_key_file.empty()) {
    context->set_password_callback([password = tls.certificate_key_password.reveal()](
                                       std::size_t, ssl::context::password_purpose) { return password; },
                                   ec);
    context->use_certificate_chain_file(tls.certificate_key_file, ec);
    check(ec, "tlsCertificateKeyFile " + tls.certificate_key_file);
    context->use_private_key_file(tls.certificate_key_file, ssl::context::pem, ec);
    check(ec, "tlsCertificateKeyFile " + tls.certificate_key_file);
  }
  context->set_verify_mode(tls.allow_invalid_certificates ? ssl::verify_none : ssl::verify_peer);
  return context;
}

}  // namespace mongocached::daemon
