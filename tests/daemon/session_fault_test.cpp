// Exceptions where nobody expects one: a fault of ours ends one client.
#include <gtest/gtest.h>

#include <boost/asio/ssl/context.hpp>
#include <utility>

#include "daemon/session/session.hpp"
#include "session_world.hpp"

namespace mongocached::daemon {
namespace {

// What throws within a turn ended the process.
class SessionFault : public session_world {
 protected:
  SessionFault() : session_world(all_verified()) {
    shared.verify = [this](served_hit&) {
      if (!std::exchange(thrown_, true)) throw std::runtime_error("a fault of ours");
    };
  }
  static std::shared_ptr<const config::settings> all_verified() {
    auto out = std::make_shared<config::settings>(*settings());
    out->cache.verify_share = 1;
    return out;
  }

 private:
  bool thrown_ = false;
};

TEST_F(SessionFault, in_a_turn_ends_that_client_only) {
  loopback_client unlucky(port());
  loopback_client other(port());
  EXPECT_TRUE(is_ok(unlucky.ask(find())));
  unlucky.send(find());
  EXPECT_TRUE(unlucky.is_closed_by_peer());
  EXPECT_EQ(closed(disconnect::internal), 1U);
  EXPECT_TRUE(is_ok(other.ask(find())));
  EXPECT_EQ(finds(), 1U);
}

TEST_F(SessionFault, in_setting_up_TLS_ends_that_client_only) {
  namespace ssl = boost::asio::ssl;
  const auto unusable = std::make_shared<ssl::context>(ssl::context::tls_server);
  const ssl::context robbed(std::move(*unusable));
  shared.client_tls.store(unusable);
  for (std::uint64_t i = 1; i <= 2; ++i) {  // the thread is there for the next one
    loopback_client unlucky(port());
    EXPECT_TRUE(unlucky.is_closed_by_peer());
    EXPECT_EQ(closed(disconnect::internal), i);
  }
}

}  // namespace
}  // namespace mongocached::daemon
