// The store against a real Redis that goes away, comes back, hangs, is full or asks for a login.
#include <gmock/gmock.h>

#include <algorithm>

#include "store_harness.hpp"

namespace mongocached::cache {
namespace {

using test::redis_server;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

template <class Call>
duration time_of(Call call) {
  const auto begin = std::chrono::steady_clock::now();
  call();
  return std::chrono::steady_clock::now() - begin;
}

// coherence C4 in mode `ttl`: what a restarted Redis remembers is void.
TEST(RedisFailure, ARestartedRedisMeansANewEpoch) {
  redis_server server({"--dbfilename", "kept.rdb"});
  store_harness at(server);
  ASSERT_TRUE(at.run_until_up());
  const auto k = at.key("1");
  EXPECT_TRUE(at.put(k, "one"));
  const auto before = at.hub.epoch();
  ASSERT_EQ(server.run({"SAVE"}), "OK");
  server.kill();
  EXPECT_TRUE(at.run_until([&] { return !at.hub.up(); }));
  EXPECT_EQ(at.get({k}).status, store_status::unavailable);
  server.start();
  ASSERT_EQ(server.keys("*:v:*").size(), 1u);  // it has kept the entry
  EXPECT_TRUE(at.run_until_up());
  EXPECT_NE(at.hub.epoch(), before);
  EXPECT_THAT(at.epochs, ElementsAre(before, at.hub.epoch()));
  EXPECT_EQ(at.get({k}).epoch, at.hub.epoch());  // which the entry does not bear
  EXPECT_EQ(at.hub.counters().connects.load(), 2u);
}

TEST(RedisFailure, AReconnectToTheSameRedisKeepsTheEpoch) {
  redis_server server;
  store_harness at(server);
  ASSERT_TRUE(at.run_until_up());
  const auto before = at.hub.epoch();
  server.run({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_TRUE(at.run_until([&] { return !at.hub.up(); }));
  EXPECT_TRUE(at.run_until_up());
  EXPECT_EQ(at.hub.epoch(), before);
  EXPECT_THAT(at.epochs, ElementsAre(before));
  EXPECT_THAT(at.states, Contains(HasSubstr("connection lost")));
}

// Once each start of a daemon warned of the connection that was still on its way behind the first.
TEST(RedisFailure, ConnectionsOnTheirWayAreNoNews) {
  redis_server server;
  store_harness at(server);
  const auto another = at.hub.make_store(at.context);
  const auto third = at.hub.make_store(at.context);
  ASSERT_TRUE(at.run_until_up());
  EXPECT_THAT(at.states, ElementsAre(HasSubstr("up: ")));
}

TEST(RedisFailure, OneThatWasNeverUpIsToldOnceAConnectionFails) {
  redis_server server;
  const auto uri = server.uri();
  server.kill();
  store_harness at(options_for(uri));
  EXPECT_EQ(at.invalidate(at.drop(at.key("1"))), store_status::unavailable);  // owed before anything was tried
  ASSERT_TRUE(at.run_until([&] { return at.hub.counters().connect_failures.load() >= 2; }));
  EXPECT_THAT(at.states, ElementsAre(AllOf(HasSubstr("down: "), HasSubstr("cannot connect"))));
}

TEST(RedisFailure, AnswersAtOnceWhileRedisIsAway) {
  redis_server server;
  auto uri = server.uri();
  server.kill();
  store_harness at(options_for(uri, std::chrono::seconds(20)));
  const auto k = at.key("1");
  const auto taken = time_of([&] {
    EXPECT_EQ(at.get({k}).status, store_status::unavailable);
    EXPECT_EQ(at.lease({k}).status, store_status::unavailable);
    EXPECT_THAT(at.fill({}, {at.item(k, {})}), ElementsAre(fill_outcome::unavailable));
    EXPECT_EQ(at.invalidate(at.drop(k)), store_status::unavailable);
  });
  EXPECT_LT(taken, std::chrono::seconds(5));
  EXPECT_FALSE(at.hub.up());
  EXPECT_EQ(at.hub.epoch(), epoch_name{});
  EXPECT_TRUE(at.run_until([&] { return at.hub.counters().connect_failures.load() >= 2; }));
  EXPECT_THAT(at.hub.state(), HasSubstr("cannot connect"));
  server.start();
  EXPECT_TRUE(at.run_until_up());
  EXPECT_EQ(at.hub.counters().unacknowledged.load(), 0u);
  EXPECT_TRUE(at.put(k, "one"));
}

// coherence W7, race 13: an invalidation that Redis missed is sent before anything that lies there is believed again.
TEST(RedisFailure, WithheldItIsToldWhatFellAndAnswersNothing) {
  redis_server server;
  store_harness at(server);
  ASSERT_TRUE(at.run_until_up());
  const auto k = at.key("1");
  EXPECT_TRUE(at.put(k, "old"));
  at.hub.withhold("somebody asks for it");
  EXPECT_FALSE(at.hub.up());
  EXPECT_THAT(at.hub.state(), HasSubstr("somebody asks for it"));
  EXPECT_EQ(at.get({k}).status, store_status::unavailable);
  EXPECT_EQ(at.lease({k}).status, store_status::unavailable);
  EXPECT_FALSE(at.load_mark());
  EXPECT_EQ(at.save_mark(at.mark_at(1)), store_status::unavailable);
  EXPECT_EQ(at.invalidate(at.drop(k)), store_status::ok);
  at.hub.release();
  EXPECT_TRUE(at.hub.up());
  EXPECT_EQ(at.value(k), "");
  EXPECT_THAT(at.states, ElementsAre(HasSubstr("up: "), HasSubstr("down: "), HasSubstr("up: ")));
}

TEST(RedisFailure, WithheldFromTheStartItIsUpOnceItIsReleased) {
  redis_server server;
  auto options = options_for(server.uri());
  boost::asio::io_context context;
  std::vector<bool> told;
  redis_hub hub(options, {{}, [&](bool up, const std::string&) { told.push_back(up); }, {}});
  hub.withhold("starting");
  EXPECT_THAT(told, ::testing::IsEmpty());
  hub.release();
  EXPECT_THAT(told, ::testing::IsEmpty()) << "it is not connected";
  EXPECT_EQ(hub.cluster_id(), "c1");
}

TEST(RedisFailure, AMissedInvalidationIsSentBeforeRedisIsTrustedAgain) {
  redis_server server;
  store_harness at(server);
  store_harness peer(server);  // of another process: it goes on believing, which is what max_lag and ttl are for
  ASSERT_TRUE(at.run_until_up());
  ASSERT_TRUE(peer.run_until_up());
  const auto k = at.key("1");
  EXPECT_TRUE(at.put(k, "old"));
  server.run({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_TRUE(at.run_until([&] { return !at.hub.up(); }));
  EXPECT_EQ(at.invalidate(at.drop(k)), store_status::unavailable);
  EXPECT_EQ(at.hub.counters().unacknowledged.load(), 1u);
  // Each look is either no answer or the truth.
  store_status status = store_status::unavailable;
  while (status == store_status::unavailable) {
    const auto got = at.get({k});
    status = got.status;
    EXPECT_TRUE(status == store_status::unavailable || got.items.at(0).bytes.empty());
  }
  EXPECT_EQ(at.hub.counters().unacknowledged.load(), 0u);
}

// The store under test has a short timeout; `steady` has a long one, so that a busy machine does not spoil the
// preparations.
class RedisPaused : public ::testing::Test {
 protected:
  void start(duration timeout) {
    at = std::make_unique<store_harness>(server, timeout);
    ASSERT_TRUE(at->run_until_up());
    ASSERT_TRUE(steady.run_until_up());
    EXPECT_TRUE(steady.put(k, "old"));
    EXPECT_TRUE(steady.put(l, "kept"));
  }

  redis_server server;
  store_harness steady{server};
  std::unique_ptr<store_harness> at;
  const key_view k = steady.key("1");
  const key_view l = steady.key("2");
};

TEST_F(RedisPaused, EverythingIsAnsweredInTimeAndCaughtUpWith) {
  start(milliseconds(100));
  server.pause();
  // Generous bounds, for a busy machine; resp_pipeline_test has the exact ones.
  constexpr auto bound = std::chrono::seconds(4);
  EXPECT_LT(time_of([&] { EXPECT_EQ(at->get({k}).status, store_status::unavailable); }), bound);
  EXPECT_LT(time_of([&] { EXPECT_EQ(at->lease({k}).status, store_status::unavailable); }), bound);
  EXPECT_LT(time_of([&] { EXPECT_EQ(at->invalidate(at->drop(k)), store_status::unavailable); }), bound);
  EXPECT_EQ(at->hub.counters().unacknowledged.load(), 1u);
  EXPECT_FALSE(at->hub.up());
  EXPECT_THAT(at->fill({}, {at->item(k, {})}), ElementsAre(fill_outcome::unavailable));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(at->invalidate(at->drop(k)), store_status::unavailable);
  server.resume();
  EXPECT_TRUE(at->run_until_up());
  EXPECT_EQ(at->hub.counters().unacknowledged.load(), 0u);
  EXPECT_EQ(steady.value(k), "");
  EXPECT_EQ(steady.value(l), "kept");
  EXPECT_TRUE(at->run_until([&] { return at->value(l) == "kept"; }));  // trusted again
  EXPECT_GE(at->hub.counters().timeouts.load(), 3u);
}

// A Redis that stalled looked as fast as ever.
TEST_F(RedisPaused, WhatIsGivenUpIsTimedOnce) {
  constexpr auto timeout = milliseconds(400);
  constexpr auto soonest = timeout - timeout / 4;  // a tick before
  start(timeout);
  const auto is_slow = [soonest](duration took) { return took >= soonest; };
  const auto slow = [&] { return std::ranges::count_if(at->observed, is_slow); };
  server.pause();
  EXPECT_EQ(at->invalidate(at->drop(k)), store_status::unavailable);
  EXPECT_EQ(slow(), 1);
  server.resume();
  EXPECT_TRUE(at->run_until_up());
  EXPECT_EQ(at->hub.counters().unacknowledged.load(), 0u);  // it was acknowledged late
  EXPECT_EQ(slow(), 1);
}

TEST_F(RedisPaused, ALateAcknowledgementCounts) {
  start(milliseconds(400));  // stuck only after ten timeouts: the connection lives through the pause
  server.pause();
  EXPECT_EQ(at->invalidate(at->drop(k)), store_status::unavailable);
  EXPECT_EQ(at->hub.counters().unacknowledged.load(), 1u);
  server.resume();
  EXPECT_TRUE(at->run_until_up());
  EXPECT_EQ(at->hub.counters().connects.load(), 1u);
  EXPECT_EQ(at->hub.counters().unacknowledged.load(), 0u);
  EXPECT_EQ(steady.value(k), "");
}

TEST_F(RedisPaused, ALeaseThatCameTooLateIsGivenBack) {
  start(milliseconds(400));
  server.pause();
  EXPECT_EQ(at->lease({k}).status, store_status::unavailable);
  server.resume();
  EXPECT_TRUE(at->run_until([&] {
    const auto got = at->lease({k});
    return !got.grants.empty() && got.grants[0].granted;
  }));
}

TEST(RedisFailure, AHungConnectionIsGivenUp) {
  redis_server server;
  store_harness at(server, milliseconds(40));
  ASSERT_TRUE(at.run_until_up());
  server.pause();
  EXPECT_EQ(at.get({at.key("1")}).status, store_status::unavailable);
  EXPECT_TRUE(at.run_until([&] { return at.hub.state().find("no reply") != std::string::npos; }));
  server.resume();
  EXPECT_TRUE(at.run_until_up());
}

TEST(RedisFailure, TooManyMissedInvalidationsBecomeANewEpoch) {
  redis_server server;
  auto options = options_for(server.uri());
  options.max_unacknowledged = 10;
  store_harness at(options);
  ASSERT_TRUE(at.run_until_up());
  const auto k = at.key("1");
  EXPECT_TRUE(at.put(k, "old"));
  const auto before = at.hub.epoch();
  server.run({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_TRUE(at.run_until([&] { return !at.hub.up(); }));
  for (int i = 0; i < 25; ++i) EXPECT_EQ(at.invalidate(at.drop(k)), store_status::unavailable);
  EXPECT_TRUE(at.run_until_up());
  EXPECT_EQ(at.hub.counters().unacknowledged.load(), 0u);
  EXPECT_NE(at.hub.epoch(), before);
  EXPECT_EQ(at.get({k}).epoch, at.hub.epoch());
}

TEST(RedisFailure, ManyMissedInvalidationsAreReplayed) {
  redis_server server;
  store_harness at(server);
  ASSERT_TRUE(at.run_until_up());
  const auto before = at.hub.epoch();
  std::vector<key_view> keys;
  for (int i = 0; i < 1000; ++i) {
    keys.push_back(at.key("many" + std::to_string(i)));
    ASSERT_TRUE(at.put(keys.back(), "old"));
  }
  server.run({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_TRUE(at.run_until([&] { return !at.hub.up(); }));
  std::size_t answered = 0;
  for (const auto& key : keys) at.store->invalidate(at.drop(key), [&](store_status) { ++answered; });
  EXPECT_TRUE(at.run_until([&] { return answered == keys.size(); }));
  EXPECT_TRUE(at.run_until_up());
  EXPECT_EQ(at.hub.epoch(), before);
  EXPECT_EQ(server.keys("*:v:*"), std::vector<std::string>{});
}

// Race 32: a full Redis must not keep a value.
TEST(RedisFailure, AFullRedisStillInvalidates) {
  redis_server server;
  store_harness at(server);
  ASSERT_TRUE(at.run_until_up());
  const auto k = at.key("1");
  const auto l = at.key("2");
  const auto list = at.key("q", key_kind::list);
  EXPECT_TRUE(at.put(k, "old"));
  EXPECT_TRUE(at.put(l, "old"));
  EXPECT_TRUE(at.put(list, "old", 0, key_kind::list));
  const std::vector<key_view> two = {at.key("3"), at.key("5")};
  const auto leased = at.lease(two);
  ASSERT_EQ(server.run({"CONFIG", "SET", "maxmemory-policy", "noeviction"}), "OK");
  ASSERT_EQ(server.run({"CONFIG", "SET", "maxmemory", "1"}), "OK");
  ASSERT_THAT(server.run({"SET", "x", "y"}), HasSubstr("OOM"));
  EXPECT_EQ(at.value(k), "old");
  EXPECT_EQ(at.invalidate(at.drop(k, 9, true)), store_status::ok);
  EXPECT_EQ(at.value(k), "");
  EXPECT_EQ(at.get({list}, key_kind::list).generation, generation_token{});
  EXPECT_EQ(at.value(l), "old");
  auto held = at.drop(l, 9);
  held.hold = std::chrono::hours(1);
  EXPECT_EQ(at.invalidate(held), store_status::ok);
  EXPECT_EQ(at.value(l), "");
  // No room for leases and fills: refused, not failed.
  const auto refused = at.lease({at.key("4")});
  EXPECT_EQ(refused.status, store_status::ok);
  EXPECT_FALSE(refused.grants.at(0).granted);
  EXPECT_FALSE(refused.grants.at(0).taken);  // nobody to wait for
  EXPECT_THAT(at.fill(leased.generation,
                      {at.item(two[0], leased.grants.at(0).token), at.item(two[1], leased.grants.at(1).token)}),
              ElementsAre(fill_outcome::unavailable, fill_outcome::unavailable));
  invalidation all;
  all.everything = true;
  const auto before = at.hub.epoch();
  EXPECT_EQ(at.invalidate(all), store_status::ok);
  EXPECT_NE(at.hub.epoch(), before);
  // And a new process gets its scripts in.
  store_harness late(server);
  EXPECT_TRUE(late.run_until_up()) << late.hub.state();
  ASSERT_EQ(server.run({"CONFIG", "SET", "maxmemory", "0"}), "OK");
  EXPECT_TRUE(at.put(k, "new", 9));
  EXPECT_FALSE(at.lease({l}).grants.at(0).granted);  // the hold was written all the same
  EXPECT_TRUE(at.hub.up());
}

// Race 32, the other way to be full: Redis drops what it likes.
TEST(RedisFailure, AnEvictingRedisOnlyRefuses) {
  redis_server server({"--maxmemory-policy", "allkeys-random"});
  store_harness at(server);
  ASSERT_TRUE(at.run_until_up());
  const auto k = at.key("1");
  EXPECT_TRUE(at.put(k, "old"));
  const auto leased = at.lease({k});
  ASSERT_EQ(server.run({"CONFIG", "SET", "maxmemory", "1"}), "OK");
  EXPECT_TRUE(at.run_until([&] { return server.run({"DBSIZE"}) == "0" || at.get({k}).status == store_status::ok; }));
  for (int i = 0; i < 20; ++i) {
    (void)at.put(k, "new");
    EXPECT_EQ(at.invalidate(at.drop(k)), store_status::ok);
    EXPECT_EQ(at.value(k), "");
  }
}

TEST(RedisFailure, ARedisThatRefusesToWriteIsNotTrusted) {
  redis_server server;
  store_harness at(server);
  ASSERT_TRUE(at.run_until_up());
  const auto k = at.key("1");
  EXPECT_TRUE(at.put(k, "old"));
  ASSERT_EQ(server.run({"CONFIG", "SET", "min-replicas-to-write", "1"}), "OK");
  EXPECT_EQ(at.invalidate(at.drop(k)), store_status::unavailable);
  EXPECT_FALSE(at.hub.up());
  EXPECT_EQ(at.get({k}).status, store_status::unavailable);
  EXPECT_TRUE(at.run_until([&] { return at.hub.counters().errors.load() >= 3; }));  // it is tried again
  ASSERT_EQ(server.run({"CONFIG", "SET", "min-replicas-to-write", "0"}), "OK");
  EXPECT_TRUE(at.run_until_up());
  EXPECT_EQ(at.value(k), "");
}

TEST(RedisFailure, AReplicaIsLeft) {
  redis_server server;
  redis_server master;
  store_harness at(server);
  ASSERT_TRUE(at.run_until_up());
  const auto k = at.key("1");
  EXPECT_TRUE(at.put(k, "old"));
  ASSERT_EQ(server.run({"REPLICAOF", "127.0.0.1", std::to_string(master.port())}), "OK");
  EXPECT_EQ(at.invalidate(at.drop(k)), store_status::unavailable);
  EXPECT_TRUE(at.run_until([&] { return at.hub.counters().connects.load() >= 2; }));
  EXPECT_FALSE(at.hub.up());
  ASSERT_EQ(server.run({"REPLICAOF", "NO", "ONE"}), "OK");
  EXPECT_TRUE(at.run_until_up());
  EXPECT_EQ(at.value(k), "");
}

TEST(RedisFailure, LogsInAndSelectsItsDatabase) {
  redis_server server({"--requirepass", "hunter2"});
  server.log_in_with("hunter2");
  ASSERT_EQ(server.run({"ACL", "SETUSER", "app", "on", ">swordfish", "~mongocached:*", "+@all"}), "OK");
  for (const auto* login : {":hunter2@", "default:hunter2@", "app:swordfish@"}) {
    auto uri = server.uri(login);
    uri.back() = '3';
    store_harness at(options_for(uri));
    ASSERT_TRUE(at.run_until_up()) << login;
    EXPECT_TRUE(at.put(at.key("1"), "one")) << login;
  }
  EXPECT_EQ(server.run({"DBSIZE"}), "0");
  EXPECT_EQ(server.run({"SELECT", "3"}), "OK");
  EXPECT_NE(server.run({"DBSIZE"}), "0");
}

TEST(RedisFailure, AWrongPasswordIsToldAndNotShown) {
  redis_server server({"--requirepass", "hunter2"});
  for (const auto* login : {":swordfish@", "nobody:swordfish@", ""}) {
    store_harness at(options_for(server.uri(login)));
    EXPECT_TRUE(at.run_until([&] { return at.hub.state().find("refuses") != std::string::npos; })) << at.hub.state();
    EXPECT_FALSE(at.hub.up());
    EXPECT_THAT(at.states, Each(Not(AnyOf(HasSubstr("swordfish"), HasSubstr("hunter2")))));
    EXPECT_THAT(at.hub.state(), Not(HasSubstr("swordfish")));
    EXPECT_EQ(at.get({at.key("1")}).status, store_status::unavailable);
  }
}

TEST(RedisFailure, ADatabaseThatIsNotThereIsTold) {
  redis_server server;
  store_harness at(options_for(server.uri() + "99"));
  EXPECT_TRUE(at.run_until([&] { return at.hub.state().find("refuses") != std::string::npos; }));
}

TEST(RedisFailure, AHostThatIsNotThereIsTold) {
  store_harness at(options_for("redis://no-such-host.invalid"));
  EXPECT_TRUE(at.run_until([&] { return at.hub.state().find("host not found") != std::string::npos; }))
      << at.hub.state();
}

TEST(RedisFailure, AStoreThatEndsOwingLeavesRedisUntrusted) {
  redis_server server;
  boost::asio::io_context context;
  redis_hub hub(options_for(server.uri()), {});
  auto first = hub.make_store(context);
  const auto run_until = [&](auto done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!done() && std::chrono::steady_clock::now() < end) context.run_one_for(milliseconds(20));
    return done();
  };
  ASSERT_TRUE(run_until([&] { return hub.up(); }));
  server.run({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  ASSERT_TRUE(run_until([&] { return !hub.up(); }));
  invalidation all;
  all.ns = "db.c";
  bool answered = false;
  first->invalidate(all, [&](store_status) { answered = true; });
  ASSERT_TRUE(run_until([&] { return answered; }));
  first.reset();
  const auto second = hub.make_store(context);
  get_result got{store_status::ok, {}, {}, 0, {}};
  bool told = false;
  ASSERT_TRUE(run_until([&] {
    return hub.state().find("1 of 1") != std::string::npos || hub.state().find("not trusted") != std::string::npos;
  }));
  EXPECT_FALSE(hub.up());
  second->get("db.c", key_kind::document, {}, [&](get_result result) {
    got = std::move(result);
    told = true;
  });
  ASSERT_TRUE(run_until([&] { return told; }));
  EXPECT_EQ(got.status, store_status::unavailable);
}

}  // namespace
}  // namespace mongocached::cache
