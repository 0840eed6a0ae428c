// Who is never answered from what others have read (wire rule I2), also while they are reading it.
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <future>

#include "session_world.hpp"

namespace mongocached::daemon {
namespace {

// The upstream lets nobody read but its first reader.
class SessionAuthorization : public session_world {
 protected:
  static constexpr int unauthorized = 13;

  SessionAuthorization() {
    upstream.on("saslStart", [](const asked&) {
      return document{{"conversationId", 1}, {"done", true}, {"payload", "s"}, {"ok", 1.0}};
    });
    // Everybody who logs in is somebody else.
    upstream.on("connectionStatus", [this](const asked&) {
      const array users{"user " + std::to_string(++users_)};
      return document{{"authInfo", document{{"authenticatedUsers", users}}}, {"ok", 1.0}};
    });
  }

  static void log_in(loopback_client& client) {
    EXPECT_TRUE(is_ok(client.ask(document{{"saslStart", 1}, {"mechanism", "SCRAM-SHA-256"}, {"$db", "admin"}})));
  }
  // Logged in, and has proven that he may read.
  void admit(loopback_client& client) {
    log_in(client);
    ASSERT_TRUE(is_ok(client.ask(find(9))));
  }
  // The next find is the reader's, and waits; those behind it are refused.
  void hold_next_find() {
    upstream.on("find", [this](const asked&) -> answer {
      if (held_.exchange(true)) {
        refused_.set_value();
        return failed(unauthorized);
      }
      reading_.set_value();
      read_.get_future().wait();
      return found({document{{"_id", 1}, {"x", "secret"}}});
    });
  }
  void wait_until_read() { reading_.get_future().wait(); }
  // Longer than a slow machine takes, and shorter than anybody waits for another's read.
  [[nodiscard]] bool is_refused_meanwhile() {
    return refused_.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready;
  }
  void let_read_end() { read_.set_value(); }
  // All that was sent has been looked at: so many requests are with a flow, and no turn is under way.
  [[nodiscard]] bool are_under_way(std::uint32_t requests) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (shared.in_flight.load() != requests && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    std::promise<void> turned;
    thread.post([&] { turned.set_value(); });
    turned.get_future().wait();
    return shared.in_flight.load() == requests;
  }

  loopback_client reader{port()};
  loopback_client other{port()};

 private:
  std::atomic<int> users_{0};
  std::atomic<bool> held_{false};
  std::promise<void> reading_;
  std::promise<void> read_;
  std::promise<void> refused_;
};

TEST_F(SessionAuthorization, who_may_not_read_is_not_served_from_memory_I2) {
  admit(reader);
  EXPECT_TRUE(is_ok(reader.ask(find())));
  log_in(other);
  upstream.on("find", [](const asked&) { return failed(unauthorized); });
  EXPECT_TRUE(is_ok(reader.ask(find())));
  EXPECT_EQ(code_of(other.ask(find())), unauthorized);
  loopback_client nobody(port());
  EXPECT_EQ(code_of(nobody.ask(find())), unauthorized);
  EXPECT_TRUE(is_ok(reader.ask(find())));
}

TEST_F(SessionAuthorization, who_is_logged_in_and_unproven_does_not_join_anothers_read_I2) {
  admit(reader);
  log_in(other);
  hold_next_find();
  reader.send(find());
  wait_until_read();
  other.send(find());
  EXPECT_TRUE(is_refused_meanwhile());
  let_read_end();
  EXPECT_EQ(code_of(other.reply()), unauthorized);
  EXPECT_TRUE(is_ok(reader.reply()));
}

// They join, as another's answer may prove that all of them may read; this one proves nothing.
TEST_F(SessionAuthorization, who_is_not_logged_in_gets_nothing_of_the_read_that_he_joined_I2) {
  admit(reader);
  hold_next_find();
  reader.send(find());
  wait_until_read();
  other.send(find());
  EXPECT_TRUE(are_under_way(2));
  let_read_end();
  EXPECT_TRUE(is_ok(reader.reply()));
  EXPECT_EQ(code_of(other.reply()), unauthorized);
}

// The proof ends while he waits for a read that he joined with it.
TEST_F(SessionAuthorization, who_loses_the_right_while_he_waits_gets_nothing_I2) {
  loopback_client root(port());
  EXPECT_TRUE(is_ok(other.ask(find(9))));  // without logins all share their proofs
  hold_next_find();
  reader.send(find());
  wait_until_read();
  other.send(find());
  EXPECT_TRUE(are_under_way(2));
  EXPECT_TRUE(is_ok(root.ask(document{{"revokeRolesFromUser", "ann"}, {"roles", array{}}, {"$db", "admin"}})));
  let_read_end();
  EXPECT_TRUE(is_ok(reader.reply()));
  EXPECT_EQ(code_of(other.reply()), unauthorized);
}

}  // namespace
}  // namespace mongocached::daemon
