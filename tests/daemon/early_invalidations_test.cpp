#include "daemon/early_invalidations.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace mongocached::daemon {
namespace {

// Keeps what it is told.
class listening_store final : public cache::shared_store {
 public:
  void get(std::string_view, cache::key_kind, std::span<const cache::key_view>,
           std::function<void(cache::get_result)>) override {}
  void lease(std::string_view, cache::key_kind, std::span<const cache::key_view>,
             std::function<void(cache::lease_result)>) override {}
  void release(std::string_view, cache::key_kind, std::span<const cache::key_view>,
               std::span<const cache::lease_token>) override {}
  void fill(std::string_view, cache::key_kind, const cache::generation_token&, std::span<const cache::fill_item>,
            std::function<void(std::span<const cache::fill_outcome>)>) override {}
  void invalidate(cache::invalidation what, std::function<void(cache::store_status)> done) override {
    told.push_back(what.everything ? "everything" : what.ns);
    done(cache::store_status::ok);
  }
  void get_checked(std::string_view, std::span<const cache::key_view>,
                   std::function<void(cache::get_result)>) override {}
  void announce(const cache::invalidation&, std::function<void(cache::store_status)>) override {}
  void load_mark(std::function<void(cache::store_status, cache::coverage_mark)>) override {}
  void save_mark(const cache::coverage_mark&, std::function<void(cache::store_status)>) override {}

  std::vector<std::string> told;
};

cache::invalidation of(std::string ns) {
  cache::invalidation out;
  out.ns = std::move(ns);
  return out;
}

TEST(EarlyInvalidations, AreTakenOverInTheirOrderAndOnce) {
  early_invalidations early;
  early.add(of("shop.a"));
  early.add(of("shop.b"));
  listening_store store;
  early.hand_to(store);
  EXPECT_THAT(store.told, ::testing::ElementsAre("shop.a", "shop.b"));
  early.hand_to(store);
  EXPECT_EQ(store.told.size(), 2U);
}

TEST(EarlyInvalidations, PastTheBoundEverythingStandsForThemAll) {
  early_invalidations early;
  for (std::size_t i = 0; i < early_invalidations::most; ++i) early.add(of("shop.a"));
  listening_store full;
  auto copy = early;
  copy.hand_to(full);
  EXPECT_EQ(full.told.size(), early_invalidations::most);
  for (int i = 0; i < 3; ++i) early.add(of("shop.b"));
  listening_store store;
  early.hand_to(store);
  EXPECT_THAT(store.told, ::testing::ElementsAre("everything"));
}

}  // namespace
}  // namespace mongocached::daemon
