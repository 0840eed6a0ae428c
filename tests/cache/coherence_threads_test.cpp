// Read-your-writes under threads: writers bump a versioned value in a model store by the protocol of W1, readers fill
// by flights and hit the in-process cache. No read is ever older than the last write that was acknowledged when the
// read began.
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <thread>

#include "coherence_support.hpp"

namespace mongocached::cache {
namespace {

constexpr std::size_t key_count = 4;
constexpr int rounds = 2'000;

class CoherenceThreads : public ::testing::Test, protected coherence_world {
 protected:
  using version = std::uint64_t;

  // The upstream: a write takes effect somewhere between mark and acknowledgement.
  struct record {
    std::atomic<version> stored{0};
    std::atomic<version> acknowledged{0};
  };

  static void raise(std::atomic<version>& value, version to) {
    for (auto now = value.load(); now < to && !value.compare_exchange_weak(now, to);) {
    }
  }
  static const char* name(std::size_t i) { return std::array{"k0", "k1", "k2", "k3"}.at(i); }

  // One key, or now and then a wider reach, whose lists and documents fall alike.
  void write_one(std::mt19937& random) {
    const auto i = random() % key_count;
    const auto wide = random() % 64;
    auto target = keys_target({name(i)});
    if (wide == 0) target = target_of(extent::everything);
    if (wide < 4 && wide > 0) target = target_of(extent::collection, "shop", "things");
    const bool tentative = wide == 0 && random() % 2 == 0;
    version made = 0;
    {
      pending_write pending(all, one(std::move(target)), tentative);
      made = ++store[i].stored;
      pending.invalidate(made);
      // The acknowledgement reaches the client before the write is unmarked.
      raise(store[i].acknowledged, made);
    }
  }

  static version version_in(const entry& e) { return protocol::load_le<version>(e.value().data()); }

  void read_one(std::mt19937& random) {
    const auto i = random() % key_count;
    const owned_key key(name(i));
    const auto least = store[i].acknowledged.load();
    if (!all.blocked(start)) {
      if (const auto hit = all.find(ns, key_kind::document, key.view(), start)) {
        ++hits;
        if (version_in(*hit) < least) ++stale;
        return;
      }
    }
    const auto led = begin(key, {.joined = [](entry_ref) {}});
    if (!led.led) return;
    // A flight's read may be slow, and older than writes that end meanwhile.
    std::array<std::uint8_t, sizeof(version)> bytes{};
    protocol::store_le(bytes.data(), store[i].stored.load());
    if (random() % 64 == 0) std::this_thread::yield();
    all.flights().finish(*led.led, entry_of(*led.led, protocol::as_text(bytes)));
  }

  // The same for a list of all records: its value is the sum of versions, which only grows.
  void read_list(std::mt19937& random) {
    version least = 0;
    for (const auto& r : store) least += r.acknowledged.load();
    if (!all.blocked(start)) {
      if (const auto hit = all.find(ns, key_kind::list, list.view(), start)) {
        ++hits;
        if (version_in(*hit) < least) ++stale;
        return;
      }
    }
    const auto led = begin_list(list);
    if (!led.led) return;
    version sum = 0;
    for (const auto& r : store) sum += r.stored.load();
    if (random() % 64 == 0) std::this_thread::yield();
    std::array<std::uint8_t, sizeof(version)> bytes{};
    protocol::store_le(bytes.data(), sum);
    all.flights().finish(*led.led, entry_of(*led.led, protocol::as_text(bytes)));
  }

  std::array<record, key_count> store;
  std::atomic<std::uint64_t> hits{0};
  std::atomic<std::uint64_t> stale{0};
};

TEST_F(CoherenceThreads, no_hit_is_older_than_an_acknowledged_write_W1_R6) {
  std::vector<std::thread> threads;
  std::atomic<int> writing{2};
  for (unsigned w = 0; w < 2; ++w) {
    threads.emplace_back([this, w, &writing] {
      std::mt19937 random(w);
      for (int i = 0; i < rounds; ++i) {
        write_one(random);
      }
      --writing;
    });
  }
  for (unsigned r = 0; r < 3; ++r) {
    threads.emplace_back([this, r, &writing] {
      std::mt19937 random(100 + r);
      while (writing > 0) {
        read_one(random);
        read_list(random);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(stale, 0U);
  std::mt19937 random(7);
  for (int i = 0; i < 100; ++i) {
    read_one(random);
    read_list(random);
  }
  EXPECT_GT(hits, 0U);
  EXPECT_EQ(stale, 0U);
}

TEST_F(CoherenceThreads, every_waiter_is_told_exactly_once) {
  std::atomic<int> joined{0};
  std::atomic<int> told{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([this, t, &joined, &told] {
      std::mt19937 random(t);
      for (int i = 0; i < rounds; ++i) {
        const auto got = begin(a, {.joined = [&told](const entry_ref&) { ++told; }});
        if (got.how == begun::join) ++joined;
        if (got.led && random() % 3 == 0) all.flights().abandon(*got.led);
        if (got.led) all.flights().finish(*got.led, entry_of(*got.led, "value"));
        if (random() % 16 == 0) write(keys_target({"a"}));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(told, joined);
  EXPECT_EQ(all.flights().size(), 0U);
}

}  // namespace
}  // namespace mongocached::cache
