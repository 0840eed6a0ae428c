// The store against a real Redis that behaves.
#include "cache/store/redis_store.hpp"

#include <gmock/gmock.h>

#include <boost/asio/post.hpp>

#include "store_harness.hpp"

namespace mongocached::cache {
namespace {

using test::redis_server;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RedisStore : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(at.run_until_up()) << at.hub.state(); }
  std::string name(const char* kind, key_view key) {
    return "mongocached:2:c1:" + std::string(kind) + ":{" + std::string(as_text(redis_hash(key.bytes))) + "}";
  }

  redis_server server;
  store_harness at{server};
  const key_view k = at.key("1");
  const key_view other = at.key("2");
};

TEST_F(RedisStore, AnEntryLivesFromFillToInvalidation) {
  EXPECT_EQ(at.value(k), "");
  EXPECT_TRUE(at.put(k, "one"));
  const auto got = at.get({other, k});
  EXPECT_EQ(got.status, store_status::ok);
  EXPECT_EQ(got.epoch, at.hub.epoch());
  EXPECT_NE(got.generation, generation_token{});
  ASSERT_EQ(got.items.size(), 2u);
  EXPECT_TRUE(got.items[0].bytes.empty());
  EXPECT_EQ(protocol::as_text(got.items[1].bytes), "one");
  EXPECT_GT(got.items[1].remaining, std::chrono::seconds(30));
  EXPECT_LE(got.items[1].remaining, std::chrono::seconds(60));
  EXPECT_EQ(at.invalidate(at.drop(k)), store_status::ok);
  EXPECT_EQ(at.value(k), "");
}

