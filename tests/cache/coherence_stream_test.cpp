// What change events, writes and readers do to the cache while the process follows the stream.
#include "coherence_stream_support.hpp"

namespace mongocached::cache {
namespace {

TEST_F(CoherenceStream, an_event_drops_its_document_C1) {
  ASSERT_TRUE(fill(one_key));
  ASSERT_TRUE(fill(other_key));
  apply(event("replace", 1, 11));
  EXPECT_FALSE(holds(one_key));
  EXPECT_TRUE(holds(other_key));
}

TEST_F(CoherenceStream, an_event_leaves_an_entry_that_contains_it_C1) {
  ASSERT_TRUE(fill(one_key, 11));
  apply(event("replace", 1, 11));
  EXPECT_TRUE(holds(one_key));
}

TEST_F(CoherenceStream, a_flight_that_an_event_overtook_is_not_stored_R6) {
  const auto f = lead(key_kind::document, one_key.view(), 10);
  apply(event("replace", 1, 11));
  EXPECT_FALSE(all.flights().finish(*f, make(*f, two_teas.bytes(), 10)));
  EXPECT_FALSE(holds(one_key));
}

TEST_F(CoherenceStream, a_flight_that_reads_behind_the_event_is_stored_R6) {
  const auto f = lead(key_kind::document, one_key.view(), 11);
  apply(event("replace", 1, 11));
  EXPECT_TRUE(all.flights().finish(*f, make(*f, two_teas.bytes(), 11)));
  EXPECT_TRUE(holds(one_key));
}

TEST_F(CoherenceStream, an_event_fences_the_next_read_R4) {
  apply(event("replace", 1, 11));
  EXPECT_EQ(all.fence(ns, key_kind::document, one_key.hash), 11U);
}

// "Nothing has this _id" was served for negative_ttl behind the insertion of an equal one that has no key.
TEST_F(CoherenceStream, an_insertion_without_a_key_voids_what_is_known_of_equal_ids_S5) {
  const key half{0.5};
  const key nested{document{{"a", 0.5}}};
  for (const auto& id : {decimal(5, -1), value(document{{"a", decimal(5, -1)}})}) {
    ASSERT_TRUE(fill(half));
    ASSERT_TRUE(fill(nested));
    const auto overtaken = lead(key_kind::document, one_key.view(), 10);
    const auto redis = apply(event("insert", id, 11));
    EXPECT_FALSE(holds(half));
    EXPECT_FALSE(holds(nested));
    EXPECT_FALSE(all.flights().finish(*overtaken, make(*overtaken, two_teas.bytes(), 10)));
    EXPECT_EQ(all.fence(ns, key_kind::document, half.hash), 11U);
    ASSERT_EQ(redis.size(), 1U);
    EXPECT_TRUE(redis[0].documents && redis[0].seen && redis[0].keys.empty());
  }
}

TEST_F(CoherenceStream, an_insertion_without_a_key_reaches_a_collection_that_nobody_has_met_S5) {
  apply({{"operationType", "insert"},
         {"clusterTime", timestamp{11}},
         {"ns", document{{"db", "shop"}, {"coll", "unmet"}}},
         {"documentKey", document{{"_id", decimal(5, -1)}}}});
  const auto* unmet = all.namespaces().find("shop.unmet");
  ASSERT_NE(unmet, nullptr);
  EXPECT_EQ(unmet->fence(key_kind::document), 11U);
}

TEST_F(CoherenceStream, an_event_without_a_key_that_equals_no_other_leaves_documents_alone_S5) {
  const key half{0.5};
  ASSERT_TRUE(fill(half));
  apply(event("insert", null_value{}, 11));
  apply(event("replace", decimal(5, -1), 12));
  apply(event("delete", decimal(5, -1), 13));
  EXPECT_TRUE(holds(half));
}

TEST_F(CoherenceStream, redis_is_told_of_the_events_of_a_namespace_at_once_C1) {
  std::vector<invalidation> redis;
  for (const auto& raw : {event("replace", 1, 11), event("delete", 2, 12)}) {
    all.apply(read_change_event(raw.view()), raw.view(), redis);
  }
  ASSERT_EQ(redis.size(), 1U);
  EXPECT_EQ(redis[0].ns, "shop.things");
  EXPECT_EQ(redis[0].keys.size(), 2U);
  EXPECT_EQ(redis[0].fence, 12U);
  EXPECT_TRUE(redis[0].seen);
  EXPECT_FALSE(redis[0].lists);
  EXPECT_FALSE(redis[0].documents);
}

TEST_F(CoherenceStream, ddl_drops_everything_of_the_collection_G) {
  ASSERT_TRUE(fill(one_key));
  ASSERT_TRUE(fill(teas));
  ns.set_cacheability(cacheability::plain, instant::max(), ns.ddl_count());
  const auto redis = apply({{"operationType", "drop"},
                            {"clusterTime", timestamp{11}},
                            {"ns", document{{"db", "shop"}, {"coll", "things"}}}});
  EXPECT_FALSE(holds(one_key));
  EXPECT_FALSE(holds(teas));
  EXPECT_EQ(ns.may_cache(now), cacheability::unknown);
  EXPECT_EQ(all.fence(ns, key_kind::document, one_key.hash), 11U);
  ASSERT_EQ(redis.size(), 1U);
  EXPECT_TRUE(redis[0].documents && redis[0].lists);
}

TEST_F(CoherenceStream, a_rename_drops_both_collections_G) {
  ASSERT_TRUE(fill(one_key));
  const auto redis = apply({{"operationType", "rename"},
                            {"clusterTime", timestamp{11}},
                            {"ns", document{{"db", "shop"}, {"coll", "old"}}},
                            {"to", document{{"db", "shop"}, {"coll", "things"}}}});
  EXPECT_FALSE(holds(one_key));
  EXPECT_EQ(redis.size(), 2U);
}

TEST_F(CoherenceStream, a_dropped_database_drops_its_collections_G) {
  ASSERT_TRUE(fill(one_key));
  const auto redis =
      apply({{"operationType", "dropDatabase"}, {"clusterTime", timestamp{11}}, {"ns", document{{"db", "shop"}}}});
  EXPECT_FALSE(holds(one_key));
  ASSERT_EQ(redis.size(), 1U);
  EXPECT_EQ(redis[0].ns, "shop.things");
  EXPECT_TRUE(redis[0].documents && redis[0].lists);
}

TEST_F(CoherenceStream, an_event_that_cannot_be_understood_drops_what_it_names) {
  ASSERT_TRUE(fill(one_key));
  apply({{"operationType", "novelty"},
         {"clusterTime", timestamp{11}},
         {"ns", document{{"db", "shop"}, {"coll", "things"}}}});
  EXPECT_FALSE(holds(one_key));
}

TEST_F(CoherenceStream, an_event_drops_the_lists_that_it_may_change_M) {
  ASSERT_TRUE(fill(teas));
  apply(event("insert", 3, 11, tea(3, 4)));
  EXPECT_FALSE(holds(teas));
}

TEST_F(CoherenceStream, an_event_leaves_the_lists_that_it_cannot_change_M) {
  ASSERT_TRUE(fill(teas));
  apply(event("insert", 3, 11, pot(3)));
  apply(event("insert", 4, 12, tea(4, 9)));
  EXPECT_TRUE(holds(teas));
}

// Hundreds of lists of thousands of documents held a data thread for minutes, the stream's as well.
TEST_F(CoherenceStream, lists_fall_where_judging_them_all_would_take_too_long_M) {
  byte_buffer members;
  {
    protocol::bson_builder builder(members);
    for (int i = 0; i < 10'000; ++i) builder.append_document("0", document{{"_id", i}}.view());
  }
  std::vector<list> lists;
  const auto fill_all = [&](cluster_time lower) {
    lists.clear();
    for (int i = 0; i < 30; ++i) {
      const auto& l = lists.emplace_back(100 + i);
      const auto f = lead(key_kind::list, l.view(), lower);
      ASSERT_TRUE(f && all.flights().finish(*f, make(*f, members, lower)));
    }
  };
  const auto held = [&] { return std::ranges::count_if(lists, [&](const list& l) { return holds(l); }); };
  fill_all(10);
  apply(event("insert", 90'000, 11, pot(90'000)));
  EXPECT_EQ(held(), 30) << "a new _id is not searched for";
  apply(event("delete", 90'000, 12));
  EXPECT_GT(held(), 10);
  EXPECT_LT(held(), 25) << "one event has no more than its budget";
  for (cluster_time t = 13; t < 23; ++t) apply(event("delete", 90'000, t));
  EXPECT_EQ(held(), 0) << "nor has a batch";
  all.applied(23);
  fill_all(23);
  auto target = key_write(key{90'000});
  target.changes.push_back(inserting(pot(90'000)));
  write(target, 24);
  EXPECT_GT(held(), 10);
  EXPECT_LT(held(), 25) << "nor has a write";
}

TEST_F(CoherenceStream, an_event_without_its_document_may_change_any_list_M) {
  ASSERT_TRUE(fill(teas));
  apply(event("insert", 3, 11));
  EXPECT_FALSE(holds(teas));
}

TEST_F(CoherenceStream, a_list_read_before_the_namespace_was_written_is_not_stored_R6) {
  const auto f = lead(key_kind::list, teas.view(), 10);
  apply(event("insert", 3, 11, pot(3)));
  EXPECT_FALSE(all.flights().finish(*f, make(*f, two_teas.bytes(), 10)));
  EXPECT_FALSE(holds(teas));
}

TEST_F(CoherenceStream, a_list_that_contains_the_event_stays_C1) {
  ASSERT_TRUE(fill(teas, 11));
  apply(event("insert", 3, 11, tea(3, 4)));
  EXPECT_TRUE(holds(teas));
}

TEST_F(CoherenceStream, a_write_that_does_not_tell_bars_the_lists_until_the_stream_has_W3) {
  ASSERT_TRUE(fill(teas));
  write(key_write(one_key), 12);
  EXPECT_FALSE(holds(teas));
  apply(event("insert", 3, 12, pot(3)));
  EXPECT_FALSE(holds(teas));
  all.applied(12);
  EXPECT_TRUE(holds(teas));
}

TEST_F(CoherenceStream, a_write_that_tells_leaves_the_lists_that_it_cannot_change_W3) {
  ASSERT_TRUE(fill(teas));
  auto target = key_write(key(3));
  target.changes.push_back(inserting(pot(3)));
  write(target, 12);
  EXPECT_TRUE(holds(teas));
}

// The document may be new to the list by a write of somebody else's, which the writer has seen.
TEST_F(CoherenceStream, an_update_that_does_not_tell_the_whole_document_bars_the_lists_until_the_stream_has_W3) {
  ASSERT_TRUE(fill(teas));
  auto target = key_write(key(3));
  const document id{{"_id", 3}};
  target.changes.push_back({list_write::kind::updated, id.bytes(), {"colour"}});
  write(target, 12);
  EXPECT_FALSE(holds(teas));
  all.applied(12);
  EXPECT_TRUE(holds(teas)) << "its own change is none of the list's";
}

TEST_F(CoherenceStream, a_write_that_tells_drops_the_lists_that_it_may_change_when_it_begins_W3) {
  ASSERT_TRUE(fill(teas));
  auto target = key_write(key(3));
  target.changes.push_back(inserting(tea(3, 1)));
  const pending_write pending(all, one(target));
  EXPECT_FALSE(holds(teas));
}

// Somebody has deleted one of them, acknowledged and not told yet: to the writer it was not there any more.
TEST_F(CoherenceStream, an_own_write_is_in_the_list_though_the_window_looks_full_W3) {
  ASSERT_TRUE(fill(teas));
  apply(event("insert", 3, 11, tea(3, 9)));
  EXPECT_TRUE(holds(teas)) << "told in order, it is behind the last";
  auto target = key_write(key(4));
  target.changes.push_back(inserting(tea(4, 9)));
  write(target, 12);
  EXPECT_FALSE(holds(teas));
}

// An insertion refused for an _id that somebody else has written: the writer knows of that document now.
TEST_F(CoherenceStream, what_was_not_done_as_told_bars_the_lists_until_the_stream_has_told_W3) {
  ASSERT_TRUE(fill(teas));
  auto target = key_write(key(3));
  target.changes.push_back(inserting(pot(3)));
  {
    pending_write pending(all, one(target));
    pending.invalidate(12, false);
  }
  EXPECT_FALSE(holds(teas));
  all.applied(12);
  EXPECT_TRUE(holds(teas));
}

TEST_F(CoherenceStream, a_collection_whose_readers_do_not_wait_for_the_stream_is_dropped_at_once_W4) {
  ASSERT_TRUE(fill(teas));
  ASSERT_TRUE(fill(one_key));
  auto target = target_of(extent::collection, "shop", "things");
  target.waits_for_stream = false;
  pending_write pending(all, one(target));
  pending.invalidate(12);
  pending.unmark();
  const auto told = pending.for_redis();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(told[0].documents);
  EXPECT_TRUE(told[0].lists);
  EXPECT_FALSE(holds(teas));
  EXPECT_FALSE(holds(one_key));
  EXPECT_TRUE(fill(one_key, 12)) << "no barrier is up";
}

TEST_F(CoherenceStream, no_list_is_stored_while_a_judged_write_is_under_way_W1) {
  auto target = key_write(key(3));
  target.changes.push_back(inserting(pot(3)));
  const auto before = lead(key_kind::list, teas.view(), 10);
  pending_write pending(all, one(target));
  EXPECT_FALSE(all.flights().finish(*before, make(*before, two_teas.bytes(), 10)));
  EXPECT_EQ(lead(key_kind::list, teas.view(), 10), nullptr);
  pending.invalidate(12);
  pending.unmark();
  EXPECT_FALSE(fill(teas, 11)) << "it was read before the write";
  EXPECT_TRUE(fill(teas, 12));
}

TEST_F(CoherenceStream, a_write_of_unknown_keys_bars_the_namespace_until_the_stream_has_told_W4) {
  ASSERT_TRUE(fill(one_key));
  ASSERT_TRUE(fill(other_key));
  write(target_of(extent::collection, "shop", "things"), 12);
  EXPECT_FALSE(holds(one_key));
  EXPECT_EQ(lead(key_kind::document, one_key.view(), 12), nullptr);
  apply(event("replace", 1, 12));
  all.applied(12);
  EXPECT_FALSE(holds(one_key));
  EXPECT_TRUE(holds(other_key)) << "the write did not touch it";
}

TEST_F(CoherenceStream, a_flight_that_a_write_of_unknown_keys_overtook_is_not_stored_before_the_stream_has_told_W4) {
  const auto f = lead(key_kind::document, one_key.view(), 10);
  write(target_of(extent::collection, "shop", "things"), 12);
  EXPECT_FALSE(all.flights().finish(*f, make(*f, two_teas.bytes(), 10)));
}

TEST_F(CoherenceStream, nothing_is_looked_up_behind_a_write_of_everything_until_the_stream_has_told_W4) {
  write(target_of(extent::everything), 12);
  EXPECT_TRUE(all.blocked(now));
  all.applied(12);
  EXPECT_FALSE(all.blocked(now));
}

TEST_F(CoherenceStream, redis_is_not_told_of_writes_that_the_stream_will_tell_of_W4) {
  pending_write pending(all, one(target_of(extent::collection, "shop", "things")));
  pending.invalidate(12);
  EXPECT_TRUE(pending.for_redis().empty());
}

TEST_F(CoherenceStream, redis_is_told_of_own_ddl_at_once_W6) {
  auto target = target_of(extent::collection, "shop", "things");
  target.ddl = true;
  pending_write pending(all, one(std::move(target)));
  pending.invalidate(12);
  ASSERT_EQ(pending.for_redis().size(), 1U);
  EXPECT_TRUE(pending.for_redis()[0].documents);
}

TEST_F(CoherenceStream, an_unknown_outcome_holds_the_key_until_the_stream_covers_a_later_moment_W5) {
  pending_write pending(all, one(key_write(one_key)));
  pending.invalidate_unknown(now + milliseconds(5));
  pending.unmark();
  EXPECT_EQ(lead(key_kind::document, one_key.view(), 10), nullptr);
  EXPECT_TRUE(all.sampled({.sent = now + milliseconds(6), .operation_time = 11, .majority = 11, .election = "1"}));
  EXPECT_EQ(lead(key_kind::document, one_key.view(), 10), nullptr) << "the stream is behind that sample";
  all.applied(11);
  EXPECT_NE(lead(key_kind::document, one_key.view(), 11), nullptr);
}

TEST_F(CoherenceStream, a_bounded_reader_is_answered_while_the_gate_is_open_G1) {
  const reader bounded{.mode = promise::bounded, .max_lag = seconds(1)};
  EXPECT_TRUE(all.is_open(bounded, now + seconds(1)));
  EXPECT_FALSE(all.is_open(bounded, now + seconds(1) + milliseconds(1)));
  EXPECT_TRUE(all.is_open({.mode = promise::ttl}, now + seconds(9)));
}

TEST_F(CoherenceStream, a_causal_reader_is_answered_up_to_H_R2) {
  const entry_meta entry{.lower = 5};
  EXPECT_TRUE(all.may_answer(entry, {.after = 10, .applied = 10}, now));
  EXPECT_FALSE(all.may_answer(entry, {.after = 11, .applied = 10}, now));
  EXPECT_TRUE(all.may_answer({.lower = 11}, {.after = 11}, now));
}

// An event may be applied between the look-up and the judgement, and the entry lack it.
TEST_F(CoherenceStream, what_is_told_behind_the_look_up_covers_nothing_R2) {
  const reader before{.after = 11, .applied = all.stream().applied_to()};
  all.applied(11);
  EXPECT_FALSE(all.may_answer({.lower = 5}, before, now));
}

TEST_F(CoherenceStream, a_majority_reader_gets_what_is_settled_S1) {
  const reader majority{.level = entry_level::majority};
  EXPECT_TRUE(all.may_answer({.upper = 10}, majority, now));
  EXPECT_FALSE(all.may_answer({.upper = 11}, majority, now));
  EXPECT_TRUE(all.may_answer({.level = entry_level::majority, .upper = 11}, majority, now));
}

TEST_F(CoherenceStream, what_is_not_settled_answers_no_longer_than_the_bound_S1) {
  const reader bounded{.mode = promise::bounded, .max_lag = seconds(1)};
  const entry_meta unsettled{.upper = 11, .filled = now};
  EXPECT_TRUE(all.may_answer(unsettled, bounded, now + seconds(1)));
  EXPECT_FALSE(all.may_answer(unsettled, bounded, now + seconds(2)));
  EXPECT_TRUE(all.may_answer({.upper = 10, .filled = now}, bounded, now + seconds(2)));
}

TEST_F(CoherenceStream, who_bounds_the_age_gets_nothing_that_was_read_before) {
  const reader who{.max_age = seconds(30)};
  const entry_meta read_here{.upper = 10, .filled = now};
  EXPECT_TRUE(all.may_answer(read_here, who, now + seconds(30)));
  EXPECT_FALSE(all.may_answer(read_here, who, now + seconds(30) + duration(1)));
  EXPECT_TRUE(all.may_answer(read_here, {}, now + seconds(3600)));
  const entry_meta read_elsewhere{.age_ms = 20'000, .upper = 10, .filled = now};
  EXPECT_TRUE(all.may_answer(read_elsewhere, who, now + seconds(10)));
  EXPECT_FALSE(all.may_answer(read_elsewhere, who, now + seconds(11)));
  const entry_meta of_unknown_age{.age_ms = unknown_age_ms, .upper = 10, .filled = now};
  EXPECT_FALSE(all.may_answer(of_unknown_age, who, now));
  EXPECT_TRUE(all.may_answer(of_unknown_age, {}, now));
}

// Another process, or the settings of before, may have let it live longer.
TEST_F(CoherenceStream, no_entry_answers_beyond_the_ttl_of_the_settings_in_force) {
  const reader who{.ttl = seconds(30), .negative_ttl = seconds(5)};
  const entry_meta found{.filled = now};
  const entry_meta absent{.kind = entry_kind::absent, .filled = now};
  const entry_meta adopted{.age_ms = 20'000, .filled = now};
  const entry_meta of_unknown_age{.age_ms = unknown_age_ms, .filled = now};
  EXPECT_TRUE(all.may_answer(found, who, now + seconds(30)));
  EXPECT_FALSE(all.may_answer(found, who, now + seconds(31)));
  EXPECT_TRUE(all.may_answer(absent, who, now + seconds(5)));
  EXPECT_FALSE(all.may_answer(absent, who, now + seconds(6)));
  EXPECT_TRUE(all.may_answer(adopted, who, now + seconds(10)));
  EXPECT_FALSE(all.may_answer(adopted, who, now + seconds(11)));
  EXPECT_FALSE(all.may_answer(of_unknown_age, who, now));
}

}  // namespace
}  // namespace mongocached::cache
