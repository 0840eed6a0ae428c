// Which collections a session serves from the cache, by [cache] and [[collection]].
#include <gtest/gtest.h>

#include "session_world.hpp"

namespace mongocached::daemon {
namespace {

using cache::bypass_reason;

class SessionRules : public session_world {
 protected:
  explicit SessionRules(bool with_rule = true) : session_world(off_in_general(with_rule)) {}

  static std::shared_ptr<const config::settings> off_in_general(bool with_rule) {
    auto out = std::make_shared<config::settings>(*settings());
    out->cache.enabled = false;
    if (with_rule) {
      config::collection_rule things;
      things.pattern = "shop.things";
      things.enabled = true;
      out->collections.push_back(std::move(things));
    }
    return out;
  }
  static document find_other() {
    return document{{"find", "others"}, {"filter", document{{"_id", 1}}}, {"$db", "shop"}};
  }
  // Once the session has come to its next request.
  std::uint64_t bypassed() {
    static_cast<void>(client.ask(ping()));
    return thread.metrics.bypass[static_cast<std::size_t>(bypass_reason::disabled)].value();
  }
  document explained(const document& command) {
    return client.ask(document{{"mongocached", "explain"}, {"command", command}, {"$db", "shop"}});
  }
  static bool is_cacheable(const document& explanation) {
    return field_in(explanation.view(), "cacheable").truthy() == true;
  }

  loopback_client client{port()};
};

class SessionOff : public SessionRules {
 protected:
  SessionOff() : SessionRules(false) {}
};

// Once [cache] was asked before the rule, which then counted for nothing.
TEST_F(SessionRules, off_in_general_and_on_for_one_collection) {
  EXPECT_TRUE(is_ok(client.ask(find())));
  EXPECT_TRUE(is_ok(client.ask(find())));
  EXPECT_EQ(finds(), 1U);
  EXPECT_EQ(bypassed(), 0U);
  EXPECT_TRUE(is_cacheable(explained(find())));
}

TEST_F(SessionRules, what_no_rule_turns_on_stays_off) {
  for (std::size_t i = 1; i <= 3; ++i) {
    EXPECT_TRUE(is_ok(client.ask(find_other())));
    EXPECT_EQ(finds(), i);
  }
  EXPECT_EQ(bypassed(), 3U);
  EXPECT_FALSE(is_cacheable(explained(find_other())));
}

TEST_F(SessionOff, without_a_rule_no_namespace_is_looked_at) {
  EXPECT_TRUE(is_ok(client.ask(find())));
  EXPECT_TRUE(is_ok(client.ask(find())));
  EXPECT_EQ(finds(), 2U);
  EXPECT_EQ(bypassed(), 2U);
  EXPECT_EQ(shared.coherence.namespaces().all().size(), 0U);
  EXPECT_FALSE(is_cacheable(explained(find())));
}

}  // namespace
}  // namespace mongocached::daemon
