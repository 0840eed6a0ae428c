// Mode `strict`: announced writes and checked hits (coherence W1, Modes).
#include <gmock/gmock.h>

#include "store_harness.hpp"

namespace mongocached::cache {
namespace {

using test::redis_server;
using ::testing::ElementsAre;

class RedisStrict : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(at.run_until_up()) << at.hub.state(); }
  static invalidation announced(invalidation what) {
    what.announced = true;
    what.announcement = new_announcement();
    return what;
  }

  redis_server server;
  store_harness at{server};
  const key_view k = at.key("1");
  const key_view other = at.key("2");
};

TEST_F(RedisStrict, AHitIsWhatGetFindsToo) {
  EXPECT_TRUE(at.put(k, "one", 5));
  EXPECT_EQ(at.invalidate(at.drop(other, 6)), store_status::ok);
  const auto plain = at.get({other, k});
  const auto got = at.get_checked({other, k});
  EXPECT_EQ(got.status, store_status::ok);
  EXPECT_EQ(got.epoch, at.hub.epoch());
  EXPECT_EQ(got.generation, plain.generation);
  EXPECT_EQ(got.newest, 6u);
  ASSERT_EQ(got.items.size(), 2u);
  EXPECT_TRUE(got.items[0].bytes.empty());
  EXPECT_EQ(protocol::as_text(got.items[1].bytes), "one");
  EXPECT_GT(got.items[1].remaining, std::chrono::seconds(30));
  EXPECT_LE(got.items[1].remaining, std::chrono::seconds(60));
  EXPECT_EQ(at.get_checked({}).generation, plain.generation);
}

TEST_F(RedisStrict, ManyKeysAreMoreThanOneCall) {
  std::vector<key_view> keys;
  for (int i = 0; i < 600; ++i) keys.push_back(at.key("many" + std::to_string(i)));
  EXPECT_TRUE(at.put(keys[3], "three"));
  EXPECT_TRUE(at.put(keys[599], "last"));
  const auto got = at.get_checked(keys);
  ASSERT_EQ(got.items.size(), keys.size());
  EXPECT_EQ(protocol::as_text(got.items[3].bytes), "three");
  EXPECT_EQ(protocol::as_text(got.items[599].bytes), "last");
}

