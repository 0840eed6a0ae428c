// From when and until when the certificates are good that we show clients and the upstream: neither side tells us when
// the other refuses one.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace boost::asio::ssl {
class context;
}

namespace mongocached::daemon {

struct certificate_term {
  std::chrono::sys_seconds begins;
  std::chrono::sys_seconds ends;
};

// Of the certificate that `context` shows; none without a context, and where it shows none.
[[nodiscard]] std::optional<certificate_term> term_of(boost::asio::ssl::context* context);

// A line worth a warning that begins with `what`; empty while the certificate is good for two weeks more.
[[nodiscard]] std::string note_of_term(const std::string& what, const certificate_term& term,
                                       std::chrono::sys_seconds now);

// Those of both sides; either may be null.
[[nodiscard]] std::vector<std::string> certificate_notes(boost::asio::ssl::context* listen,
                                                         boost::asio::ssl::context* upstream);

}  // namespace mongocached::daemon
