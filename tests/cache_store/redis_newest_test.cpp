// N(ns) beside the tokens, and what an event of the change stream leaves in place (coherence R3, W2, W3, C1).
#include <gmock/gmock.h>

#include "store_harness.hpp"

namespace mongocached::cache {
namespace {

using test::redis_server;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RedisNewest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(at.run_until_up()) << at.hub.state(); }
  void fill_up() {
    ASSERT_EQ(server.run({"CONFIG", "SET", "maxmemory-policy", "noeviction"}), "OK");
    ASSERT_EQ(server.run({"CONFIG", "SET", "maxmemory", "1"}), "OK");
  }
  cluster_time newest(key_kind kind) { return at.get({}, kind).newest; }
  std::string token_key(const char* kind) {
    const auto found = server.keys("mongocached:2:c1:g:" + std::string(kind) + ":*");
    return found.size() == 1 ? found[0] : std::string();
  }
  std::string field(key_view key, std::string_view which) { return server.run({"HGET", at.name("r", key), which}); }

  redis_server server;
  store_harness at{server};
  const key_view k = at.key("1");
  const key_view other = at.key("2");
  const key_view list = at.key("q", key_kind::list);
};

TEST_F(RedisNewest, AWriteThatLeavesTheListsRaisesTheirN) {
  EXPECT_TRUE(at.put(list, "many", 5, key_kind::list));
  const auto before = at.get({list}, key_kind::list);
  EXPECT_EQ(before.newest, 0u);
  EXPECT_EQ(at.invalidate(at.drop(k, 7)), store_status::ok);
  EXPECT_EQ(at.invalidate(at.drop(k, 6)), store_status::ok);  // never lowered
  const auto after = at.get({list}, key_kind::list);
  EXPECT_EQ(after.generation, before.generation);
  EXPECT_NE(after.generation, generation_token{});
  EXPECT_EQ(after.newest, 7u);
  EXPECT_EQ(protocol::as_text(after.items.at(0).bytes), "many");
  EXPECT_EQ(at.lease({list}, key_kind::list).generation, before.generation);
  const auto ttl = std::stol(server.run({"PTTL", token_key("l")}));
  EXPECT_GT(ttl, 3'600'000);  // raising N does not make it live for ever, nor end it
}

TEST_F(RedisNewest, TheDocumentsNRisesWhereverTheirTokenStays) {
  EXPECT_TRUE(at.put(k, "one"));
  EXPECT_EQ(at.invalidate(at.drop(other, 7, true)), store_status::ok);
  EXPECT_EQ(newest(key_kind::document), 7u);
  EXPECT_EQ(at.invalidate(at.event(other, 9)), store_status::ok);
  EXPECT_EQ(newest(key_kind::document), 9u);
  EXPECT_EQ(at.invalidate(at.drop_all(11)), store_status::ok);
  EXPECT_EQ(newest(key_kind::document), 0u);  // with the token
  EXPECT_EQ(at.get({}).generation, generation_token{});
}

// W2, races 17 and 18.
TEST_F(RedisNewest, ARecordThatIsMissingStartsFromTheMarkOrFromN) {
  EXPECT_EQ(at.lease({k}).grants.at(0).fence, 0u);
  EXPECT_EQ(at.save_mark(at.mark_at(20)), store_status::ok);
  EXPECT_EQ(at.lease({other}).grants.at(0).fence, 20u);  // N of its token is older
  EXPECT_EQ(at.invalidate(at.drop(at.key("3"), 30)), store_status::ok);
  EXPECT_EQ(at.lease({at.key("4")}).grants.at(0).fence, 30u);
  // A list's from its own token, which is made now: N is the mark's time.
  EXPECT_EQ(at.lease({list}, key_kind::list).grants.at(0).fence, 20u);
  EXPECT_EQ(newest(key_kind::list), 20u);
  server.run({"DEL", at.name("r", k)});
  const auto leased = at.lease({k});
  EXPECT_EQ(leased.grants.at(0).fence, 30u);
  EXPECT_THAT(at.fill(leased.generation, {at.item(k, leased.grants[0].token, "old", 29)}),
              ElementsAre(fill_outcome::fence));
  // An old invalidation that makes the record does not make it older than that.
  EXPECT_EQ(at.invalidate(at.drop(at.key("5"), 3)), store_status::ok);
  EXPECT_EQ(at.lease({at.key("5")}).grants.at(0).fence, 30u);
}

