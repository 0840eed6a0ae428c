#include "cache/coherence.hpp"

#include <gtest/gtest.h>

#include "coherence_support.hpp"

namespace mongocached::cache {
namespace {

class Coherence : public ::testing::Test, protected coherence_world {
 protected:
  static write_target ddl(write_target target) {
    target.ddl = true;
    return target;
  }
};

TEST_F(Coherence, a_write_drops_its_key_when_it_begins_W1) {
  fill(a, "old");
  const pending_write pending(all, one(keys_target({"a"})));
  EXPECT_EQ(found(a), "");
}

TEST_F(Coherence, who_only_peeks_sees_what_is_valid_and_drops_nothing) {
  const auto peeked = [this] { return static_cast<bool>(all.peek(ns, key_kind::document, a.view(), start)); };
  EXPECT_FALSE(peeked());
  fill(a, "value");
  EXPECT_TRUE(peeked());
  EXPECT_FALSE(all.peek(ns, key_kind::document, a.view(), instant::max()));
  ns.set_generation(key_kind::document, all.namespaces().next_generation());
  EXPECT_FALSE(peeked());
  EXPECT_EQ(local.stats().entries, 1U);
}

TEST_F(Coherence, a_write_leaves_the_other_documents) {
  fill(b, "other");
  write(keys_target({"a"}));
  EXPECT_EQ(found(b), "other");
}

TEST_F(Coherence, a_pending_write_blocks_flights_of_its_key_R1) {
  pending_write pending(all, one(keys_target({"a"})));
  EXPECT_EQ(begin(a).how, begun::blocked);
  pending.invalidate(5);
  EXPECT_EQ(begin(a).how, begun::blocked);
  pending.unmark();
  EXPECT_EQ(begin(a).how, begun::lead);
}

TEST_F(Coherence, a_pending_write_blocks_every_list_of_the_namespace_R1) {
  pending_write pending(all, one(keys_target({"a"})));
  EXPECT_EQ(begin_list(list).how, begun::blocked);
  pending.invalidate(5);
  pending.unmark();
  EXPECT_EQ(begin_list(list).how, begun::lead);
}

// Race 29: own insert, then list.
TEST_F(Coherence, a_write_of_one_document_drops_the_lists_W3) {
  fill(list, "rows", key_kind::list);
  write(keys_target({"a"}));
  EXPECT_EQ(found(list, key_kind::list), "");
}

TEST_F(Coherence, a_list_read_before_the_write_is_not_stored_behind_it_R6) {
  const auto led = begin_list(list).led;
  write(keys_target({"a"}));
  EXPECT_FALSE(all.flights().finish(*led, entry_of(*led, "old rows")));
  EXPECT_EQ(found(list, key_kind::list), "");
}

// Race 1.
TEST_F(Coherence, a_document_read_before_the_write_is_not_stored_behind_it_R6) {
  const auto led = begin(a).led;
  write(keys_target({"a"}));
  EXPECT_FALSE(all.flights().finish(*led, entry_of(*led, "old")));
  EXPECT_EQ(found(a), "");
}

TEST_F(Coherence, a_read_begun_behind_a_write_must_reach_its_fence_R4) {
  write(keys_target({"a"}), 7);
  EXPECT_EQ(all.fence(ns, key_kind::document, a.hash), 7U);
  EXPECT_EQ(all.fence(ns, key_kind::list, list.hash), 7U);
  EXPECT_EQ(all.fence(ns, key_kind::document, b.hash), 0U);
}

TEST_F(Coherence, a_write_without_a_time_fences_at_the_newest_seen_W1) {
  all.saw_operation_time(9);
  write(keys_target({"a"}));
  EXPECT_EQ(all.fence(ns, key_kind::document, a.hash), 9U);
}

TEST_F(Coherence, the_newest_operation_time_never_falls) {
  all.saw_operation_time(9);
  all.saw_operation_time(8);
  EXPECT_EQ(all.newest_operation_time(), 9U);
}

TEST_F(Coherence, two_writes_overlap_on_one_key) {
  pending_write first(all, one(keys_target({"a"})));
  pending_write second(all, one(keys_target({"a"})));
  first.invalidate(5);
  first.unmark();
  EXPECT_EQ(begin(a).how, begun::blocked);
  second.invalidate(6);
  second.unmark();
  EXPECT_EQ(begin(a).how, begun::lead);
}

TEST_F(Coherence, one_key_twice_in_a_write_is_unmarked_as_often) {
  write(keys_target({"a", "a"}));
  EXPECT_EQ(begin(a).how, begun::lead);
}

TEST_F(Coherence, an_unknown_outcome_keeps_the_key_blocked_for_the_hold_W5) {
  {
    pending_write pending(all, one(keys_target({"a"})));
    pending.invalidate_unknown(start);
  }
  EXPECT_EQ(begin(a, {.now = start + hold - duration(1)}).how, begun::blocked);
  EXPECT_EQ(begin(a, {.now = start + hold}).how, begun::lead);
}

TEST_F(Coherence, a_write_of_which_nobody_learned_the_outcome_is_held_as_well_W5) {
  { const pending_write pending(all, one(keys_target({"a"})), false, start); }
  EXPECT_EQ(begin(a, {.now = start + hold - duration(1)}).how, begun::blocked);
  EXPECT_EQ(begin(a, {.now = start + hold}).how, begun::lead);
}

TEST_F(Coherence, an_unknown_outcome_keeps_the_lists_blocked_for_the_hold_W5) {
  {
    pending_write pending(all, one(keys_target({"a"})));
    pending.invalidate_unknown(start);
  }
  EXPECT_EQ(begin(list, {.now = start + hold - duration(1)}, key_kind::list).how, begun::blocked);
  EXPECT_EQ(begin(list, {.now = start + hold}, key_kind::list).how, begun::lead);
}

TEST_F(Coherence, an_unknown_outcome_of_a_wide_write_blocks_look_ups_for_the_hold_W5) {
  {
    pending_write pending(all, one(target_of(extent::everything)));
    pending.invalidate_unknown(start);
  }
  EXPECT_TRUE(all.blocked(start + hold - duration(1)));
  EXPECT_FALSE(all.blocked(start + hold));
}

TEST_F(Coherence, a_write_that_nobody_settled_still_invalidates_W5) {
  const auto led = begin(a).led;
  { const pending_write pending(all, one(keys_target({"a"}))); }
  EXPECT_FALSE(all.flights().finish(*led, entry_of(*led, "old")));
  EXPECT_EQ(begin(a).how, begun::lead);
}

TEST_F(Coherence, a_write_of_a_collection_drops_all_its_documents_and_lists_W4) {
  fill(a, "old");
  fill(list, "rows", key_kind::list);
  write(target_of(extent::collection, "shop", "things"));
  EXPECT_EQ(found(a), "");
  EXPECT_EQ(found(list, key_kind::list), "");
}

TEST_F(Coherence, a_write_of_a_collection_blocks_every_document_while_pending_W4) {
  pending_write pending(all, one(target_of(extent::collection, "shop", "things")));
  EXPECT_EQ(begin(a).how, begun::blocked);
  pending.invalidate(5);
  pending.unmark();
  EXPECT_EQ(begin(a).how, begun::lead);
}

TEST_F(Coherence, a_document_read_before_a_write_of_its_collection_is_not_stored_W4) {
  const auto led = begin(a).led;
  write(target_of(extent::collection, "shop", "things"));
  EXPECT_FALSE(all.flights().finish(*led, entry_of(*led, "old")));
}

TEST_F(Coherence, a_write_of_a_collection_fences_every_document_R4) {
  write(target_of(extent::collection, "shop", "things"), 7);
  EXPECT_EQ(all.fence(ns, key_kind::document, a.hash), 7U);
}

TEST_F(Coherence, a_write_of_another_collection_leaves_this_one) {
  fill(a, "value");
  write(target_of(extent::collection, "shop", "others"));
  EXPECT_EQ(found(a), "value");
}

TEST_F(Coherence, a_write_of_the_database_reaches_its_collections_W4) {
  fill(a, "old");
  write(target_of(extent::database, "shop"));
  EXPECT_EQ(found(a), "");
}

// Who reads what a majority has would be given what was before, and leave it for the others.
TEST_F(Coherence, a_wide_write_fences_every_namespace_also_those_met_later_R4) {
  for (const auto& target : {target_of(extent::everything), target_of(extent::database, "shop")}) {
    const auto at = all.fence(ns, key_kind::document, a.hash) + 7;
    write(target, at);
    const auto& later = *all.namespaces().find_or_add("shop", "met at " + std::to_string(at));
    for (const auto kind : {key_kind::document, key_kind::list}) {
      EXPECT_EQ(all.fence(ns, kind, a.hash), at);
      EXPECT_EQ(all.fence(later, kind, a.hash), at);
    }
  }
}

TEST_F(Coherence, a_write_of_another_database_leaves_this_one) {
  fill(a, "value");
  write(target_of(extent::database, "other"));
  EXPECT_EQ(found(a), "value");
}

TEST_F(Coherence, a_write_of_everything_reaches_every_collection_W4) {
  fill(a, "old");
  fill(list, "rows", key_kind::list);
  write(target_of(extent::everything));
  EXPECT_EQ(found(a), "");
  EXPECT_EQ(found(list, key_kind::list), "");
}

TEST_F(Coherence, nothing_is_looked_up_while_a_wide_write_is_pending_R1) {
  EXPECT_FALSE(all.blocked(start));
  pending_write pending(all, one(target_of(extent::database, "other")));
  EXPECT_TRUE(all.blocked(start));
  pending.invalidate(5);
  pending.unmark();
  EXPECT_FALSE(all.blocked(start));
}

TEST_F(Coherence, a_flight_begun_during_a_wide_write_is_not_stored_behind_it_W4) {
  pending_write pending(all, one(target_of(extent::everything)));
  const auto led = begin(a).led;
  pending.invalidate(5);
  pending.unmark();
  EXPECT_FALSE(led && all.flights().finish(*led, entry_of(*led, "old")));
}

TEST_F(Coherence, a_command_that_is_not_known_drops_nothing_when_it_begins) {
  fill(a, "value");
  pending_write pending(all, one(target_of(extent::everything)), true);
  EXPECT_EQ(found(a), "value");
  pending.forget();
}

TEST_F(Coherence, a_command_that_is_not_known_blocks_look_ups_until_its_outcome_W4) {
  pending_write pending(all, one(target_of(extent::everything)), true);
  EXPECT_TRUE(all.blocked(start));
  pending.forget();
  pending.unmark();
  EXPECT_FALSE(all.blocked(start));
}

TEST_F(Coherence, a_command_that_did_nothing_leaves_the_cache) {
  fill(a, "value");
  {
    pending_write pending(all, one(target_of(extent::everything)), true);
    pending.forget();
  }
  EXPECT_EQ(found(a), "value");
}

TEST_F(Coherence, a_command_that_is_not_known_invalidates_when_it_succeeded_W4) {
  fill(a, "old");
  const auto led = begin(b).led;
  {
    pending_write pending(all, one(target_of(extent::everything)), true);
    pending.invalidate(5);
  }
  EXPECT_EQ(found(a), "");
  EXPECT_FALSE(all.flights().finish(*led, entry_of(*led, "old")));
}

TEST_F(Coherence, a_command_that_is_not_known_holds_after_an_unknown_outcome_W5) {
  {
    pending_write pending(all, one(target_of(extent::everything)), true);
    pending.invalidate_unknown(start);
  }
  EXPECT_TRUE(all.blocked(start + hold - duration(1)));
  EXPECT_FALSE(all.blocked(start + hold));
}

TEST_F(Coherence, ddl_voids_what_is_known_of_the_collection_K1) {
  ns.set_cacheability(cacheability::plain, instant::max(), ns.ddl_count());
  write(ddl(target_of(extent::collection, "shop", "things")));
  EXPECT_EQ(ns.may_cache(start), cacheability::unknown);
}

TEST_F(Coherence, ddl_on_the_database_voids_what_is_known_of_its_collections_K1) {
  ns.set_cacheability(cacheability::plain, instant::max(), ns.ddl_count());
  write(ddl(target_of(extent::database, "shop")));
  EXPECT_EQ(ns.may_cache(start), cacheability::unknown);
}

TEST_F(Coherence, an_answer_that_ddl_overtook_is_not_believed_K1) {
  const auto seen = ns.ddl_count();
  write(ddl(target_of(extent::collection, "shop", "things")));
  ns.set_cacheability(cacheability::plain, instant::max(), seen);
  EXPECT_EQ(ns.may_cache(start), cacheability::unknown);
}

TEST_F(Coherence, a_plain_write_leaves_what_is_known_of_the_collection_K1) {
  ns.set_cacheability(cacheability::plain, instant::max(), ns.ddl_count());
  write(keys_target({"a"}));
  EXPECT_EQ(ns.may_cache(start), cacheability::plain);
}

TEST_F(Coherence, a_write_to_a_missing_collection_may_create_it_K1) {
  ns.set_cacheability(cacheability::missing, instant::max(), ns.ddl_count());
  write(keys_target({"a"}));
  EXPECT_EQ(ns.may_cache(start), cacheability::unknown);
}

TEST_F(Coherence, voiding_everything_drops_entries_and_dirties_flights) {
  fill(a, "old");
  const auto led = begin(b).led;
  EXPECT_EQ(all.void_everything(), 1U);
  EXPECT_EQ(found(a), "");
  EXPECT_FALSE(all.flights().finish(*led, entry_of(*led, "old")));
}

TEST_F(Coherence, voiding_a_namespace_leaves_the_others) {
  auto& other = *all.namespaces().find_or_add("shop", "others");
  const owned_key key("a", "others");
  const auto led = all.flights()
                       .begin(other, key_kind::document, key.view(), entry_level::local, {}, true, start,
                              [] { return flight::waiter(); })
                       .led;
  all.flights().finish(*led, entry_of(*led, "value"));
  fill(a, "old");
  EXPECT_EQ(all.void_namespace(ns), 1U);
  EXPECT_EQ(found(a), "");
  EXPECT_TRUE(all.find(other, key_kind::document, key.view(), start));
}

TEST_F(Coherence, voiding_a_document_takes_the_lists_with_it) {
  fill(a, "old");
  fill(b, "other");
  fill(list, "rows", key_kind::list);
  EXPECT_EQ(all.void_document(&ns, a.view(), 5), 1U);
  EXPECT_EQ(found(a), "");
  EXPECT_EQ(found(b), "other");
  EXPECT_EQ(found(list, key_kind::list), "");
}

TEST_F(Coherence, voiding_a_document_of_an_unknown_namespace_is_harmless) {
  EXPECT_EQ(all.void_document(nullptr, a.view(), 5), 0U);
}

TEST_F(Coherence, beyond_the_limit_of_namespaces_a_write_is_harmless) {
  coherence small(local, {.max_namespaces = 0});
  pending_write pending(small, one(keys_target({"a"})));
  pending.invalidate(5);
  pending.unmark();
  EXPECT_FALSE(small.blocked(start));
}

TEST_F(Coherence, redis_is_told_the_keys_and_the_fence_W2) {
  pending_write pending(all, one(keys_target({"a", "b"})));
  pending.invalidate(7);
  const auto told = pending.for_redis();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].ns, "shop.things");
  EXPECT_EQ(told[0].keys.size(), 2U);
  EXPECT_EQ(told[0].fence, 7U);
  EXPECT_FALSE(told[0].documents);
  EXPECT_EQ(told[0].hold, duration{});
}

TEST_F(Coherence, redis_is_told_of_a_whole_collection_W4) {
  pending_write pending(all, one(target_of(extent::collection, "shop", "things")));
  pending.invalidate(7);
  EXPECT_TRUE(pending.for_redis().at(0).documents);
}

TEST_F(Coherence, redis_is_told_of_everything_for_a_database_W4) {
  pending_write pending(all, one(target_of(extent::database, "shop")));
  pending.invalidate(7);
  EXPECT_TRUE(pending.for_redis().at(0).everything);
}

TEST_F(Coherence, redis_is_told_to_hold_after_an_unknown_outcome_W5) {
  pending_write pending(all, one(keys_target({"a"})));
  pending.invalidate_unknown(start);
  EXPECT_EQ(pending.for_redis().at(0).hold, hold);
}

}  // namespace
}  // namespace mongocached::cache
