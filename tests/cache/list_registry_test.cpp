#include "cache/list_registry.hpp"

#include <gtest/gtest.h>

#include "cache/namespace_state.hpp"
#include "coherence_support.hpp"

namespace mongocached::cache {
namespace {

class ListRegistry : public ::testing::Test {
 protected:
  static constexpr std::size_t key_size = 1'000;
  static constexpr std::size_t cost = key_size + list_registry::key_overhead;

  static owned_key key_of(int i) { return owned_key(std::to_string(i) + std::string(key_size - 100, 'k')); }
  static std::size_t cost_of(int i) { return key_of(i).bytes.size() + list_registry::key_overhead; }

  namespace_state& space(int i) { return *table.find_or_add("shop", "c" + std::to_string(i)); }
  // Whether the list is in memory then.
  bool insert(namespace_state& ns, int i) {
    const auto key = key_of(i);
    entry_meta meta;
    meta.expires = instant::max();
    EXPECT_TRUE(ns.lists().insert(local, entry::make(key.bytes, key.hash, meta, {}), [] { return true; }));
    return holds(i);
  }
  bool holds(int i) {
    const auto key = key_of(i);
    return static_cast<bool>(local.peek(key.bytes, key.hash));
  }
  // As eviction would.
  void evict(int i) {
    const auto key = key_of(i);
    ASSERT_TRUE(local.erase(key.bytes, key.hash));
  }
  void write(namespace_state& ns) {
    const list_write anything;
    step_budget budget(list_registry::steps_a_write);
    ns.lists().judge(local, {&anything, 1}, 0, budget);
  }

  local_cache local{{.budget_bytes = 64 << 20, .shards = 1}};
  namespace_table table{100, 1, 10 * cost};
};

TEST_F(ListRegistry, keys_of_all_namespaces_together_have_a_bound_and_what_is_in_memory_is_found) {
  int held = 0;
  for (int i = 0; i < 30; ++i) held += insert(space(i), i) ? 1 : 0;
  EXPECT_GT(held, 8);
  EXPECT_LE(table.list_keys().used(), table.list_keys().limit());
  for (int i = 0; i < 30; ++i) write(space(i));
  EXPECT_EQ(local.stats().entries, 0U);
  EXPECT_EQ(table.list_keys().used(), 0U);
}

TEST_F(ListRegistry, a_list_that_is_known_needs_no_room_of_its_own) {
  int i = 0;
  while (insert(space(i), i)) ++i;
  EXPECT_TRUE(insert(space(0), 0));
  evict(0);
  EXPECT_TRUE(insert(space(0), 0));
  write(space(0));
  EXPECT_FALSE(holds(0));
}

TEST_F(ListRegistry, a_list_that_is_too_large_for_the_memory_takes_no_room) {
  local_cache small({.budget_bytes = 0});
  auto& ns = space(0);
  const auto key = key_of(0);
  EXPECT_TRUE(ns.lists().insert(small, entry::make(key.bytes, key.hash, {}, {}), [] { return true; }));
  EXPECT_EQ(table.list_keys().used(), 0U);
}

TEST_F(ListRegistry, a_sweep_gives_back_what_evicted_lists_of_quiet_namespaces_took) {
  int i = 0;
  while (insert(space(i), i)) ++i;
  for (int gone = 1; gone < i; ++gone) evict(gone);
  EXPECT_FALSE(insert(space(50), 50));
  table.forget_evicted_lists(local);
  EXPECT_EQ(table.list_keys().used(), cost_of(0));
  EXPECT_TRUE(insert(space(50), 50));
}

// Each insertion looked at every key of the namespace, under its lock.
TEST_F(ListRegistry, a_walk_that_freed_little_is_not_repeated_at_once) {
  namespace_table roomy{1, 1};
  auto& ns = *roomy.find_or_add("shop", "things");
  constexpr int most = list_registry::max_lists;
  for (int i = 0; i < most; ++i) ASSERT_TRUE(insert(ns, i));
  EXPECT_FALSE(insert(ns, most));
  evict(0);
  int refused = 0;
  while (!insert(ns, most)) ASSERT_LT(++refused, most / 10) << "what was evicted is noticed some time";
  EXPECT_GT(refused, most / 20);
  write(ns);
  EXPECT_EQ(local.stats().entries, 0U) << "what is in memory is found";
}

TEST_F(ListRegistry, a_walk_that_freed_much_may_be_repeated) {
  namespace_table roomy{1, 1};
  auto& ns = *roomy.find_or_add("shop", "things");
  constexpr int most = list_registry::max_lists;
  for (int i = 0; i < most; ++i) ASSERT_TRUE(insert(ns, i));
  for (int i = 0; i < most / 2; ++i) evict(i);
  for (int i = 0; i < most / 2; ++i) ASSERT_TRUE(insert(ns, most + i));
  evict(most);
  EXPECT_TRUE(insert(ns, most + most / 2));
}

}  // namespace
}  // namespace mongocached::cache