TEST_F(RedisNewest, AMarkOfAnotherEpochSaysNothing) {
  EXPECT_EQ(at.save_mark(at.mark_at(20)), store_status::ok);
  invalidation all;
  all.everything = true;
  EXPECT_EQ(at.invalidate(all), store_status::ok);
  EXPECT_EQ(at.lease({k}).grants.at(0).fence, 0u);
  EXPECT_EQ(newest(key_kind::document), 0u);
}

// C1: skip deleting an entry only if the event's time <= its L.
TEST_F(RedisNewest, AnEventLeavesAValueThatHoldsIt) {
  EXPECT_TRUE(at.put(k, "new", 10));
  EXPECT_EQ(field(k, "v"), "000000000000000a");
  for (const cluster_time time : {9, 10}) EXPECT_EQ(at.invalidate(at.event(k, time)), store_status::ok);
  EXPECT_EQ(at.value(k), "new");
  EXPECT_EQ(at.invalidate(at.event(k, 11)), store_status::ok);
  EXPECT_EQ(at.value(k), "");
  EXPECT_EQ(field(k, "v"), "(nil)");
  EXPECT_EQ(at.lease({k}).grants.at(0).fence, 11u);
  // What is no event drops it whatever its L.
  EXPECT_TRUE(at.put(other, "new", 20));
  EXPECT_EQ(at.invalidate(at.drop(other, 9)), store_status::ok);
  EXPECT_EQ(at.value(other), "");
  EXPECT_EQ(field(other, "v"), "(nil)");
}

TEST_F(RedisNewest, AnEventThatTheFenceKnowsLeavesTheLeaseToIt) {
  EXPECT_TRUE(at.put(k, "zero"));
  EXPECT_TRUE(at.put(other, "zero"));
  EXPECT_EQ(at.invalidate(at.drop(k, 10)), store_status::ok);
  EXPECT_EQ(at.invalidate(at.drop(other, 10)), store_status::ok);
  const auto leased = at.lease({k, other});
  EXPECT_EQ(at.invalidate(at.event(k, 10)), store_status::ok);
  EXPECT_EQ(at.invalidate(at.event(other, 10)), store_status::ok);
  EXPECT_THAT(at.fill(leased.generation, {at.item(k, leased.grants.at(0).token, "old", 9),
                                          at.item(other, leased.grants.at(1).token, "new", 10)}),
              ElementsAre(fill_outcome::fence, fill_outcome::stored));
}

// Whoever reads now would wait for a fill that must be refused.
TEST_F(RedisNewest, AnEventThatIsNewsTakesTheLease) {
  const auto before = at.lease({k});
  EXPECT_EQ(at.invalidate(at.event(k, 10)), store_status::ok);
  EXPECT_TRUE(at.lease({k}).grants.at(0).granted);
  EXPECT_THAT(at.fill(before.generation, {at.item(k, before.grants.at(0).token, "new", 10)}),
              ElementsAre(fill_outcome::lease));
}

TEST_F(RedisNewest, AnEventMakesNoRecord) {
  EXPECT_TRUE(at.put(other, "one"));
  EXPECT_EQ(at.invalidate(at.event(k, 10)), store_status::ok);
  EXPECT_EQ(server.run({"EXISTS", at.name("r", k)}), "0");
  EXPECT_EQ(newest(key_kind::document), 10u);  // where its next lease starts
  EXPECT_EQ(at.lease({k}).grants.at(0).fence, 10u);
  // A value whose record was evicted cannot show its L.
  server.run({"DEL", at.name("r", other)});
  EXPECT_EQ(at.invalidate(at.event(other, 12)), store_status::ok);
  EXPECT_EQ(at.value(other), "");
  EXPECT_EQ(at.lease({other}).grants.at(0).fence, 12u);
}

TEST_F(RedisNewest, AThousandKeysAreOneCall) {
  invalidation what;
  what.ns = at.ns;
  what.lists = false;
  what.fence = 4;
  for (int i = 0; i < 1000; ++i) {
    const auto key = at.key("many" + std::to_string(i));
    what.keys.emplace_back(what.key_bytes.size(), what.key_bytes.size() + key.bytes.size());
    what.key_bytes.insert(what.key_bytes.end(), key.bytes.begin(), key.bytes.end());
  }
  const auto before = at.hub.counters().commands.load();
  EXPECT_EQ(at.invalidate(what), store_status::ok);
  EXPECT_EQ(at.hub.counters().commands.load(), before + 1);
  EXPECT_EQ(server.keys("mongocached:2:c1:r:*").size(), 1000u);
}

