// The store against something on the other end that is no good Redis.
#include <gtest/gtest.h>

#include "fake_redis.hpp"
#include "store_harness.hpp"

namespace mongocached::cache {
namespace {

class HostileRedis : public ::testing::Test {
 protected:
  using words = fake_redis::words;

  // Greets well, then answers every other command with `bytes`.
  void start_after_greeting(const std::string& bytes, duration timeout = std::chrono::seconds(5)) {
    start(
        [bytes](const words& command) {
          const auto greeting = fake_redis::greeting(command);
          return greeting.empty() ? bytes : greeting;
        },
        timeout);
  }
  // The fake lives on a loop of its own, turned together with the store's.
  void start(fake_redis::script answers, duration timeout = std::chrono::seconds(5)) {
    fake = std::make_unique<fake_redis>(loop, std::move(answers));
    at = std::make_unique<store_harness>(options_for(fake->uri(), timeout));
  }
  template <class Condition>
  bool run_until(Condition done) {
    return at->run_until([&] {
      loop.restart();
      loop.poll();
      return done();
    });
  }
  bool run_until_up() {
    return run_until([&] { return at->hub.up(); });
  }
  // Asks everything once; true if all of it is answered unavailable.
  bool all_unavailable() {
    const auto k = at->key("1");
    int bad = 0;
    int answered = 0;
    at->store->get(at->ns, key_kind::document, std::vector{k}, [&](const get_result& result) {
      ++answered;
      bad += result.status == store_status::unavailable;
    });
    at->store->lease(at->ns, key_kind::document, std::vector{k}, [&](const lease_result& result) {
      ++answered;
      bad += result.status == store_status::unavailable;
    });
    at->store->fill(at->ns, key_kind::document, {}, std::vector{at->item(k, {})},
                    [&](std::span<const fill_outcome> result) {
                      ++answered;
                      bad += result.size() == 1 && result[0] == fill_outcome::unavailable;
                    });
    at->store->invalidate(at->drop(k), [&](store_status status) {
      ++answered;
      bad += status == store_status::unavailable;
    });
    return run_until([&] { return answered == 4; }) && bad == 4;
  }

