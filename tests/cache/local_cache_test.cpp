#include "cache/local_cache.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace mongocached::cache {
namespace {

constexpr instant now{1'000'000};
constexpr instant later{2'000'000};

std::uint64_t hash_of(std::string_view key) {
  return hash_key(protocol::as_bytes(key));
}

entry_ref make(std::string_view key, std::string_view value, instant expires = later) {
  entry_meta meta;
  meta.expires = expires;
  return entry::make(protocol::as_bytes(key), hash_of(key), meta, protocol::as_bytes(value));
}

entry_ref find(local_cache& cache, std::string_view key, instant at = now) {
  return cache.find(protocol::as_bytes(key), hash_of(key), at);
}

bool erase(local_cache& cache, std::string_view key) {
  return cache.erase(protocol::as_bytes(key), hash_of(key));
}

TEST(local_cache, finds_what_was_inserted) {
  local_cache cache({});
  EXPECT_FALSE(find(cache, "key"));
  const entry_ref fresh = make("key", "value");
  EXPECT_TRUE(cache.insert(fresh));
  EXPECT_EQ(find(cache, "key").get(), fresh.get());
  EXPECT_FALSE(find(cache, "kez"));
  EXPECT_EQ(cache.stats().entries, 1U);
  EXPECT_EQ(cache.stats().insertions, 1U);
}

TEST(local_cache, replaces_the_entry_of_a_key) {
  local_cache cache({});
  cache.insert(make("key", "old"));
  cache.insert(make("key", "new"));
  EXPECT_EQ(protocol::as_text(find(cache, "key")->value()), "new");
  EXPECT_EQ(cache.stats().entries, 1U);
}

TEST(local_cache, takes_the_same_entry_twice) {
  local_cache cache({});
  const entry_ref fresh = make("key", "value");
  EXPECT_TRUE(cache.insert(fresh));
  EXPECT_TRUE(cache.insert(fresh));
  EXPECT_EQ(cache.stats().entries, 1U);
  EXPECT_TRUE(erase(cache, "key"));
  EXPECT_TRUE(cache.insert(fresh));
  EXPECT_TRUE(find(cache, "key"));
}

TEST(local_cache, erases_by_key) {
  local_cache cache({});
  cache.insert(make("key", "value"));
  EXPECT_TRUE(erase(cache, "key"));
  EXPECT_FALSE(find(cache, "key"));
  EXPECT_FALSE(erase(cache, "key"));
}

TEST(local_cache, erases_an_entry_only_while_it_is_the_one_held) {
  local_cache cache({});
  const entry_ref old = make("key", "old");
  const entry_ref fresh = make("key", "new");
  cache.insert(old);
  cache.insert(fresh);
  EXPECT_FALSE(cache.erase_exact(*old));
  EXPECT_TRUE(find(cache, "key"));
  EXPECT_TRUE(cache.erase_exact(*fresh));
  EXPECT_FALSE(find(cache, "key"));
}

TEST(local_cache, keeps_an_erased_entry_alive_for_its_readers) {
  local_cache cache({});
  cache.insert(make("key", "value"));
  const entry_ref reader = find(cache, "key");
  cache.clear();
  EXPECT_EQ(protocol::as_text(reader->value()), "value");
}

TEST(local_cache, never_returns_an_expired_entry) {
  local_cache cache({});
  cache.insert(make("key", "value", now + duration{1}));
  EXPECT_TRUE(find(cache, "key", now));
  EXPECT_FALSE(find(cache, "key", now + duration{1}));
  EXPECT_EQ(cache.stats().expired, 1U);
  EXPECT_EQ(cache.stats().entries, 0U);
  EXPECT_FALSE(find(cache, "key", now));
}

TEST(local_cache, erases_what_satisfies_a_predicate) {
  local_cache cache({});
  for (int number = 0; number < 5000; ++number) {
    cache.insert(make((number % 2 == 0 ? "even " : "odd ") + std::to_string(number), "value"));
  }
  const auto even = [](const entry& held) { return protocol::as_text(held.key()).starts_with("even "); };
  EXPECT_EQ(cache.erase_if(even), 2500U);
  EXPECT_EQ(cache.erase_if(even), 0U);
  EXPECT_FALSE(find(cache, "even 0"));
  EXPECT_TRUE(find(cache, "odd 1"));
  EXPECT_EQ(cache.clear(), 2500U);
  EXPECT_EQ(cache.stats().entries, 0U);
}

TEST(local_cache, holds_nothing_without_a_budget) {
  local_cache cache({.budget_bytes = 0});
  EXPECT_FALSE(cache.insert(make("key", "value")));
  EXPECT_FALSE(find(cache, "key"));
  EXPECT_FALSE(erase(cache, "key"));
  EXPECT_FALSE(cache.erase_exact(*make("key", "value")));
  EXPECT_EQ(cache.clear(), 0U);
  EXPECT_EQ(cache.stats().limit_bytes, 0U);
}

TEST(local_cache, stays_within_its_budget_and_says_so) {
  constexpr std::uint64_t budget = 1 << 20;
  local_cache cache({.budget_bytes = budget, .shards = 4});
  for (int number = 0; number < 5000; ++number) {
    ASSERT_TRUE(cache.insert(make("key " + std::to_string(number), std::string(1000, 'x'))));
    ASSERT_LE(cache.stats().bytes, budget);
  }
  const local_cache_stats stats = cache.stats();
  EXPECT_EQ(stats.limit_bytes, budget);
  EXPECT_GT(stats.bytes, budget * 9 / 10);
  EXPECT_GT(stats.entries, 700U);
  EXPECT_EQ(stats.entries + stats.evictions, stats.insertions);
}

TEST(local_cache, refuses_what_is_too_large_and_drops_what_that_outdates) {
  local_cache cache({.budget_bytes = 1 << 20, .shards = 1});
  EXPECT_TRUE(cache.insert(make("key", "small")));
  EXPECT_FALSE(cache.insert(make("key", std::string(600'000, 'x'))));
  EXPECT_FALSE(find(cache, "key"));
  EXPECT_EQ(cache.stats().refused, 1U);
}

TEST(local_cache, has_shards_that_the_largest_entry_fits_into) {
  constexpr std::uint64_t largest = 16 << 20;
  local_cache cache({.budget_bytes = 256 << 20, .largest = largest});
  EXPECT_TRUE(cache.insert(make("key", std::string(largest, 'x'))));
  EXPECT_TRUE(find(cache, "key"));
  EXPECT_EQ(cache.stats().refused, 0U);
}

TEST(local_cache, makes_room_for_a_large_entry) {
  local_cache cache({.budget_bytes = 1 << 20, .shards = 1});
  for (int number = 0; number < 3000; ++number) cache.insert(make(std::to_string(number), std::string(200, 'x')));
  const std::uint64_t before = cache.stats().evictions;
  EXPECT_TRUE(cache.insert(make("large", std::string(400'000, 'x'))));
  EXPECT_LE(cache.stats().bytes, 1U << 20U);
  EXPECT_GT(cache.stats().evictions, before);
}

TEST(local_cache, survives_a_budget_smaller_than_its_own_tables) {
  local_cache cache({.budget_bytes = 1000, .shards = 1});
  for (int number = 0; number < 100; ++number) cache.insert(make(std::to_string(number), "value"));
  EXPECT_EQ(cache.stats().entries, 0U);
}

TEST(local_cache, does_what_a_map_does) {
  local_cache cache({.budget_bytes = 1ULL << 30U, .shards = 2});
  std::map<std::string, std::pair<std::string, instant>> model;
  std::mt19937_64 random(42);
  instant clock{0};
  for (int step = 0; step < 300'000; ++step) {
    clock += duration{1};
    const std::string key = "key " + std::to_string(random() % 4000);
    const auto modelled = model.find(key);
    switch (random() % 1000) {
      case 0: {
        const char last = static_cast<char>('0' + random() % 10);
        const auto ends_so = [last](std::string_view text) { return text.back() == last; };
        const auto erased = cache.erase_if([&](const entry& held) { return ends_so(protocol::as_text(held.key())); });
        ASSERT_EQ(erased, std::erase_if(model, [&](const auto& held) { return ends_so(held.first); }));
        break;
      }
      case 1:
        if (random() % 20 == 0) {
          ASSERT_EQ(cache.clear(), model.size());
          model.clear();
        }
        break;
      default:
        switch (random() % 8) {
          case 0:
            ASSERT_EQ(erase(cache, key), modelled != model.end());
            model.erase(key);
            break;
          case 1:
          case 2:
          case 3: {
            const instant expires = clock + duration{static_cast<int>(random() % 20'000)};
            const std::string value(random() % 300, static_cast<char>('a' + random() % 26));
            ASSERT_TRUE(cache.insert(make(key, value, expires)));
            model[key] = {value, expires};
            break;
          }
          default: {
            const entry_ref found = find(cache, key, clock);
            const bool live = modelled != model.end() && clock < modelled->second.second;
            if (modelled != model.end() && !live) model.erase(modelled);
            ASSERT_EQ(static_cast<bool>(found), live);
            if (!live) break;
            ASSERT_EQ(protocol::as_text(found->key()), key);
            ASSERT_EQ(protocol::as_text(found->value()), modelled->second.first);
          }
        }
    }
    ASSERT_EQ(cache.stats().entries, model.size());
  }
  EXPECT_EQ(cache.stats().evictions, 0U);
}

// Meant for TSan and ASan; the value of a key always says the key, whoever wrote it.
TEST(local_cache, stays_sound_with_many_threads) {
  local_cache cache({.budget_bytes = 256 << 10, .shards = 2});
  std::atomic<std::uint64_t> hits{0};
  const auto work = [&](unsigned seed) {
    std::mt19937_64 random(seed);
    std::uint64_t own_hits = 0;
    for (int step = 0; step < 30'000; ++step) {
      const std::string key = "key " + std::to_string(random() % 1500);
      const auto choice = random() % 1000;
      if (choice == 0) {
        cache.clear();
      } else if (choice < 3) {
        const auto last = static_cast<std::uint8_t>('0' + random() % 10);
        cache.erase_if([last](const entry& held) { return held.key().back() == last; });
      } else if (choice < 50) {
        erase(cache, key);
      } else if (choice < 400) {
        std::string value = key + "=";
        value.resize(value.size() + random() % 600, key.back());
        const instant expires = random() % 20 == 0 ? now : later;
        const entry_ref fresh = make(key, value, expires);
        EXPECT_TRUE(cache.insert(fresh));
        if (random() % 16 == 0) cache.erase_exact(*fresh);
        if (random() % 16 == 0) cache.insert(fresh);
      } else if (const entry_ref found = find(cache, key)) {
        ++own_hits;
        EXPECT_EQ(protocol::as_text(found->key()), key);
        EXPECT_TRUE(protocol::as_text(found->value()).starts_with(key + "="));
        EXPECT_EQ(found->value().back() == '=' ? key.back() : found->value().back(), key.back());
      }
      if (choice == 999) static_cast<void>(cache.stats());
    }
    hits += own_hits;
  };
  std::vector<std::thread> threads;
  for (unsigned seed = 1; seed <= 4; ++seed) threads.emplace_back(work, seed);
  for (auto& thread : threads) thread.join();
  EXPECT_GT(hits.load(), 1000U);
  EXPECT_LE(cache.stats().bytes, cache.stats().limit_bytes);
  cache.clear();
  EXPECT_EQ(cache.stats().entries, 0U);
}

}  // namespace
}  // namespace mongocached::cache
