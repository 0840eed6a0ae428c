#include "cache/namespace_state.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mongocached::cache {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr instant now{1'000};
constexpr instant later{2'000};

class NamespaceState : public ::testing::Test {
 protected:
  namespace_table table{4, 2};
  namespace_state& ns = *table.find_or_add("shop", "things.old");
};

TEST_F(NamespaceState, knows_its_parts_by_the_first_dot) {
  EXPECT_EQ(ns.name(), "shop.things.old");
  EXPECT_EQ(ns.db(), "shop");
  EXPECT_EQ(ns.collection(), "things.old");
}

TEST_F(NamespaceState, is_not_known_to_be_cacheable_at_first_K1) {
  EXPECT_EQ(ns.may_cache(now), cacheability::unknown);
}

TEST_F(NamespaceState, is_cacheable_until_the_answer_is_too_old_K1) {
  ns.set_cacheability(cacheability::plain, later, ns.ddl_count());
  EXPECT_EQ(ns.may_cache(later - duration(1)), cacheability::plain);
  EXPECT_EQ(ns.may_cache(later), cacheability::unknown);
  EXPECT_EQ(ns.last_known(), cacheability::plain);
}

TEST_F(NamespaceState, ddl_voids_the_answer_K1) {
  ns.set_cacheability(cacheability::plain, later, ns.ddl_count());
  ns.void_cacheability();
  EXPECT_EQ(ns.may_cache(now), cacheability::unknown);
}

TEST_F(NamespaceState, ddl_that_came_while_the_answer_was_on_its_way_voids_it_K1) {
  const auto seen = ns.ddl_count();
  ns.void_cacheability();
  ns.set_cacheability(cacheability::plain, later, seen);
  EXPECT_EQ(ns.may_cache(now), cacheability::unknown);
}

// Soon after the machine has started, an earlier moment lies before the clock's beginning.
TEST_F(NamespaceState, is_not_known_before_the_clock_began_either_K1) {
  EXPECT_EQ(ns.may_cache(instant{-5}), cacheability::unknown);
  EXPECT_EQ(ns.may_cache(instant{0}), cacheability::unknown);
  ns.set_cacheability(cacheability::plain, later, ns.ddl_count());
  EXPECT_EQ(ns.may_cache(instant{-5}), cacheability::plain);
  ns.void_cacheability();
  EXPECT_EQ(ns.may_cache(instant{-5}), cacheability::unknown);
}

TEST_F(NamespaceState, documents_and_lists_are_written_apart) {
  ns.writes(key_kind::list).begin();
  EXPECT_TRUE(ns.writes(key_kind::list).pending());
  EXPECT_FALSE(ns.writes(key_kind::document).pending());
}

TEST_F(NamespaceState, is_pending_until_the_last_write_ended) {
  ns.writes(key_kind::list).begin();
  ns.writes(key_kind::list).begin();
  ns.writes(key_kind::list).end();
  EXPECT_TRUE(ns.writes(key_kind::list).pending());
  ns.writes(key_kind::list).end();
  EXPECT_FALSE(ns.writes(key_kind::list).pending());
}

TEST_F(NamespaceState, a_fence_never_falls) {
  ns.raise_fence(key_kind::document, 5);
  ns.raise_fence(key_kind::document, 3);
  EXPECT_EQ(ns.fence(key_kind::document), 5U);
  EXPECT_EQ(ns.fence(key_kind::list), 0U);
}

TEST_F(NamespaceState, sums_the_counts_of_all_threads) {
  ns.counts(0).hits = 2;
  ns.counts(1).hits = 3;
  ns.counts(1).misses = 4;
  EXPECT_EQ(ns.hits(), 5U);
  EXPECT_EQ(ns.misses(), 4U);
}

TEST_F(NamespaceState, every_cacheability_has_a_name) {
  EXPECT_STREQ(name_of(cacheability::unknown), "unknown");
  EXPECT_STREQ(name_of(cacheability::plain), "plain");
  EXPECT_STREQ(name_of(cacheability::ids_only), "ids_only");
  EXPECT_STREQ(name_of(cacheability::not_cacheable), "not_cacheable");
  EXPECT_STREQ(name_of(cacheability::missing), "missing");
}

TEST(namespace_table, finds_the_same_object_again) {
  namespace_table table(10, 1);
  auto* state = table.find_or_add("shop", "things");
  EXPECT_EQ(table.find_or_add("shop", "things"), state);
  EXPECT_EQ(table.find("shop.things"), state);
}

TEST(namespace_table, does_not_find_what_was_never_added) {
  const namespace_table table(10, 1);
  EXPECT_EQ(table.find("shop.things"), nullptr);
}

TEST(namespace_table, is_bounded_but_keeps_those_it_has) {
  namespace_table table(1, 1);
  auto* state = table.find_or_add("shop", "things");
  EXPECT_EQ(table.find_or_add("shop", "others"), nullptr);
  EXPECT_EQ(table.find_or_add("shop", "things"), state);
}

TEST(namespace_table, never_gives_a_generation_twice) {
  namespace_table table(10, 1);
  const auto& first = *table.find_or_add("shop", "things");
  const auto& second = *table.find_or_add("shop", "others");
  EXPECT_NE(first.generation(key_kind::document), second.generation(key_kind::document));
  EXPECT_GT(table.next_generation(), second.generation(key_kind::document));
}

TEST(namespace_table, lists_the_collections_of_a_database_by_its_whole_name) {
  namespace_table table(10, 1);
  auto* things = table.find_or_add("shop", "things");
  auto* others = table.find_or_add("shop", "others");
  auto* longer = table.find_or_add("shopping", "things");
  EXPECT_THAT(table.of_database("shop"), UnorderedElementsAre(things, others));
  EXPECT_THAT(table.all(), UnorderedElementsAre(things, others, longer));
  EXPECT_THAT(table.of_database("sho"), IsEmpty());
}

}  // namespace
}  // namespace mongocached::cache
