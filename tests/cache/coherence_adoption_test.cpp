// What voids the cache, what other processes tell, and what is taken from Redis, while the process follows the stream.
#include "coherence_stream_support.hpp"

namespace mongocached::cache {
namespace {

TEST_F(CoherenceStream, an_election_drops_everything_S1) {
  ASSERT_TRUE(fill(one_key));
  const auto f = lead(key_kind::document, other_key.view(), 10);
  EXPECT_TRUE(all.sampled({.sent = now, .operation_time = 12, .majority = 9, .election = "2"}));
  EXPECT_FALSE(holds(one_key));
  EXPECT_FALSE(all.flights().finish(*f, make(*f, two_teas.bytes(), 10)));
  EXPECT_EQ(all.settled().majority(), 9U);
}

TEST_F(CoherenceStream, a_primary_behind_the_stream_voids_everything_C3) {
  ASSERT_TRUE(fill(one_key));
  EXPECT_FALSE(all.sampled({.sent = now, .operation_time = 9, .majority = 9, .election = "1"}));
  EXPECT_FALSE(holds(one_key));
  EXPECT_FALSE(all.is_open({.mode = promise::bounded, .max_lag = seconds(1)}, now));
  EXPECT_EQ(all.newest_operation_time(), 0U);
}

TEST_F(CoherenceStream, lost_history_voids_everything_and_shuts_the_gate_C3) {
  ASSERT_TRUE(fill(one_key));
  all.void_history();
  EXPECT_FALSE(holds(one_key));
  EXPECT_FALSE(all.is_open({.mode = promise::bounded, .max_lag = seconds(1)}, now));
}

TEST_F(CoherenceStream, without_a_stream_writes_drop_what_they_may_have_changed_W4) {
  all.follow(false);
  ASSERT_TRUE(fill(other_key));
  write(target_of(extent::collection, "shop", "things"), 12);
  EXPECT_FALSE(holds(other_key));
  EXPECT_NE(lead(key_kind::document, one_key.view(), 12), nullptr) << "there is no stream to wait for";
}

TEST_F(CoherenceStream, without_a_stream_a_judged_write_drops_the_lists_all_the_same_W3) {
  all.follow(false);
  const auto before = lead(key_kind::list, teas.view(), 0);
  auto target = key_write(key(3));
  target.changes.push_back(inserting(tea(3, 1)));
  write(target, 0);  // T2: the server gives no times
  bool joined = false;
  const auto after = all.flights().begin(ns, key_kind::list, teas.view(), entry_level::local, {}, true, now, [&] {
    joined = true;
    return flight::waiter([](entry_ref) {});
  });
  EXPECT_EQ(after.how, begun::lead) << "the flight of before does not hold the insert";
  EXPECT_FALSE(all.flights().finish(*before, make(*before, two_teas.bytes(), 0)));
  EXPECT_FALSE(joined);
}

TEST_F(CoherenceStream, a_write_that_began_before_the_stream_was_followed_does_not_rely_on_it_W4) {
  all.follow(false);
  pending_write pending(all, one(target_of(extent::collection, "shop", "things")));
  all.follow(true);
  advance(10);
  pending.invalidate(11);
  EXPECT_FALSE(pending.for_redis().empty());
  pending.unmark();
  EXPECT_FALSE(holds(one_key));
}

TEST_F(CoherenceStream, history_lost_during_a_write_takes_the_stream_from_it_W4) {
  pending_write pending(all, one(target_of(extent::collection, "shop", "things")));
  all.void_history(true);
  pending.invalidate(11);
  EXPECT_FALSE(pending.for_redis().empty());
}

TEST_F(CoherenceStream, a_refused_stream_leaves_no_barrier_that_nothing_can_reach) {
  write(target_of(extent::collection, "shop", "things"), 50);
  write(target_of(extent::everything), 50);
  all.follow(false);
  EXPECT_FALSE(all.blocked(now));
  EXPECT_TRUE(fill(one_key, 50));
  EXPECT_TRUE(holds(one_key));
}

TEST_F(CoherenceStream, a_lost_connection_drops_what_is_not_settled_S1) {
  ASSERT_TRUE(fill(one_key, 10, 9));
  ASSERT_TRUE(fill(other_key, 10, 11));
  const auto f = lead(key_kind::list, teas.view(), 10);
  const auto era = all.settled().era();
  all.void_unsettled();
  EXPECT_TRUE(holds(one_key));
  EXPECT_FALSE(holds(other_key));
  EXPECT_FALSE(all.flights().finish(*f, make(*f, two_teas.bytes(), 10)));
  EXPECT_NE(all.settled().era(), era);
}

TEST_F(CoherenceStream, a_primary_behind_the_mark_is_found_out_by_its_first_sample_C3) {
  all.follow(false);
  all.follow(true);
  all.resumed(20);
  EXPECT_FALSE(all.sampled({.sent = now, .operation_time = 19, .majority = 19, .election = "1"}));
  EXPECT_FALSE(all.is_open({.mode = promise::bounded, .max_lag = seconds(1)}, now));
}

TEST_F(CoherenceStream, a_push_drops_what_it_names) {
  ASSERT_TRUE(fill(one_key, 10));
  ASSERT_TRUE(fill(other_key, 12));
  const std::vector<byte_view> keys{one_key.bytes, other_key.bytes};
  all.pushed({"shop.things", keys, false, false, 11});
  EXPECT_FALSE(holds(one_key));
  EXPECT_TRUE(holds(other_key)) << "it contains the write";
  all.pushed({"shop.things", keys, false, false, 0});
  EXPECT_FALSE(holds(other_key)) << "without a time everything falls";
}

TEST_F(CoherenceStream, a_push_from_far_in_the_future_is_not_believed) {
  ASSERT_TRUE(fill(one_key, 10));
  const std::vector<byte_view> keys{one_key.bytes};
  all.pushed({"shop.things", keys, false, false, cluster_time{61} << 32U});
  EXPECT_TRUE(holds(one_key));
  EXPECT_LT(all.fence(ns, key_kind::document, one_key.hash), 11U);
}

TEST_F(CoherenceStream, a_flight_takes_the_L_of_what_it_adopts_R3) {
  const auto f = lead(key_kind::document, one_key.view(), 200);
  all.flights().set_lower(*f, 150);
  apply(event("replace", 1, 180));
  EXPECT_FALSE(all.flights().finish(*f, make(*f, two_teas.bytes(), 150)));
}

// R3.
class Adoption : public CoherenceStream {
 protected:
  std::optional<cluster_time> adopt(const list& l, cluster_time lower, cluster_time newest_in_redis = 0) {
    return adopt(key_kind::list, l.view(), lower, newest_in_redis);
  }
  std::optional<cluster_time> adopt(key_kind kind, key_view k, cluster_time lower, cluster_time newest_in_redis = 0) {
    entry_meta meta;
    meta.kind = kind == key_kind::list ? entry_kind::list : entry_kind::document;
    meta.lower = lower;
    const auto stored = entry::make(k.bytes, k.hash, meta, two_teas.bytes());
    cluster_time risen = 0;
    if (!all.may_adopt(ns, kind, *stored, newest_in_redis, risen)) return std::nullopt;
    return risen;
  }
};

TEST_F(Adoption, a_document_below_its_fence_is_refused_R3) {
  apply(event("replace", 1, 11));
  EXPECT_FALSE(adopt(key_kind::document, one_key.view(), 10));
  EXPECT_TRUE(adopt(key_kind::document, one_key.view(), 11));
}

TEST_F(Adoption, a_document_from_before_ddl_is_refused_R3) {
  apply({{"operationType", "drop"},
         {"clusterTime", timestamp{11}},
         {"ns", document{{"db", "shop"}, {"coll", "things"}}}});
  EXPECT_FALSE(adopt(key_kind::document, one_key.view(), 10));
}

TEST_F(Adoption, a_list_that_no_write_followed_is_taken_R3) {
  EXPECT_EQ(adopt(teas, 10), 10U);
}

TEST_F(Adoption, a_list_that_only_harmless_writes_followed_is_taken_and_its_L_rises_R3) {
  apply(event("insert", 3, 11, pot(3)));
  all.applied(11);
  EXPECT_EQ(adopt(teas, 10, 11), 11U);
}

TEST_F(Adoption, a_list_that_a_write_may_have_changed_is_refused_R3) {
  apply(event("insert", 3, 11, tea(3, 1)));
  all.applied(11);
  EXPECT_FALSE(adopt(teas, 10, 11));
}

TEST_F(Adoption, a_list_is_refused_while_the_stream_has_not_told_of_the_newest_write_R3) {
  apply(event("insert", 3, 11, pot(3)));
  all.applied(11);
  EXPECT_FALSE(adopt(teas, 10, 12)) << "Redis knows of a write that is not here yet";
  write(key_write(one_key), 13);
  EXPECT_FALSE(adopt(teas, 10, 11)) << "so does this process";
}

TEST_F(Adoption, a_list_from_before_the_log_begins_is_refused_R3) {
  apply(event("insert", 3, 11, pot(3)));
  all.applied(11);
  EXPECT_FALSE(adopt(teas, 9, 11));
}

TEST_F(Adoption, a_namespace_met_after_an_event_knows_of_it_R3) {
  apply({{"operationType", "delete"},
         {"clusterTime", timestamp{11}},
         {"ns", document{{"db", "shop"}, {"coll", "unmet"}}},
         {"documentKey", document{{"_id", 1}}}});
  EXPECT_EQ(all.namespaces().find_or_add("shop", "unmet")->lists().newest(), 11U);
}

}  // namespace
}  // namespace mongocached::cache