  boost::asio::io_context loop;
  std::unique_ptr<fake_redis> fake;
  std::unique_ptr<store_harness> at;
};

TEST_F(HostileRedis, GarbageInsteadOfAGreeting) {
  for (const std::string bytes : {"HTTP/1.1 400 Bad Request\r\n\r\n", "$99999999999\r\n", "*1000000000\r\n",
                                  "-ERR no\r\n", "+OK\r\n+OK\r\n+OK\r\n", ":1\r\n:1\r\n"}) {
    start([&](const words&) { return std::string(bytes); });
    EXPECT_TRUE(run_until([&] { return fake->connections() >= 2; })) << bytes;  // it closes and tries again
    EXPECT_FALSE(at->hub.up());
    EXPECT_TRUE(all_unavailable());
    at.reset();
  }
}

TEST_F(HostileRedis, SilenceInsteadOfAGreeting) {
  start([](const words&) { return std::string(); }, milliseconds(20));
  EXPECT_TRUE(all_unavailable());
  EXPECT_TRUE(run_until([&] { return fake->connections() >= 2; }));
  EXPECT_FALSE(at->hub.up());
}

TEST_F(HostileRedis, ARedisClusterIsRefused) {
  start([](const words& command) {
    if (command.at(0) == "INFO") return fake_redis::bulk("redis_mode:cluster\r\nrun_id:0123\r\n");
    return fake_redis::greeting(command);
  });
  EXPECT_TRUE(run_until([&] { return at->hub.state().find("mode cluster is not supported") != std::string::npos; }));
}

TEST_F(HostileRedis, GarbageInsteadOfAnAnswer) {
  const std::string epoch(32, '1');
  for (const std::string& bytes : {
           std::string("garbage\r\n"),
           std::string("$60000000\r\n"),
           std::string("*-1\r\n"),
           std::string("$-1\r\n"),
           std::string(":7\r\n"),
           std::string("+OK\r\n"),
           std::string("*0\r\n"),
           std::string("*1\r\n:1\r\n"),
           std::string("*2\r\n:1\r\n:2\r\n"),
           std::string("*3\r\n$-1\r\n$-1\r\n$-1\r\n"),
           std::string("*2\r\n$4\r\nhold\r\n$0\r\n\r\n"),
           std::string("-ERR no\r\n"),
           std::string("-\r\n"),
           "*3\r\n$32\r\n" + epoch + "\r\n$4\r\nhold\r\n$2\r\n1x\r\n",
           std::string("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"),
       }) {
    start_after_greeting(bytes);
    ASSERT_TRUE(run_until_up()) << bytes;
    EXPECT_TRUE(all_unavailable()) << bytes;
    at.reset();
  }
}

TEST_F(HostileRedis, NeverAnAnswer) {
  start_after_greeting("", milliseconds(50));
  ASSERT_TRUE(run_until_up());
  EXPECT_TRUE(all_unavailable());
  EXPECT_FALSE(at->hub.up());
  EXPECT_GE(at->hub.counters().timeouts.load(), 4u);
  EXPECT_TRUE(run_until([&] { return fake->connections() >= 2; }));
}

TEST_F(HostileRedis, AnAnswerOfAnotherShapeIsNoEntry) {
  const std::string epoch(32, '1');
  // MGET answers with fewer values than were asked for; PTTL with a text.
  start([&](const words& command) {
    const auto& name = command.at(0);
    if (name == "PTTL") return std::string(":1000\r\n");
    if (name == "MGET") return "*2\r\n$35\r\n" + epoch + ":ab\r\n$-1\r\n";
    return fake_redis::greeting(command);
  });
  ASSERT_TRUE(run_until_up());
  get_result got{store_status::ok, {}, {}, 0, {}};
  bool answered = false;
  at->store->get(at->ns, key_kind::document, std::vector{at->key("1")}, [&](get_result result) {
    got = std::move(result);
    answered = true;
  });
  ASSERT_TRUE(run_until([&] { return answered; }));
  EXPECT_EQ(got.status, store_status::unavailable);
}

TEST_F(HostileRedis, AnOpenBreakerAnswersAtOnceAndInvalidationsGoOutAllTheSame) {
  int asked = 0;
  int invalidated = 0;
  start([&](const words& command) {
    auto greeting = fake_redis::greeting(command);
    if (!greeting.empty()) return greeting;
    if (command.at(0) == "MGET" || command.at(0) == "PTTL") ++asked;
    if (command.at(0) == "EVALSHA") ++invalidated;
    return std::string("-ERR out of order\r\n");
  });
  ASSERT_TRUE(run_until_up());
  const auto get = [&] {
    bool answered = false;
    at->store->get(at->ns, key_kind::document, {}, [&](const get_result&) { answered = true; });
    EXPECT_TRUE(run_until([&] { return answered; }));
  };
  for (int i = 0; i < 5; ++i) get();
  EXPECT_EQ(asked, 5);
  get();
  EXPECT_EQ(asked, 5);
  bool answered = false;
  at->store->invalidate(at->drop(at->key("1")), [&](store_status) { answered = true; });
  EXPECT_TRUE(run_until([&] { return answered && invalidated >= 1; }));
}

TEST_F(HostileRedis, MoreRequestsThanFitAreAnsweredUnavailable) {
  fake = std::make_unique<fake_redis>(loop, [](const words& command) { return fake_redis::greeting(command); });
  auto options = options_for(fake->uri(), std::chrono::seconds(2));
  options.max_queued = 10;
  at = std::make_unique<store_harness>(options);
  ASSERT_TRUE(run_until_up());
  int answered = 0;
  for (int i = 0; i < 15; ++i) at->store->get(at->ns, key_kind::document, {}, [&](const get_result&) { ++answered; });
  EXPECT_TRUE(run_until([&] { return answered == 5; }));  // those beyond the ceiling
  at->store.reset();
  EXPECT_EQ(answered, 5);
}

}  // namespace
}  // namespace mongocached::cache
