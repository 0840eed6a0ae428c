// Exceptions where nobody expects one: a fault of ours ends one client.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <future>
#include <utility>

#include "daemon/session/session.hpp"
#include "listening_store.hpp"
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

class SessionFaultStrict : public session_world {
 protected:
  SessionFaultStrict() : session_world(strict()) {}
  static std::shared_ptr<const config::settings> strict() {
    auto out = std::make_shared<config::settings>(*settings());
    out->cache.mode = config::cache_mode::strict;
    return out;
  }
  void on_thread(const std::function<void()>& step) {
    std::promise<void> done;
    asio::post(thread.context(), [&] {
      step();
      done.set_value();
    });
    done.get_future().wait();
  }
};

// Its flow ends where the write may have been sent already, for all that is known.
TEST_F(SessionFaultStrict, in_a_write_tells_Redis_all_the_same_W5) {
  auto mine = std::make_unique<listening_store>();
  auto& store = *mine;
  store.on_announce = [] { throw std::runtime_error("a fault of ours"); };
  on_thread([&] { thread.store = std::move(mine); });
  loopback_client unlucky(port());
  unlucky.send(update());
  EXPECT_TRUE(unlucky.is_closed_by_peer());
  EXPECT_EQ(closed(disconnect::internal), 1U);
  std::vector<std::string> told;
  on_thread([&] { told = store.told; });
  EXPECT_THAT(told, ::testing::ElementsAre("shop.things", "shop.things, taken back"));
  const auto written = static_cast<std::size_t>(invalidation_source::write);
  EXPECT_EQ(thread.metrics.invalidations[written].value(), 1U);
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
