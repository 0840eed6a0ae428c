// What the change stream, samples and writes do to the cache while the process follows the stream.
#include "coherence_support.hpp"
#include "policy_support.hpp"

namespace mongocached::cache {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr instant now = seconds(100);

// A world in which documents are {_id: n, ...} of shop.things and one list is {kind: "tea"} by price.
class CoherenceStream : public ::testing::Test {
 protected:
  CoherenceStream() {
    all.follow(true);
    advance(9);  // the log of events is whole behind the first position's successor
    advance(10);
  }

  // The stream has told everything up to `time`, and a sample says that this is all there is.
  void advance(cluster_time time) {
    all.applied(time);
    EXPECT_TRUE(all.sampled({.sent = now, .operation_time = time, .majority = time, .election = "1"}));
  }

  static document event(const char* kind, int id, cluster_time time, document full = {}) {
    document out{{"operationType", kind},
                 {"clusterTime", timestamp{time}},
                 {"ns", document{{"db", "shop"}, {"coll", "things"}}},
                 {"documentKey", document{{"_id", id}}}};
    return full.view().empty() ? out : with(out, "fullDocument", full);
  }
  std::vector<invalidation> apply(const document& raw) {
    std::vector<invalidation> redis;
    all.apply(read_change_event(raw.view()), raw.view(), redis);
    return redis;
  }

  struct key {
    explicit key(int id) {
      begin_key(bytes, key_kind::document, "shop", "things");
      const document d{{"_id", id}};
      EXPECT_TRUE(append_canonical_id(bytes, *d.view().find("_id")));
      hash = hash_key(bytes);
    }
    [[nodiscard]] key_view view() const { return {bytes, hash}; }
    byte_buffer bytes;
    std::uint64_t hash = 0;
  };
  struct list {
    list() {
      const parsed_command find(document{{"find", "things"},
                                         {"filter", document{{"kind", "tea"}}},
                                         {"sort", document{{"price", 1}}},
                                         {"limit", 2},
                                         {"$db", "shop"}});
      begin_key(bytes, key_kind::list, "shop", "things");
      EXPECT_EQ(append_list_key(bytes, find.view()), bypass_reason::none);
      hash = hash_key(bytes);
    }
    [[nodiscard]] key_view view() const { return {bytes, hash}; }
    byte_buffer bytes;
    std::uint64_t hash = 0;
  };

  flight_ref lead(key_kind kind, key_view k, cluster_time lower) {
    return all.flights().begin(ns, kind, k, entry_level::local, {0, lower}, true, now, [](entry_ref) {}).led;
  }
  static entry_ref make(const flight& f, byte_view value, cluster_time lower, cluster_time upper = 0) {
    entry_meta meta;
    meta.kind = f.kind() == key_kind::list ? entry_kind::list : entry_kind::document;
    meta.generation = f.generation();
    meta.lower = lower;
    meta.upper = upper;
    meta.filled = now;
    meta.expires = instant::max();
    return entry::make(f.key().bytes, f.key().hash, meta, value);
  }
  bool fill(const key& k, cluster_time lower = 10, cluster_time upper = 0) {
    const auto f = lead(key_kind::document, k.view(), lower);
    const document d{{"_id", 1}};
    return f && all.flights().finish(*f, make(*f, d.bytes(), lower, upper));
  }
  bool fill(const list& l, cluster_time lower = 10) {
    const auto f = lead(key_kind::list, l.view(), lower);
    return f && all.flights().finish(*f, make(*f, two_teas.bytes(), lower));
  }
  bool holds(const key& k) { return static_cast<bool>(all.find(ns, key_kind::document, k.view(), now)); }
  bool holds(const list& l) { return static_cast<bool>(all.find(ns, key_kind::list, l.view(), now)); }

  void write(const write_target& target, cluster_time at) {
    pending_write pending(all, one(target));
    pending.invalidate(at);
    pending.unmark();
  }
  write_target key_write(const key& k) {
    auto target = target_of(extent::keys, "shop", "things");
    target.key_bytes = k.bytes;
    target.keys.emplace_back(0, k.bytes.size());
    return target;
  }
  static planned_change inserting(const document& d) {
    return {list_write::kind::inserted, {d.bytes().begin(), d.bytes().end()}, {}};
  }

  static document tea(int id, int price) { return {{"_id", id}, {"kind", "tea"}, {"price", price}}; }
  static document pot(int id) { return {{"_id", id}, {"kind", "pot"}, {"price", 1}}; }

  local_cache local{{.budget_bytes = 16 << 20, .shards = 4}};
  coherence all{local, {}};
  namespace_state& ns = *all.namespaces().find_or_add("shop", "things");
  const key one_key{1};
  const key other_key{2};
  const list teas;
  const array two_teas{tea(1, 3), tea(2, 5)};
};

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

TEST_F(CoherenceStream, a_write_that_tells_drops_the_lists_that_it_may_change_when_it_begins_W3) {
  ASSERT_TRUE(fill(teas));
  auto target = key_write(key(3));
  target.changes.push_back(inserting(tea(3, 1)));
  const pending_write pending(all, one(target));
  EXPECT_FALSE(holds(teas));
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
  EXPECT_TRUE(all.may_answer(entry, {.after = 10}, now));
  EXPECT_FALSE(all.may_answer(entry, {.after = 11}, now));
  EXPECT_TRUE(all.may_answer({.lower = 11}, {.after = 11}, now));
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
  const auto after = all.flights().begin(ns, key_kind::list, teas.view(), entry_level::local, {}, true, now,
                                         [&](entry_ref) { joined = true; });
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
