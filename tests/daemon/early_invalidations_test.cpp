#include "daemon/early_invalidations.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "listening_store.hpp"

namespace mongocached::daemon {
namespace {

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
