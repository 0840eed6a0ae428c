#include "cache/entry_index.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <unordered_set>
#include <vector>

namespace mongocached::cache {
namespace {

entry_ref make(std::uint64_t number, std::uint64_t hash) {
  const std::string key = "key " + std::to_string(number);
  return entry::make(protocol::as_bytes(key), hash, {}, {});
}

std::vector<entry_ref> make_many(std::size_t count) {
  std::mt19937_64 random(11);
  std::vector<entry_ref> made;
  for (std::size_t number = 0; number < count; ++number) made.push_back(make(number, random()));
  return made;
}

const entry* find(const entry_index& index, const entry& same) {
  return index.find(same.key(), same.hash());
}

TEST(entry_index, is_empty_at_first) {
  entry_index index;
  const entry_ref one = make(1, 2);
  EXPECT_EQ(find(index, *one), nullptr);
  EXPECT_FALSE(index.remove(*one));
  EXPECT_EQ(index.size(), 0U);
  EXPECT_EQ(index.bytes(), 0U);
}

TEST(entry_index, finds_all_while_it_grows_and_shrinks) {
  const auto entries = make_many(20'000);
  entry_index index;
  for (const auto& held : entries) {
    ASSERT_EQ(find(index, *held), nullptr);
    ASSERT_TRUE(index.insert(*held));
    ASSERT_EQ(find(index, *held), held.get());
  }
  EXPECT_EQ(index.size(), entries.size());
  for (const auto& held : entries) ASSERT_EQ(find(index, *held), held.get());
  for (std::size_t at = 0; at < entries.size(); at += 2) ASSERT_TRUE(index.remove(*entries[at]));
  for (std::size_t at = 0; at < entries.size(); ++at) {
    ASSERT_EQ(find(index, *entries[at]), at % 2 == 0 ? nullptr : entries[at].get());
  }
  for (std::size_t at = 1; at < entries.size(); at += 2) ASSERT_TRUE(index.remove(*entries[at]));
  EXPECT_EQ(index.size(), 0U);
  index.shrink_if_empty();
  EXPECT_EQ(index.bytes(), 0U);
}

TEST(entry_index, costs_few_bytes_an_entry) {
  const auto entries = make_many(50'000);
  entry_index index;
  for (const auto& held : entries) ASSERT_TRUE(index.insert(*held));
  EXPECT_LT(index.bytes() / entries.size(), 28U);
}

TEST(entry_index, stays_sound_under_turnover) {
  const auto entries = make_many(3000);
  std::vector<bool> in(entries.size());
  entry_index index;
  std::mt19937_64 random(5);
  for (int step = 0; step < 200'000; ++step) {
    const std::size_t at = random() % entries.size();
    if (in[at]) {
      ASSERT_TRUE(index.remove(*entries[at]));
    } else {
      ASSERT_TRUE(index.insert(*entries[at]));
    }
    in[at] = !in[at];
    const std::size_t other = random() % entries.size();
    ASSERT_EQ(find(index, *entries[other]), in[other] ? entries[other].get() : nullptr);
  }
}

TEST(entry_index, tells_keys_of_one_hash_apart) {
  entry_index index;
  const entry_ref one = make(1, 77);
  const entry_ref two = make(2, 77);
  ASSERT_TRUE(index.insert(*one));
  ASSERT_TRUE(index.insert(*two));
  EXPECT_EQ(find(index, *one), one.get());
  EXPECT_EQ(find(index, *two), two.get());
  EXPECT_TRUE(index.remove(*one));
  EXPECT_EQ(find(index, *one), nullptr);
  EXPECT_EQ(find(index, *two), two.get());
}

TEST(entry_index, refuses_more_of_one_hash_than_a_segment_holds) {
  entry_index index;
  std::vector<entry_ref> entries;
  for (std::size_t number = 0; number < entry_index::segment_room; ++number) {
    entries.push_back(make(number, 77));
    ASSERT_TRUE(index.insert(*entries.back()));
  }
  const entry_ref one_more = make(100'000, 77);
  EXPECT_FALSE(index.insert(*one_more));
  EXPECT_LT(index.bytes(), 50'000U);
  for (const auto& held : entries) ASSERT_EQ(find(index, *held), held.get());
  EXPECT_EQ(find(index, *one_more), nullptr);
}

TEST(entry_index, removes_exactly_the_entry_given) {
  entry_index index;
  const entry_ref held = make(1, 77);
  const entry_ref same_key = make(1, 77);
  ASSERT_TRUE(index.insert(*held));
  EXPECT_FALSE(index.remove(*same_key));
  EXPECT_EQ(find(index, *held), held.get());
}

TEST(entry_index, ignores_the_bits_that_all_keys_share) {
  entry_index index(4);
  std::mt19937_64 random(2);
  std::vector<entry_ref> entries;
  for (std::size_t number = 0; number < 5000; ++number) {
    entries.push_back(make(number, random() >> 4U | 0xa000000000000000ULL));
    ASSERT_TRUE(index.insert(*entries.back()));
  }
  for (const auto& held : entries) ASSERT_EQ(find(index, *held), held.get());
  EXPECT_LT(index.bytes() / entries.size(), 28U);
}

TEST(entry_index, walk_sees_what_stays_once_while_the_rest_changes) {
  const auto entries = make_many(12'000);
  entry_index index;
  for (std::size_t at = 0; at < 2000; ++at) ASSERT_TRUE(index.insert(*entries[at]));
  std::unordered_multiset<const entry*> seen;
  entry_index::part part;
  part.next = 0;
  std::size_t next_in = 2000;
  std::size_t next_out = 1000;
  do {
    index.read_part(part.next, part);
    for (std::size_t at = 0; at < part.count; ++at) seen.insert(part.entries[at]);
    // Splits the segments ahead and behind.
    for (int times = 0; times < 900 && next_in < entries.size(); ++times)
      ASSERT_TRUE(index.insert(*entries[next_in++]));
    for (int times = 0; times < 50 && next_out < 2000; ++times) ASSERT_TRUE(index.remove(*entries[next_out++]));
  } while (part.next != 0);
  for (std::size_t at = 0; at < 1000; ++at) ASSERT_EQ(seen.count(entries[at].get()), 1U);
}

}  // namespace
}  // namespace mongocached::cache
