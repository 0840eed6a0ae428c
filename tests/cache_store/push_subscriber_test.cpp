// Processes that tell each other through a real Redis (coherence "Between proxies").
#include "cache/store/push_subscriber.hpp"

#include <gmock/gmock.h>

#include "fake_redis.hpp"
#include "store_harness.hpp"

namespace mongocached::cache {
namespace {

using test::redis_server;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto channel = "mongocached:2:c1:push";

// One process: its store, and what it hears as "namespace fence flags key...".
struct process {
  explicit process(redis_options options)
      : at(std::move(options)), ear(at.hub.make_subscriber(at.context, [this](const push_message& message) {
          heard.push_back(told(message));
        })) {}
  explicit process(const redis_server& server) : process(options_for(server.uri())) {}

  static std::string told(const push_message& message) {
    auto out = std::string(message.ns) + " " + std::to_string(message.fence) + (message.documents ? " documents" : "") +
               (message.lists ? " lists" : "");
    for (const auto key : message.keys) {
      const auto text = protocol::as_text(key);
      out += " " + std::string(text.substr(text.find('\0') + 1));
    }
    return out;
  }
  [[nodiscard]] bool listens() {
    return at.run_until([this] { return at.hub.up() && ear->subscribed(); });
  }
  [[nodiscard]] bool hears(std::size_t messages) {
    return at.run_until([this, messages] { return heard.size() >= messages; });
  }
  void invalidates(std::string_view id, cluster_time fence) {
    EXPECT_EQ(at.invalidate(at.drop(at.key(id), fence)), store_status::ok);
  }

  store_harness at;
  std::vector<std::string> heard;
  std::unique_ptr<push_subscriber> ear;
};

class PushBetweenTwo : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(mine.listens());
    ASSERT_TRUE(theirs.listens());
  }

  redis_server server;
  process mine{server};
  process theirs{server};
};

TEST_F(PushBetweenTwo, HearsOthersAndNotItself) {
  mine.invalidates("1", 5);
  EXPECT_EQ(mine.at.invalidate(mine.at.event(mine.at.key("1"), 6)), store_status::ok);  // seen by all
  EXPECT_EQ(theirs.at.invalidate(theirs.at.drop(theirs.at.key("2"), 7, true)), store_status::ok);
  auto rest = mine.at.drop_all(8);
  EXPECT_EQ(mine.at.invalidate(rest), store_status::ok);
  EXPECT_TRUE(theirs.hears(2));
  EXPECT_TRUE(mine.hears(1));
  EXPECT_THAT(theirs.heard, ElementsAre("db.c 5 1", "db.c 8 documents lists"));
  EXPECT_THAT(mine.heard, ElementsAre("db.c 7 lists 2"));
}

