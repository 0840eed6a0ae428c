// The coverage mark (coherence C3).
#include <gmock/gmock.h>

#include "store_harness.hpp"

namespace mongocached::cache {
namespace {

using test::redis_server;

class RedisMark : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(at.run_until_up()) << at.hub.state(); }
  static constexpr auto key = "mongocached:2:c1:mark";

  redis_server server;
  store_harness at{server};
};

TEST_F(RedisMark, ComesBackAsItWent) {
  const auto none = at.load_mark();
  ASSERT_TRUE(none);
  EXPECT_EQ(none->epoch, epoch_name{});
  const std::string token("a\0\r\n\xff token", 11);
  EXPECT_EQ(at.save_mark(at.mark_at(0x64000000'00000005, token)), store_status::ok);
  store_harness peer(server);
  ASSERT_TRUE(peer.run_until_up());
  const auto found = peer.load_mark();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->epoch, at.hub.epoch());
  EXPECT_EQ(found->time, 0x64000000'00000005u);
  EXPECT_EQ(protocol::as_text(found->token), token);
  EXPECT_EQ(server.run({"TTL", key}), "-1");
}

TEST_F(RedisMark, NeverMovesBackwards) {
  EXPECT_EQ(at.save_mark(at.mark_at(0x100, "new")), store_status::ok);
  EXPECT_EQ(at.save_mark(at.mark_at(0xff, "old")), store_status::ok);  // the newer one says more
  EXPECT_EQ(at.load_mark()->time, 0x100u);
  EXPECT_EQ(protocol::as_text(at.load_mark()->token), "new");
}

TEST_F(RedisMark, OfAnOlderEpochIsNone) {
  const auto old = at.mark_at(9);
  EXPECT_EQ(at.save_mark(old), store_status::ok);
  store_harness peer(server);
  ASSERT_TRUE(peer.run_until_up());
  invalidation all;
  all.everything = true;
  EXPECT_EQ(peer.invalidate(all), store_status::ok);
  EXPECT_EQ(at.save_mark(at.mark_at(10)), store_status::unavailable);  // its epoch is over, which it learns by this
  EXPECT_EQ(at.hub.epoch(), peer.hub.epoch());
  EXPECT_EQ(at.load_mark()->epoch, epoch_name{});
  EXPECT_EQ(at.save_mark(old), store_status::unavailable);
  EXPECT_EQ(at.save_mark(coverage_mark{}), store_status::unavailable);
  EXPECT_EQ(at.save_mark(at.mark_at(2)), store_status::ok);  // a new epoch starts anew
  EXPECT_EQ(at.load_mark()->time, 2u);
}

TEST_F(RedisMark, WhateverIsMalformedIsNone) {
  const auto epoch = std::string(as_text(to_hex(at.hub.epoch())));
  const auto time = std::string(as_text(to_hex(cluster_time{7})));
  for (const auto& bad : {std::string(), std::string("x"), time, time + epoch.substr(1), "x" + time.substr(1) + epoch,
                          time + std::string(32, '0'), time + "z" + epoch.substr(1)}) {
    server.run({"SET", key, bad});
    const auto found = at.load_mark();
    ASSERT_TRUE(found) << bad;
    EXPECT_EQ(found->epoch, epoch_name{}) << bad;
    EXPECT_EQ(found->time, 0u) << bad;
  }
  server.run({"SET", key, time + epoch});  // an empty token is one
  EXPECT_EQ(at.load_mark()->time, 7u);
  EXPECT_EQ(at.save_mark(at.mark_at(8)), store_status::ok);
}

TEST_F(RedisMark, IsUnavailableInARedisThatWasFlushed) {
  const auto mark = at.mark_at(9);
  EXPECT_EQ(at.save_mark(mark), store_status::ok);
  server.run({"FLUSHALL"});
  EXPECT_EQ(at.save_mark(mark), store_status::unavailable);
  EXPECT_TRUE(at.run_until([&] { return at.hub.epoch() != mark.epoch; }));
  EXPECT_EQ(at.load_mark()->epoch, epoch_name{});
}

TEST_F(RedisMark, IsKeptByAFullRedis) {
  EXPECT_EQ(at.save_mark(at.mark_at(1)), store_status::ok);
  ASSERT_EQ(server.run({"CONFIG", "SET", "maxmemory", "1"}), "OK");
  EXPECT_EQ(at.save_mark(at.mark_at(2)), store_status::ok);
  EXPECT_EQ(at.load_mark()->time, 2u);
}

// W7, race 13: the mark never passes an invalidation that Redis has not acknowledged.
TEST_F(RedisMark, IsRefusedWhileAnInvalidationIsUnacknowledged) {
  const auto k = at.key("1");
  ASSERT_EQ(server.run({"CONFIG", "SET", "min-replicas-to-write", "1"}), "OK");
  EXPECT_EQ(at.invalidate(at.drop(k, 5)), store_status::unavailable);
  EXPECT_EQ(at.hub.counters().unacknowledged.load(), 1u);
  const auto before = at.hub.counters().commands.load();
  bool answered = false;
  auto status = store_status::ok;
  at.store->save_mark(at.mark_at(9), [&](store_status told) {
    status = told;
    answered = true;
  });
  EXPECT_EQ(at.hub.counters().commands.load(), before);  // nothing is even sent
  EXPECT_TRUE(at.run_until([&] { return answered; }));
  EXPECT_EQ(status, store_status::unavailable);
  EXPECT_FALSE(at.load_mark());
  ASSERT_EQ(server.run({"CONFIG", "SET", "min-replicas-to-write", "0"}), "OK");
  EXPECT_EQ(server.run({"EXISTS", key}), "0");
  EXPECT_TRUE(at.run_until_up());
  EXPECT_TRUE(at.run_until([&] { return at.save_mark(at.mark_at(9)) == store_status::ok; }));
}

TEST_F(RedisMark, IsUnavailableWhileRedisIsAway) {
  const auto mark = at.mark_at(9);
  server.kill();
  EXPECT_TRUE(at.run_until([&] { return !at.hub.up(); }));
  EXPECT_EQ(at.save_mark(mark), store_status::unavailable);
  EXPECT_FALSE(at.load_mark());
}

}  // namespace
}  // namespace mongocached::cache