TEST_F(RedisStore, BytesOfAnyKindSurvive) {
  std::string bytes;
  for (int i = 0; i < 300'000; ++i) bytes.push_back(static_cast<char>(i * 31));
  EXPECT_TRUE(at.put(k, bytes));
  EXPECT_EQ(at.value(k), bytes);
}

// More than are sent together.
TEST_F(RedisStore, EachOfManyRequestsOfOneTurnGetsItsOwnAnswer) {
  const std::string large(8'000, 'x');
  ASSERT_TRUE(at.put(k, "one"));
  ASSERT_TRUE(at.put(other, large));
  constexpr std::size_t count = 100;
  std::vector<std::string> answers;
  boost::asio::post(at.context, [&] {
    for (std::size_t i = 0; i < count; ++i) {
      const std::array keys{i % 2 == 0 ? k : other};
      at.store->get(at.ns, key_kind::document, keys, [&](const get_result& got) {
        answers.emplace_back(got.items.empty() ? "" : protocol::as_text(got.items[0].bytes));
      });
    }
  });
  ASSERT_TRUE(at.run_until([&] { return answers.size() == count; }));
  for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(answers[i], i % 2 == 0 ? "one" : large) << i;
}

TEST_F(RedisStore, AGetOfNoKeysTellsEpochAndGeneration) {
  const auto got = at.get({});
  EXPECT_EQ(got.status, store_status::ok);
  EXPECT_EQ(got.epoch, at.hub.epoch());
  EXPECT_EQ(got.generation, generation_token{});
}

TEST_F(RedisStore, ManyKeysInOneCall) {
  std::vector<key_view> keys;
  keys.reserve(600);
  for (int i = 0; i < 600; ++i) keys.push_back(at.key("many" + std::to_string(i)));
  const auto leased = at.lease(keys);
  ASSERT_EQ(leased.grants.size(), keys.size());
  std::vector<fill_item> items;
  for (std::size_t i = 0; i < keys.size(); ++i) items.push_back(at.item(keys[i], leased.grants[i].token, "v"));
  EXPECT_EQ(at.fill(leased.generation, items), std::vector(keys.size(), fill_outcome::stored));
  invalidation most;
  most.ns = at.ns;
  for (std::size_t i = 1; i < keys.size(); ++i) {
    most.keys.emplace_back(most.key_bytes.size(), most.key_bytes.size() + keys[i].bytes.size());
    most.key_bytes.insert(most.key_bytes.end(), keys[i].bytes.begin(), keys[i].bytes.end());
  }
  EXPECT_EQ(at.invalidate(most), store_status::ok);
  const auto got = at.get(keys);
  ASSERT_EQ(got.items.size(), keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(got.items[i].bytes.empty(), i != 0) << i;
}

TEST_F(RedisStore, ALeaseIsHeldByOne) {
  const auto first = at.lease({k});
  ASSERT_TRUE(first.grants.at(0).granted);
  const auto again = at.lease({k});
  EXPECT_FALSE(again.grants.at(0).granted);
  EXPECT_TRUE(again.grants.at(0).taken);
  EXPECT_TRUE(at.lease({other}).grants.at(0).granted);
  const auto tokens = std::vector{first.grants[0].token};
  at.store->release(at.ns, key_kind::document, std::vector{k}, tokens);
  const auto second = at.lease({k});
  EXPECT_TRUE(second.grants.at(0).granted);
  // Giving back what is not ours changes nothing.
  at.store->release(at.ns, key_kind::document, std::vector{k}, tokens);
  EXPECT_FALSE(at.lease({k}).grants.at(0).granted);
  EXPECT_THAT(at.fill(second.generation, {at.item(k, first.grants[0].token)}), ElementsAre(fill_outcome::lease));
  EXPECT_THAT(at.fill(second.generation, {at.item(k, second.grants[0].token)}), ElementsAre(fill_outcome::stored));
  EXPECT_TRUE(at.lease({k}).grants.at(0).granted);  // a fill gives its lease back
}

TEST_F(RedisStore, ALeaseRunsOut) {
  auto options = options_for(server.uri());
  options.lease_time = milliseconds(1);
  store_harness brief(options);
  ASSERT_TRUE(brief.run_until_up());
  ASSERT_TRUE(brief.lease({k}).grants.at(0).granted);
  EXPECT_TRUE(brief.run_until([&] { return brief.lease({k}).grants.at(0).granted; }));
}

// Race 2 of coherence.md: fill after invalidate.
TEST_F(RedisStore, AnInvalidationTakesTheLeaseAway) {
  const auto leased = at.lease({k});
  EXPECT_EQ(at.invalidate(at.drop(k, 7)), store_status::ok);
  EXPECT_THAT(at.fill(leased.generation, {at.item(k, leased.grants.at(0).token, "old", 100)}),
              ElementsAre(fill_outcome::lease));
  EXPECT_EQ(at.value(k), "");
}

TEST_F(RedisStore, TheFenceRefusesAnOlderRead) {
  constexpr cluster_time fence = 0x64000000'00000005;
  EXPECT_EQ(at.invalidate(at.drop(k, fence)), store_status::ok);
  EXPECT_EQ(at.invalidate(at.drop(k, fence - 3)), store_status::ok);  // never lowered
  auto leased = at.lease({k});
  ASSERT_TRUE(leased.grants.at(0).granted);
  EXPECT_EQ(leased.grants[0].fence, fence);
  EXPECT_THAT(at.fill(leased.generation, {at.item(k, leased.grants[0].token, "old", fence - 1)}),
              ElementsAre(fill_outcome::fence));
  EXPECT_EQ(at.value(k), "");
  leased = at.lease({k});
  ASSERT_TRUE(leased.grants.at(0).granted);
  EXPECT_THAT(at.fill(leased.generation, {at.item(k, leased.grants[0].token, "new", fence)}),
              ElementsAre(fill_outcome::stored));
  EXPECT_EQ(at.value(k), "new");
}

TEST_F(RedisStore, TheFenceComparesAll64Bits) {
  constexpr cluster_time fence = 0xfffffffffffffffe;  // no double tells it from its neighbours
  EXPECT_EQ(at.invalidate(at.drop(k, fence)), store_status::ok);
  const auto leased = at.lease({k});
  EXPECT_EQ(leased.grants.at(0).fence, fence);
  EXPECT_THAT(at.fill(leased.generation, {at.item(k, leased.grants[0].token, "old", fence - 1)}),
              ElementsAre(fill_outcome::fence));
  EXPECT_TRUE(at.put(k, "new", fence));
}

// Race 17 and 18: the record is gone.
TEST_F(RedisStore, AFillWithoutItsRecordIsRefused) {
  const auto leased = at.lease({k});
  ASSERT_EQ(server.run({"DEL", name("r", k)}), "1");
  EXPECT_THAT(at.fill(leased.generation, {at.item(k, leased.grants.at(0).token)}), ElementsAre(fill_outcome::lease));
  EXPECT_EQ(at.value(k), "");
}

TEST_F(RedisStore, AGenerationThatFallsVoidsItsEntriesAndFills) {
  EXPECT_TRUE(at.put(k, "one"));
  const auto before = at.get({k});
  const auto leased = at.lease({other});
  EXPECT_EQ(leased.generation, before.generation);
  invalidation all;
  all.ns = at.ns;
  all.documents = true;
  all.lists = false;
  EXPECT_EQ(at.invalidate(all), store_status::ok);
  EXPECT_EQ(at.get({k}).generation, generation_token{});
  EXPECT_THAT(at.fill(leased.generation, {at.item(other, leased.grants.at(0).token)}),
              ElementsAre(fill_outcome::generation));
  const auto after = at.lease({other});
  EXPECT_TRUE(after.grants.at(0).granted);  // the refused fill gave its lease back
  EXPECT_NE(after.generation, generation_token{});
  EXPECT_NE(after.generation, before.generation);
  EXPECT_THAT(at.fill(before.generation, {at.item(other, after.grants[0].token)}),
              ElementsAre(fill_outcome::generation));
}

TEST_F(RedisStore, DocumentsAndListsFallApart) {
  const auto list = at.key("q", key_kind::list);
  EXPECT_TRUE(at.put(k, "one"));
  EXPECT_TRUE(at.put(list, "many", 0, key_kind::list));
  const auto documents = at.get({k}).generation;
  const auto lists = at.get({list}, key_kind::list).generation;
  EXPECT_NE(documents, lists);
  EXPECT_EQ(at.invalidate(at.drop(other, 0, true)), store_status::ok);
  EXPECT_EQ(at.get({k}).generation, documents);
  EXPECT_EQ(at.get({list}, key_kind::list).generation, generation_token{});
}

TEST_F(RedisStore, NamespacesDoNotTouchEachOther) {
  EXPECT_TRUE(at.put(k, "one"));
  const auto before = at.get({k}).generation;
  invalidation all;
  all.ns = "db.other";
  all.documents = true;
  EXPECT_EQ(at.invalidate(all), store_status::ok);
  EXPECT_EQ(at.get({k}).generation, before);
}

// coherence W5: no lease while the outcome of a write is unknown.
TEST_F(RedisStore, AHeldKeyIsNotLeased) {
  auto held = at.drop(k, 3);
  held.hold = std::chrono::hours(1);
  EXPECT_EQ(at.invalidate(held), store_status::ok);
  EXPECT_FALSE(at.lease({k}).grants.at(0).granted);
  EXPECT_EQ(at.lease({k}).grants.at(0).fence, 3u);
  EXPECT_EQ(at.invalidate(at.drop(k, 4)), store_status::ok);  // does not end the hold
  EXPECT_FALSE(at.lease({k}).grants.at(0).granted);
  EXPECT_EQ(at.lease({k}).grants.at(0).fence, 4u);
  EXPECT_TRUE(at.lease({other}).grants.at(0).granted);
  EXPECT_GT(std::stol(server.run({"PTTL", name("r", k)})), 3'500'000);  // the record outlives the hold
}

TEST_F(RedisStore, AHeldKeyIsLeasedAgainWhenTheHoldIsOver) {
  auto held = at.drop(k);
  held.hold = milliseconds(30);
  EXPECT_EQ(at.invalidate(held), store_status::ok);
  EXPECT_TRUE(at.run_until([&] { return at.lease({k}).grants.at(0).granted; }));
}

TEST_F(RedisStore, AHeldNamespaceIsNotLeased) {
  EXPECT_TRUE(at.put(k, "one"));
  invalidation held;
  held.ns = at.ns;
  held.documents = true;
  held.hold = std::chrono::hours(1);
  EXPECT_EQ(at.invalidate(held), store_status::ok);
  EXPECT_EQ(at.get({k}).generation, generation_token{});
  EXPECT_FALSE(at.lease({k}).grants.at(0).granted);
  EXPECT_FALSE(at.lease({at.key("q", key_kind::list)}, key_kind::list).grants.at(0).granted);
  const auto generation = server.keys("mongocached:2:c1:g:d:*").at(0);
  for (const auto hold : {milliseconds(0), milliseconds(1)}) {  // nothing ends a hold before its time
    held.hold = hold;
    EXPECT_EQ(at.invalidate(held), store_status::ok);
    EXPECT_EQ(server.run({"GET", generation}), "hold");
    EXPECT_GT(std::stol(server.run({"PTTL", generation})), 3'500'000);
  }
  held.hold = std::chrono::hours(2);
  EXPECT_EQ(at.invalidate(held), store_status::ok);
  EXPECT_GT(std::stol(server.run({"PTTL", generation})), 7'100'000);
  EXPECT_FALSE(at.lease({k}).grants.at(0).granted);
}

TEST_F(RedisStore, AGenerationLivesOnWithItsLeases) {
  EXPECT_TRUE(at.put(k, "one"));
  const auto generation = server.keys("mongocached:2:c1:g:d:*").at(0);
  EXPECT_EQ(server.run({"PEXPIRE", generation, "60000"}), "1");
  (void)at.lease({k});
  EXPECT_GT(std::stol(server.run({"PTTL", generation})), 3'600'000);
}

TEST_F(RedisStore, EverythingIsANewEpoch) {
  EXPECT_TRUE(at.put(k, "one"));
  const auto before = at.hub.epoch();
  ASSERT_EQ(at.epochs.size(), 1u);
  const auto leased = at.lease({other});
  invalidation all;
  all.everything = true;
  EXPECT_EQ(at.invalidate(all), store_status::ok);
  EXPECT_NE(at.hub.epoch(), before);
  EXPECT_THAT(at.epochs, ElementsAre(before, at.hub.epoch()));
  EXPECT_EQ(at.get({k}).epoch, at.hub.epoch());
}

TEST_F(RedisStore, AnotherProcessesEpochIsAdoptedOnce) {
  store_harness peer(server);
  ASSERT_TRUE(peer.run_until_up());
  EXPECT_EQ(peer.hub.epoch(), at.hub.epoch());
  EXPECT_TRUE(peer.put(k, "one"));
  EXPECT_EQ(at.value(k), "one");
  const auto leased = at.lease({other});
  invalidation all;
  all.everything = true;
  EXPECT_EQ(peer.invalidate(all), store_status::ok);
  // The fill notices: it was begun in an epoch that is over.
  EXPECT_THAT(at.fill(leased.generation, {at.item(other, leased.grants.at(0).token)}),
              ElementsAre(fill_outcome::epoch));
  EXPECT_EQ(at.hub.epoch(), peer.hub.epoch());
  EXPECT_EQ(at.get({k}).epoch, peer.hub.epoch());
  EXPECT_EQ(at.epochs.size(), 2u);
  EXPECT_EQ(peer.invalidate(all), store_status::ok);
  const auto refused = at.lease({at.key("3")});  // so does a lease
  EXPECT_FALSE(refused.grants.at(0).granted);
  EXPECT_EQ(refused.epoch, peer.hub.epoch());
  EXPECT_EQ(peer.invalidate(all), store_status::ok);
  EXPECT_EQ(at.invalidate(at.drop(k)), store_status::ok);  // and an invalidation, which is done all the same
  EXPECT_EQ(at.hub.epoch(), peer.hub.epoch());
  EXPECT_EQ(at.epochs.size(), 4u);
}

TEST_F(RedisStore, UpstreamsOnOneRedisDoNotMeet) {
  auto options = options_for(server.uri());
  options.cluster_id = "c2";
  store_harness peer(options);
  ASSERT_TRUE(peer.run_until_up());
  EXPECT_TRUE(peer.put(k, "theirs"));
  EXPECT_NE(peer.hub.epoch(), at.hub.epoch());
  EXPECT_EQ(at.value(k), "");
}

TEST_F(RedisStore, AFlushedRedisMeansANewEpoch) {
  EXPECT_TRUE(at.put(k, "one"));
  const auto before = at.hub.epoch();
  ASSERT_EQ(server.run({"FLUSHALL"}), "OK");
  EXPECT_EQ(at.get({k}).status, store_status::unavailable);  // there is no epoch to trust
  EXPECT_TRUE(at.run_until([&] { return at.hub.epoch() != before; }));
  EXPECT_TRUE(at.put(k, "two"));
  EXPECT_EQ(at.value(k), "two");
}

TEST_F(RedisStore, FlushedScriptsAreLoadedAgain) {
  EXPECT_TRUE(at.put(k, "one"));
  ASSERT_EQ(server.run({"SCRIPT", "FLUSH"}), "OK");
  EXPECT_EQ(at.invalidate(at.drop(k)), store_status::unavailable);
  EXPECT_EQ(at.hub.counters().unacknowledged.load(), 1u);
  EXPECT_TRUE(at.run_until_up());
  EXPECT_EQ(at.hub.counters().unacknowledged.load(), 0u);
  EXPECT_EQ(at.value(k), "");
  EXPECT_TRUE(at.put(k, "two"));
}

TEST_F(RedisStore, NamesAreAsDocumented) {
  EXPECT_TRUE(at.put(k, "one"));
  EXPECT_EQ(server.run({"EXISTS", name("v", k), name("r", k), "mongocached:2:c1:epoch"}), "3");
  EXPECT_EQ(server.keys("mongocached:2:c1:g:d:*").size(), 1u);
  EXPECT_EQ(server.run({"DBSIZE"}), "4");
  EXPECT_EQ(server.run({"GET", "mongocached:2:c1:epoch"}).size(), 32u + 1 + 40);
  for (const auto& key : server.keys("*")) {
    EXPECT_EQ(server.run({"TTL", key}) == "-1", key == "mongocached:2:c1:epoch") << key;
  }
}

TEST_F(RedisStore, SpoiledKeysAreMissesAndHeal) {
  EXPECT_TRUE(at.put(k, "one"));
  server.run({"PERSIST", name("v", k)});
  EXPECT_EQ(at.value(k), "");  // nothing of ours lives for ever
  server.run({"DEL", name("v", k)});
  server.run({"LPUSH", name("v", k), "x"});
  EXPECT_EQ(at.value(k), "");
  server.run({"DEL", name("r", k)});
  server.run({"SET", name("r", k), "x"});
  EXPECT_EQ(at.invalidate(at.drop(k, 5)), store_status::ok);
  EXPECT_EQ(server.run({"EXISTS", name("v", k)}), "0");
  server.run({"DEL", name("r", k)});
  server.run({"SET", name("r", k), "x"});
  EXPECT_TRUE(at.put(k, "two", 5));
  const auto generation = server.keys("mongocached:2:c1:g:d:*").at(0);
  server.run({"DEL", generation});
  server.run({"LPUSH", generation, "x"});
  EXPECT_EQ(at.get({k}).generation, generation_token{});
  EXPECT_TRUE(at.put(k, "three", 5));
  server.run({"SET", generation, "nonsense"});
  EXPECT_EQ(at.get({k}).generation, generation_token{});
  invalidation all;
  all.ns = at.ns;
  all.documents = true;
  EXPECT_EQ(at.invalidate(all), store_status::ok);
  EXPECT_TRUE(at.put(k, "four", 5));
  const auto before = at.hub.epoch();
  server.run({"DEL", "mongocached:2:c1:epoch"});
  server.run({"LPUSH", "mongocached:2:c1:epoch", "x"});
  EXPECT_EQ(at.get({k}).status, store_status::unavailable);
  EXPECT_TRUE(at.run_until([&] { return at.hub.epoch() != before; }));
  EXPECT_TRUE(at.put(k, "five", 5));
}

TEST_F(RedisStore, CountsWhatItDoes) {
  const auto before = at.hub.counters().commands.load();
  EXPECT_TRUE(at.put(k, "one"));
  EXPECT_EQ(at.value(k), "one");
  EXPECT_EQ(at.hub.counters().commands.load(), before + 1 + 1 + 2);
  EXPECT_EQ(at.hub.counters().connects.load(), 1u);
  EXPECT_EQ(at.hub.counters().errors.load(), 0u);
  EXPECT_EQ(at.hub.counters().timeouts.load(), 0u);
  EXPECT_THAT(at.hub.state(), HasSubstr("connected"));
}

TEST_F(RedisStore, HandlersAreNotCalledAfterItsEnd) {
  int called = 0;
  at.store->get(at.ns, key_kind::document, std::vector{k}, [&](const get_result&) { ++called; });
  at.store->invalidate(at.drop(k), [&](store_status) { ++called; });
  at.store.reset();
  at.context.restart();
  at.context.run();  // nothing keeps the loop alive
  EXPECT_EQ(called, 0);
}

TEST_F(RedisStore, MayBeDestroyedByAHandler) {
  bool called = false;
  at.store->get(at.ns, key_kind::document, std::vector{k}, [&](const get_result&) {
    called = true;
    at.store.reset();
  });
  at.store->get(at.ns, key_kind::document, std::vector{k}, [&](const get_result&) { ADD_FAILURE(); });
  EXPECT_TRUE(at.run_until([&] { return called; }));
  at.context.restart();
  at.context.run();
}

}  // namespace
}  // namespace mongocached::cache
