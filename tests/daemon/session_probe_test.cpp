// What a session asks the upstream for itself before it caches anything, where that is not answered.
#include <gtest/gtest.h>

#include "session_world.hpp"

namespace mongocached::daemon {
namespace {

constexpr int time_limit_expired = 50;

document hurried_find(int id = 1) {
  return document{{"find", "things"}, {"filter", document{{"_id", id}}}, {"maxTimeMS", 1}, {"$db", "shop"}};
}

class SessionProbe : public session_world {
 protected:
  explicit SessionProbe(std::shared_ptr<const config::settings> with = settings()) : session_world(std::move(with)) {}

  // Held up by a lock, say, while everything else goes on.
  void expect_forwarded_without(const std::string& question) {
    const held_answer held(failed(1));
    upstream.on(question, held.handler());
    EXPECT_TRUE(is_ok(client.ask(hurried_find())));
    EXPECT_TRUE(is_ok(client.ask(find())));
    EXPECT_TRUE(is_ok(other.ask(find())));
    EXPECT_EQ(finds(), 3U);
    EXPECT_EQ(upstream.count(question), 1U) << "left alone for a while";
  }
  void log_in() {
    upstream.on("saslStart", [](const asked&) {
      return document{{"conversationId", 1}, {"done", true}, {"payload", "s"}, {"ok", 1.0}};
    });
    EXPECT_TRUE(is_ok(client.ask(document{{"saslStart", 1}, {"mechanism", "SCRAM-SHA-256"}, {"$db", "admin"}})));
  }

  loopback_client client{port()};
  loopback_client other{port()};
};

TEST_F(SessionProbe, what_a_collection_is_is_not_waited_for_beyond_the_clients_time_K1) {
  expect_forwarded_without("listCollections");
}

TEST_F(SessionProbe, the_default_read_concern_is_not_waited_for_beyond_the_clients_time_S2) {
  expect_forwarded_without("getDefaultRWConcern");
}

TEST_F(SessionProbe, without_a_limit_of_the_clients_there_is_one_of_our_own) {
  const held_answer held(failed(1));
  upstream.on("listCollections", held.handler());
  EXPECT_TRUE(is_ok(client.ask(find())));
  EXPECT_EQ(finds(), 1U);
}

TEST_F(SessionProbe, who_waits_for_a_question_of_another_client_is_told_that_it_was_not_answered) {
  const held_answer held(failed(1));
  upstream.on("listCollections", held.handler());
  client.send(hurried_find());
  held.wait_until_asked_for();
  other.send(find());
  EXPECT_TRUE(is_ok(client.reply()));
  EXPECT_TRUE(is_ok(other.reply()));
  EXPECT_EQ(upstream.count("listCollections"), 1U);
}

// A connection that somebody has logged in on cannot be had again: the server ends the question, not we.
TEST_F(SessionProbe, the_server_is_told_how_long_it_may_look_and_the_login_outlives_it_F4) {
  log_in();
  const auto questions = {"connectionStatus", "listCollections", "getDefaultRWConcern"};
  for (const auto* question : questions) {
    upstream.on(question, [](const asked&) { return failed(time_limit_expired); });
  }
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(is_ok(client.ask(find())));
  for (const auto* question : questions) {
    EXPECT_EQ(upstream.count(question), 1U) << question;
    const auto asked = upstream.last(question);
    const auto limit = field_in(asked.body.view(), "maxTimeMS").integer().value_or(0);
    EXPECT_GT(limit, 0) << question;
    EXPECT_LT(limit, 1000) << question;
  }
  EXPECT_EQ(finds(), 5U);
  EXPECT_EQ(closed(disconnect::upstream_lost), 0U);
}

// With one connection for everybody.
class SessionProbePooled : public SessionProbe {
 protected:
  SessionProbePooled() : SessionProbe(pooled()) { log_in_without_a_user(); }
};

TEST_F(SessionProbePooled, a_question_that_is_not_answered_keeps_its_connection_from_nobody) {
  expect_forwarded_without("listCollections");
  EXPECT_TRUE(is_ok(other.ask(ping())));
}

}  // namespace
}  // namespace mongocached::daemon