TEST_F(PushBetweenTwo, ManyKeysAreToldAsAllDocuments) {
  mine.invalidates(std::string(20'000, 'k'), 5);
  EXPECT_TRUE(theirs.hears(1));
  EXPECT_THAT(theirs.heard, ElementsAre("db.c 5 documents"));
}

TEST_F(PushBetweenTwo, SurvivesARestartOfRedis) {
  server.kill();
  EXPECT_TRUE(theirs.at.run_until([&] { return !theirs.ear->subscribed(); }));
  server.start();
  ASSERT_TRUE(theirs.listens());
  ASSERT_TRUE(mine.at.run_until([&] { return !mine.ear->subscribed() || mine.at.hub.counters().connects.load() > 1; }));
  ASSERT_TRUE(mine.listens());
  mine.invalidates("1", 5);
  EXPECT_TRUE(theirs.hears(1));
  EXPECT_THAT(theirs.heard, ElementsAre("db.c 5 1"));
}

TEST_F(PushBetweenTwo, NonsenseIsNotTold) {
  for (const auto& junk : {std::string(), std::string("junk"), std::string(100, '\0'), std::string(60'000, 'x')}) {
    EXPECT_EQ(server.run({"PUBLISH", channel, junk}), "2");
  }
  mine.invalidates("1", 5);
  EXPECT_TRUE(theirs.hears(1));
  EXPECT_THAT(theirs.heard, ElementsAre("db.c 5 1"));
  // One that is beyond the limits costs the connection, no more.
  EXPECT_EQ(server.run({"PUBLISH", channel, std::string(70'000, 'x')}), "2");
  EXPECT_TRUE(theirs.at.run_until([&] { return !theirs.ear->subscribed(); }));
  EXPECT_TRUE(theirs.listens());
  EXPECT_TRUE(theirs.at.hub.up());
}

TEST_F(PushBetweenTwo, AFullRedisTellsAllTheSame) {
  ASSERT_EQ(server.run({"CONFIG", "SET", "maxmemory", "1"}), "OK");
  mine.invalidates("1", 5);
  EXPECT_TRUE(theirs.hears(1));
}

int refused_subscriptions(redis_server& server) {
  const auto stats = server.run({"INFO", "commandstats"});
  const std::string_view name = "rejected_calls=";
  const auto at = stats.find(name, std::min(stats.find("cmdstat_subscribe:"), stats.size()));
  return at == std::string::npos ? 0 : std::stoi(stats.substr(at + name.size()));
}

// A login without leave to use the channel: the store works, nothing is heard, and that is told once.
TEST(PushSubscriber, ARefusedChannelHarmsNothingAndIsToldOnce) {
  redis_server server;
  ASSERT_EQ(server.run({"ACL", "SETUSER", "app", "on", ">swordfish", "~mongocached:*", "+@all", "resetchannels"}),
            "OK");
  process mine(options_for(server.uri("app:swordfish@")));
  ASSERT_TRUE(mine.at.run_until_up());
  mine.invalidates("1", 5);
  EXPECT_EQ(mine.at.hub.counters().errors.load(), 0u);
  EXPECT_FALSE(mine.ear->subscribed());
  ASSERT_TRUE(mine.at.run_until([&] { return refused_subscriptions(server) >= 2; }));
  EXPECT_FALSE(mine.at.hub.subscribed());
  EXPECT_THAT(mine.at.refusals, ElementsAre(HasSubstr("NOPERM")));
  ASSERT_EQ(server.run({"ACL", "SETUSER", "app", "allchannels"}), "OK");
  EXPECT_TRUE(mine.listens());
  EXPECT_TRUE(mine.at.hub.subscribed());
  EXPECT_THAT(mine.at.refusals, ElementsAre(HasSubstr("NOPERM"), ""));
  mine.ear.reset();
  EXPECT_FALSE(mine.at.hub.subscribed());
}

TEST(PushSubscriber, MayBeDestroyedByItsHandler) {
  redis_server server;
  process mine(server);
  ASSERT_TRUE(mine.listens());
  store_harness at(server);
  std::unique_ptr<push_subscriber> ear;
  int heard = 0;
  ear = at.hub.make_subscriber(at.context, [&](const push_message&) {
    ++heard;
    ear.reset();
  });
  ASSERT_TRUE(at.run_until([&] { return ear->subscribed(); }));
  int done = 0;
  for (int i = 0; i < 3; ++i) {
    mine.at.store->invalidate(mine.at.drop(mine.at.key("1"), 5), [&](store_status) { ++done; });
  }
  EXPECT_TRUE(mine.at.run_until([&] { return done == 3; }));
  EXPECT_TRUE(at.run_until([&] { return heard > 0; }));
  at.store.reset();
  at.context.restart();
  at.context.run();  // nothing keeps the loop alive
  EXPECT_EQ(heard, 1);
}

TEST(PushSubscriber, IsGoneBeforeItStarted) {
  redis_server server;
  store_harness at(server);
  at.hub.make_subscriber(at.context, [](const push_message&) { ADD_FAILURE(); }).reset();
  EXPECT_TRUE(at.run_until_up());
  EXPECT_EQ(server.run({"PUBSUB", "NUMSUB", channel}), std::string(channel) + " 0");
}

TEST(PushSubscriber, AHostileAnswerToSubscribeIsTriedAgain) {
  for (const std::string& bytes : {std::string("-NOPERM no\r\n"), std::string("+OK\r\n"), std::string("*-1\r\n"),
                                   std::string("*3\r\n$7\r\nmessage\r\n:1\r\n:2\r\n"), std::string("garbage\r\n"),
                                   std::string("*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$99999999\r\n")}) {
    boost::asio::io_context loop;
    int asked = 0;
    fake_redis fake(loop, [&](const fake_redis::words& command) {
      if (command.at(0) != "SUBSCRIBE") return fake_redis::greeting(command);
      ++asked;
      return bytes;
    });
    process mine(options_for(fake.uri()));
    EXPECT_TRUE(mine.at.run_until([&] {
      loop.restart();
      loop.poll();
      return asked >= 2;
    })) << bytes;
    EXPECT_FALSE(mine.ear->subscribed());
    EXPECT_TRUE(mine.heard.empty());
  }
}

}  // namespace
}  // namespace mongocached::cache