// Race 32 again: where nothing can be raised, nothing may stay readable.
TEST_F(RedisNewest, AFullRedisRaisesOrDrops) {
  EXPECT_TRUE(at.put(list, "many", 5, key_kind::list));
  EXPECT_TRUE(at.put(k, "old", 5));
  EXPECT_TRUE(at.put(other, "new", 10));
  fill_up();
  EXPECT_EQ(at.invalidate(at.event(other, 9)), store_status::ok);
  EXPECT_NE(at.value(other), "old");
  EXPECT_EQ(at.invalidate(at.event(k, 9)), store_status::ok);
  EXPECT_EQ(at.value(k), "");
  invalidation lists_only;
  lists_only.ns = at.ns;
  lists_only.lists = false;
  lists_only.fence = 12;
  EXPECT_EQ(at.invalidate(lists_only), store_status::ok);
  const auto got = at.get({list}, key_kind::list);
  EXPECT_TRUE(got.generation == generation_token{} || got.newest == 12);
}

TEST_F(RedisNewest, SpoiledTokensAndRecordsHeal) {
  EXPECT_TRUE(at.put(k, "one"));
  const auto token = token_key("d");
  for (const std::string& bad : {std::string("nonsense"), std::string(49, '0'), std::string(32, '0'),
                                 std::string(32, 'z') + ":" + std::string(16, '0'),
                                 std::string(32, '0') + ":" + std::string(16, 'Z'), std::string()}) {
    server.run({"SET", token, bad});
    EXPECT_EQ(at.get({k}).generation, generation_token{}) << bad;
    EXPECT_EQ(at.invalidate(at.drop(k, 1)), store_status::ok) << bad;
    EXPECT_TRUE(at.put(k, "again", 1)) << bad;
  }
  for (const auto* which : {"f", "v", "l", "e", "h", "p"}) {
    for (const std::string& bad : {std::string("nonsense"), std::string(100'000, 'z')}) {
      server.run({"HSET", at.name("r", k), which, bad});
      EXPECT_EQ(at.get_checked({k}).status, store_status::ok) << which;
      EXPECT_EQ(at.invalidate(at.event(k, 2)), store_status::ok) << which;
      server.run({"HSET", at.name("r", k), which, bad});
      EXPECT_EQ(at.lease({k}).status, store_status::ok) << which;
      EXPECT_EQ(at.invalidate(at.drop(k, 2)), store_status::ok) << which;
      EXPECT_TRUE(at.put(k, "again", 5)) << which;
      EXPECT_EQ(at.checked_value(k), "again") << which;
    }
  }
}

TEST_F(RedisNewest, AnyTypeInAnyPlaceIsAMissAndHeals) {
  EXPECT_TRUE(at.put(k, "one", 5));
  EXPECT_EQ(at.save_mark(at.mark_at(3)), store_status::ok);
  auto announced = at.drop_all(5);
  announced.announcement = new_announcement();
  announced.announced = true;
  const auto token = token_key("d");
  const auto pending = "mongocached:2:c1:p:" + token.substr(token.size() - 32);
  for (const std::string& place :
       {token, pending, at.name("r", k), at.name("v", k), std::string("mongocached:2:c1:mark")}) {
    const auto plant = [&] {
      server.run({"DEL", place});
      EXPECT_EQ(server.run({"LPUSH", place, "x"}), "1");
    };
    plant();
    EXPECT_EQ(at.get_checked({k}).status, store_status::ok) << place;
    plant();
    EXPECT_EQ(at.lease({k}).status, store_status::ok) << place;
    plant();
    EXPECT_EQ(at.invalidate(at.event(k, 5)), store_status::ok) << place;
    plant();
    EXPECT_EQ(at.invalidate(at.drop(k, 5)), store_status::ok) << place;
    plant();
    EXPECT_EQ(at.announce(announced), store_status::ok) << place;
    EXPECT_EQ(at.invalidate(announced), store_status::ok) << place;
    plant();
    EXPECT_TRUE(at.load_mark().has_value()) << place;
    EXPECT_EQ(at.save_mark(at.mark_at(4)), store_status::ok) << place;
    (void)at.lease({at.key("5")});
    EXPECT_EQ(at.invalidate(at.drop(k, 5)), store_status::ok) << place;
    EXPECT_TRUE(at.put(k, "again", 7)) << place;
    EXPECT_EQ(at.checked_value(k), "again") << place;
    EXPECT_EQ(at.load_mark()->time, 4u) << place;
  }
  EXPECT_EQ(at.hub.counters().errors.load(), 0u);
}

}  // namespace
}  // namespace mongocached::cache
