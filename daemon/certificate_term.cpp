#include "daemon/certificate_term.hpp"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <boost/asio/ssl/context.hpp>
#include <ctime>

namespace mongocached::daemon {
namespace {

constexpr auto soon = std::chrono::days(14);

std::optional<std::chrono::sys_seconds> time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ::ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  return std::chrono::sys_seconds(std::chrono::seconds(::timegm(&parts)));
}

std::string text_of(std::chrono::sys_seconds time) {
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm parts{};
  std::array<char, 32> out{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "an unknown time";
  return {out.data(), std::strftime(out.data(), out.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace

std::optional<certificate_term> term_of(boost::asio::ssl::context* context) {
  if (context == nullptr) return std::nullopt;
  const X509* const shown = ::SSL_CTX_get0_certificate(context->native_handle());
  if (shown == nullptr) return std::nullopt;
  const auto begins = time_of(::X509_get0_notBefore(shown));
  const auto ends = time_of(::X509_get0_notAfter(shown));
  if (!begins || !ends) return std::nullopt;
  return certificate_term{*begins, *ends};
}

std::string note_of_term(const std::string& what, const certificate_term& term, std::chrono::sys_seconds now) {
  if (now > term.ends) return what + ": the certificate expired at " + text_of(term.ends);
  if (now < term.begins) return what + ": the certificate is not valid before " + text_of(term.begins);
  if (now + soon > term.ends) return what + ": the certificate expires at " + text_of(term.ends);
  return {};
}

std::vector<std::string> certificate_notes(boost::asio::ssl::context* listen, boost::asio::ssl::context* upstream) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  std::vector<std::string> out;
  const auto add = [&](const char* what, boost::asio::ssl::context* context) {
    const auto term = term_of(context);
    auto note = term ? note_of_term(what, *term, now) : std::string();
    if (!note.empty()) out.push_back(std::move(note));
  };
  add("listen.tls_cert", listen);
  add("upstream.uri: tlsCertificateKeyFile", upstream);
  return out;
}

}  // namespace mongocached::daemon