TEST_F(RedisStrict, NoHitAndNoLeaseWhileAWriteIsAnnounced) {
  EXPECT_TRUE(at.put(k, "old"));
  const auto leased = at.lease({k});
  const auto write = announced(at.drop(k, 5));
  EXPECT_EQ(at.announce(write), store_status::ok);
  EXPECT_EQ(at.checked_value(k), "");
  EXPECT_EQ(at.value(k), "");
  EXPECT_THAT(at.fill(leased.generation, {at.item(k, leased.grants.at(0).token, "old", 9)}),
              ElementsAre(fill_outcome::lease));
  const auto refused = at.lease({k, other});
  EXPECT_FALSE(refused.grants.at(0).granted);
  EXPECT_FALSE(refused.grants.at(0).taken);
  EXPECT_TRUE(refused.grants.at(1).granted);
  EXPECT_GT(std::stol(server.run({"PTTL", at.name("r", k)})), 500'000);
  EXPECT_EQ(at.invalidate(write), store_status::ok);
  EXPECT_EQ(at.checked_value(k), "");
  EXPECT_EQ(at.lease({k}).grants.at(0).fence, 5u);
  server.run({"HDEL", at.name("r", k), "l"});
  EXPECT_TRUE(at.put(k, "new", 5));
  EXPECT_EQ(at.checked_value(k), "new");
}

// A value planted although a write is announced: the check does not rest on its absence.
TEST_F(RedisStrict, TheCheckLooksForAnnouncementsItself) {
  EXPECT_TRUE(at.put(k, "old", 3));
  const auto write = announced(at.drop(k, 5));
  EXPECT_EQ(at.announce(write), store_status::ok);
  server.run({"SET", at.name("v", k), "old", "PX", "60000"});
  server.run({"HSET", at.name("r", k), "v", "00000000000000ff", "f", "0000000000000001"});
  EXPECT_EQ(at.value(k), "old");
  EXPECT_EQ(at.checked_value(k), "");
}

TEST_F(RedisStrict, EachAnnouncementIsTakenBackByItsName) {
  store_harness peer(server);
  ASSERT_TRUE(peer.run_until_up());
  const auto mine = announced(at.drop(k, 5));
  const auto theirs = announced(at.drop(k, 6));
  const auto lost = announced(at.drop(k, 4));  // never arrived
  EXPECT_EQ(at.announce(mine), store_status::ok);
  EXPECT_EQ(at.announce(mine), store_status::ok);  // twice is once
  EXPECT_EQ(peer.announce(theirs), store_status::ok);
  EXPECT_EQ(at.invalidate(lost), store_status::ok);
  EXPECT_FALSE(at.lease({k}).grants.at(0).granted);
  EXPECT_EQ(at.invalidate(mine), store_status::ok);
  EXPECT_EQ(at.invalidate(mine), store_status::ok);
  EXPECT_FALSE(at.lease({k}).grants.at(0).granted);
  EXPECT_EQ(at.invalidate(at.drop(k, 7)), store_status::ok);  // takes nothing back
  EXPECT_EQ(at.invalidate(at.event(k, 7)), store_status::ok);
  EXPECT_FALSE(at.lease({k}).grants.at(0).granted);
  EXPECT_EQ(peer.invalidate(theirs), store_status::ok);
  EXPECT_TRUE(at.put(k, "new", 7));
  EXPECT_EQ(at.checked_value(k), "new");
  EXPECT_EQ(server.run({"HEXISTS", at.name("r", k), "p"}), "0");
}

TEST_F(RedisStrict, AWriteOfUnknownKeysHidesTheNamespace) {
  EXPECT_TRUE(at.put(k, "old"));
  const auto leased = at.lease({other});
  const auto first = announced(at.drop_all(5));
  const auto second = announced(at.drop_all(6));
  EXPECT_EQ(at.announce(first), store_status::ok);
  EXPECT_EQ(at.announce(second), store_status::ok);
  EXPECT_EQ(at.value(k), "old");  // it lies there still
  EXPECT_EQ(at.checked_value(k), "");
  EXPECT_THAT(at.fill(leased.generation, {at.item(other, leased.grants.at(0).token, "old", 9)}),
              ElementsAre(fill_outcome::generation));
  EXPECT_FALSE(at.lease({k}).grants.at(0).granted);
  EXPECT_FALSE(at.lease({at.key("q", key_kind::list)}, key_kind::list).grants.at(0).granted);
  EXPECT_EQ(at.invalidate(first), store_status::ok);
  EXPECT_FALSE(at.lease({k}).grants.at(0).granted);
  EXPECT_EQ(server.keys("mongocached:2:c1:p:*").size(), 1u);
  EXPECT_GT(std::stol(server.run({"PTTL", server.keys("mongocached:2:c1:p:*").at(0)})), 500'000);
  EXPECT_EQ(at.invalidate(second), store_status::ok);
  EXPECT_EQ(server.keys("mongocached:2:c1:p:*").size(), 0u);
  EXPECT_TRUE(at.put(k, "new", 6));
  EXPECT_EQ(at.checked_value(k), "new");
}

TEST_F(RedisStrict, AnAnnouncementThatRanOutHidesNothing) {
  EXPECT_TRUE(at.put(k, "one", 3));
  const auto id = std::string(32, 'a');
  server.run({"HSET", at.name("r", k), "p", id + "0000000000001"});
  const auto token = server.keys("mongocached:2:c1:g:d:*").at(0);
  server.run({"SET", "mongocached:2:c1:p:" + token.substr(token.size() - 32), id + "0000000000001"});
  EXPECT_EQ(at.checked_value(k), "one");
  EXPECT_TRUE(at.put(k, "two", 3));
  const auto write = announced(at.drop(k, 4));
  EXPECT_EQ(at.announce(write), store_status::ok);  // clears them out
  EXPECT_EQ(server.run({"HGET", at.name("r", k), "p"}).size(), 45u);
}

TEST_F(RedisStrict, AMissingRecordIsAMiss) {
  EXPECT_TRUE(at.put(k, "one", 3));
  EXPECT_EQ(at.checked_value(k), "one");
  server.run({"DEL", at.name("r", k)});  // evicted
  EXPECT_EQ(at.value(k), "one");
  EXPECT_EQ(at.checked_value(k), "");
  EXPECT_TRUE(at.put(k, "two", 3));
  EXPECT_EQ(at.checked_value(k), "two");
  server.run({"HDEL", at.name("r", k), "v"});
  EXPECT_EQ(at.checked_value(k), "");
}

TEST_F(RedisStrict, ARecordLivesAsLongAsItsValue) {
  const auto leased = at.lease({k});
  auto item = at.item(k, leased.grants.at(0).token);
  item.remaining = std::chrono::hours(3);
  EXPECT_THAT(at.fill(leased.generation, {item}), ElementsAre(fill_outcome::stored));
  EXPECT_GT(std::stol(server.run({"PTTL", at.name("r", k)})), 10'000'000);
  EXPECT_EQ(at.invalidate(at.event(k, 0)), store_status::ok);
}

TEST_F(RedisStrict, AValueBelowItsFenceIsAMiss) {
  EXPECT_TRUE(at.put(k, "one", 3));
  server.run({"HSET", at.name("r", k), "f", "0000000000000004"});
  EXPECT_EQ(at.checked_value(k), "");
  EXPECT_EQ(at.value(k), "one");
}

TEST_F(RedisStrict, AFullRedisTakesAnnouncements) {
  EXPECT_TRUE(at.put(k, "old"));
  ASSERT_EQ(server.run({"CONFIG", "SET", "maxmemory", "1"}), "OK");
  const auto write = announced(at.drop(k, 5));
  const auto all = announced(at.drop_all(5));
  EXPECT_EQ(at.announce(write), store_status::ok);
  EXPECT_EQ(at.announce(all), store_status::ok);
  EXPECT_EQ(at.value(k), "");
  EXPECT_EQ(at.checked_value(k), "");
  EXPECT_EQ(at.invalidate(all), store_status::ok);
  ASSERT_EQ(server.run({"CONFIG", "SET", "maxmemory", "0"}), "OK");
  EXPECT_FALSE(at.lease({k}).grants.at(0).granted);
  EXPECT_EQ(at.invalidate(write), store_status::ok);
  EXPECT_TRUE(at.put(k, "new", 5));
}

TEST_F(RedisStrict, AKeyTakesOnlySoManyAnnouncements) {
  std::string many;
  for (int i = 0; i < 1000; ++i) {
    announcement_id id{};
    id[0] = static_cast<std::uint8_t>(i);
    id[1] = static_cast<std::uint8_t>(i >> 8);
    many += std::string(as_text(to_hex(id))) + "9000000000000";
  }
  EXPECT_TRUE(at.put(k, "old"));
  server.run({"HSET", at.name("r", k), "p", many});
  EXPECT_EQ(at.announce(announced(at.drop(k, 5))), store_status::unavailable);
  EXPECT_EQ(at.value(k), "");
  EXPECT_EQ(server.run({"HGET", at.name("r", k), "p"}), many);
  EXPECT_EQ(at.hub.counters().unacknowledged.load(), 0u);
}

TEST_F(RedisStrict, AnotherEpochIsNoticed) {
  EXPECT_TRUE(at.put(k, "old"));
  store_harness peer(server);
  ASSERT_TRUE(peer.run_until_up());
  invalidation all;
  all.everything = true;
  EXPECT_EQ(peer.invalidate(all), store_status::ok);
  EXPECT_EQ(at.get_checked({k}).epoch, peer.hub.epoch());
  EXPECT_EQ(at.hub.epoch(), peer.hub.epoch());
  EXPECT_EQ(peer.invalidate(all), store_status::ok);
  EXPECT_EQ(at.announce(announced(at.drop(k, 5))), store_status::ok);
  EXPECT_EQ(at.hub.epoch(), peer.hub.epoch());
  EXPECT_FALSE(at.lease({k}).grants.at(0).granted);  // an announcement is of no epoch
  server.run({"FLUSHALL"});
  EXPECT_EQ(at.get_checked({k}).status, store_status::unavailable);
}

TEST_F(RedisStrict, AnAnnouncementWithoutANameOrOfEverythingIsRefused) {
  EXPECT_EQ(at.announce(at.drop(k, 5)), store_status::unavailable);
  auto all = announced(at.drop_all(5));
  all.everything = true;
  EXPECT_EQ(at.announce(all), store_status::unavailable);
}

TEST_F(RedisStrict, AnAnnouncementThatTimesOutIsNotOwed) {
  store_harness brief(server, milliseconds(400));  // stuck only after ten timeouts: the connection lives on
  ASSERT_TRUE(brief.run_until_up());
  EXPECT_TRUE(at.put(k, "old"));
  const auto write = announced(at.drop(k, 5));
  server.pause();
  EXPECT_EQ(brief.announce(write), store_status::unavailable);
  EXPECT_EQ(brief.hub.counters().unacknowledged.load(), 0u);
  server.resume();
  // It was carried out all the same; taking it back is exact.
  EXPECT_TRUE(brief.run_until([&] { return brief.invalidate(write) == store_status::ok; }));
  EXPECT_TRUE(brief.run_until_up());
  EXPECT_TRUE(at.put(k, "new", 5));
  EXPECT_EQ(at.checked_value(k), "new");
}

TEST_F(RedisStrict, IsUnavailableWhileRedisIsAway) {
  server.kill();
  EXPECT_TRUE(at.run_until([&] { return !at.hub.up(); }));
  EXPECT_EQ(at.get_checked({k}).status, store_status::unavailable);
  EXPECT_EQ(at.announce(announced(at.drop(k, 5))), store_status::unavailable);
}

}  // namespace
}  // namespace mongocached::cache
