#include "cache/eviction/fifo_tinylfu.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace mongocached::cache {
namespace {

constexpr std::uint32_t object_bytes = 100;

// A cache of hooks that counts hits: what the policy decides on, and nothing else.
class cache_of_hooks {
 public:
  cache_of_hooks(std::size_t objects, std::size_t room)
      : hooks_(objects), limit_(room * object_bytes), policy_(limit_) {
    std::mt19937_64 random(7);
    for (auto& hook : hooks_) {
      hook.hash = random();
      hook.bytes = object_bytes;
    }
  }
  bool ask(std::size_t object) {
    eviction_hook& hook = hooks_[object];
    if (hook.queue != 0) {
      policy_.hit(hook);
      return true;
    }
    policy_.add(hook);
    held_ += hook.bytes;
    while (held_ > limit_) held_ -= policy_.victim()->bytes;
    return false;
  }
  [[nodiscard]] bool has(std::size_t object) const { return hooks_[object].queue != 0; }
  fifo_tinylfu& policy() { return policy_; }
  eviction_hook& hook(std::size_t object) { return hooks_[object]; }

 private:
  std::vector<eviction_hook> hooks_;
  std::uint64_t limit_;
  std::uint64_t held_ = 0;
  fifo_tinylfu policy_;
};

TEST(fifo_tinylfu, has_no_victim_when_empty) {
  fifo_tinylfu policy(1000);
  EXPECT_EQ(policy.victim(), nullptr);
}

TEST(fifo_tinylfu, gives_out_every_object_once) {
  cache_of_hooks cache(500, 1000);
  for (std::size_t object = 0; object < 500; ++object) cache.ask(object);
  for (std::size_t object = 0; object < 500; object += 3) cache.ask(object);
  std::size_t victims = 0;
  while (const eviction_hook* out = cache.policy().victim()) {
    EXPECT_EQ(out->queue, 0);
    ++victims;
  }
  EXPECT_EQ(victims, 500U);
}

TEST(fifo_tinylfu, does_not_give_out_what_was_removed) {
  cache_of_hooks cache(100, 1000);
  for (std::size_t object = 0; object < 100; ++object) cache.ask(object);
  for (std::size_t object = 0; object < 100; object += 2) cache.policy().remove(cache.hook(object));
  while (const eviction_hook* out = cache.policy().victim()) {
    EXPECT_EQ((out - &cache.hook(0)) % 2, 1);
  }
}

TEST(fifo_tinylfu, keeps_the_popular_through_a_scan) {
  constexpr std::size_t popular = 800;
  cache_of_hooks cache(100'000, 1000);
  for (int times = 0; times < 5; ++times) {
    for (std::size_t object = 0; object < popular; ++object) cache.ask(object);
  }
  for (std::size_t object = popular; object < 100'000; ++object) {
    cache.ask(object);
    cache.ask(object * 31 % popular);
  }
  std::size_t kept = 0;
  for (std::size_t object = 0; object < popular; ++object) kept += cache.has(object) ? 1 : 0;
  EXPECT_GT(kept, popular * 7 / 10);
}

TEST(fifo_tinylfu, answers_most_of_a_loop_that_is_a_little_too_large) {
  constexpr std::size_t loop = 1100;
  cache_of_hooks cache(loop, 1000);
  std::size_t hits = 0;
  for (std::size_t at = 0; at < loop * 20; ++at) hits += cache.ask(at % loop) ? 1 : 0;
  EXPECT_GT(hits, loop * 20 * 6 / 10);
}

TEST(fifo_tinylfu, follows_a_change_of_what_is_popular) {
  constexpr std::size_t popular = 500;
  cache_of_hooks cache(1'000'000, 1000);
  std::mt19937_64 random(3);
  std::size_t hits = 0;
  for (const std::size_t first : {std::size_t{0}, popular}) {
    hits = 0;
    for (std::size_t at = 0; at < 100 * popular; ++at) hits += cache.ask(first + random() % popular) ? 1 : 0;
  }
  EXPECT_GT(hits, 90 * popular);
}

}  // namespace
}  // namespace mongocached::cache
