#include "daemon/buffer_budget.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <vector>

namespace mongocached::daemon {
namespace {

constexpr std::size_t kib = 1024;

class BufferBudget : public ::testing::Test {
 protected:
  // Somebody in the line, and what was said to him.
  struct customer {
    buffer_budget::place at = 0;
    int told = 0;
    held_bytes got;
  };
  void queue(customer& who, std::size_t size) {
    who.at = budget.wait(size, [&who](held_bytes granted) {
      ++who.told;
      who.got = std::move(granted);
    });
  }
  bool takes(std::size_t size) {
    held_bytes probe;
    return budget.try_hold(probe, size);
  }

  buffer_budget budget{100 * kib};
};

TEST_F(BufferBudget, small_buffers_cost_nothing) {
  const auto held = budget.hold(buffer_budget::uncounted);
  EXPECT_EQ(held.size(), 0U);
  EXPECT_EQ(budget.used(), 0U);
  EXPECT_TRUE(takes(buffer_budget::uncounted));
}

TEST_F(BufferBudget, what_is_held_is_given_back) {
  {
    auto held = budget.hold(60 * kib);
    EXPECT_EQ(budget.used(), 60 * kib);
    auto moved = std::move(held);
    held.release();  // NOLINT(bugprone-use-after-move): empty by contract
    EXPECT_EQ(budget.used(), 60 * kib);
    moved.release();
    moved.release();
    EXPECT_EQ(budget.used(), 0U);
    moved = budget.hold(10 * kib);
    moved = budget.hold(20 * kib);
    EXPECT_EQ(budget.used(), 20 * kib) << "what was overwritten is gone";
  }
  EXPECT_EQ(budget.used(), 0U);
}

TEST_F(BufferBudget, who_asks_gets_no_more_than_there_is) {
  held_bytes one;
  held_bytes two;
  EXPECT_TRUE(budget.try_hold(one, 60 * kib));
  EXPECT_FALSE(budget.try_hold(two, 41 * kib));
  EXPECT_EQ(two.size(), 0U);
  EXPECT_TRUE(budget.try_hold(two, 40 * kib));
  EXPECT_TRUE(budget.is_full());
}

TEST_F(BufferBudget, what_is_there_already_is_counted_above_the_limit_too) {
  const auto held = budget.hold(150 * kib);
  EXPECT_EQ(budget.used(), 150 * kib);
  EXPECT_TRUE(budget.is_full());
  EXPECT_FALSE(takes(5 * kib));
}

TEST_F(BufferBudget, grows_by_the_difference) {
  held_bytes held;
  EXPECT_TRUE(budget.try_hold(held, 30 * kib));
  EXPECT_TRUE(budget.try_hold(held, 90 * kib));
  EXPECT_TRUE(budget.try_hold(held, 20 * kib)) << "held already";
  EXPECT_EQ(budget.used(), 90 * kib);
  EXPECT_FALSE(budget.try_hold(held, 101 * kib));
  EXPECT_EQ(held.size(), 90 * kib);
}

TEST_F(BufferBudget, what_exceeds_the_limit_has_room_when_nothing_else_is_held) {
  auto other = budget.hold(5 * kib);
  EXPECT_FALSE(budget.has_room(200 * kib));
  EXPECT_FALSE(takes(200 * kib));
  other.release();
  EXPECT_TRUE(budget.has_room(200 * kib));
  EXPECT_TRUE(takes(200 * kib));
}

TEST_F(BufferBudget, who_waits_while_there_is_room_is_served_at_once) {
  customer one;
  queue(one, 50 * kib);
  EXPECT_EQ(one.told, 1);
  EXPECT_EQ(one.got.size(), 50 * kib);
}

TEST_F(BufferBudget, the_line_is_served_in_its_order_and_nobody_passes_it) {
  auto held = budget.hold(100 * kib);
  customer large;
  customer small;
  queue(large, 80 * kib);
  queue(small, 10 * kib);
  auto rest = budget.hold(30 * kib);
  held.release();  // 70 are free: the large one does not fit yet
  EXPECT_EQ(large.told + small.told, 0);
  EXPECT_TRUE(budget.is_short());
  EXPECT_FALSE(budget.is_full());
  EXPECT_FALSE(takes(10 * kib));
  EXPECT_FALSE(budget.has_room(10 * kib));
  rest.release();
  EXPECT_EQ(large.got.size(), 80 * kib);
  EXPECT_EQ(small.got.size(), 10 * kib);
  EXPECT_EQ(budget.used(), 90 * kib);
  EXPECT_FALSE(budget.is_short());
  EXPECT_TRUE(takes(10 * kib));
}

TEST_F(BufferBudget, who_gives_up_is_told_once_and_lets_the_next_one_in) {
  auto held = budget.hold(50 * kib);
  customer large;
  customer small;
  queue(large, 80 * kib);
  queue(small, 50 * kib);
  budget.give_up(large.at);
  EXPECT_EQ(large.told, 1);
  EXPECT_EQ(large.got.size(), 0U);
  EXPECT_EQ(small.got.size(), 50 * kib);
  held.release();
  budget.give_up(large.at);
  budget.give_up(small.at);
  EXPECT_EQ(large.told, 1);
  EXPECT_EQ(small.told, 1);
}

TEST_F(BufferBudget, a_grant_that_nobody_takes_is_given_back) {
  auto held = budget.hold(100 * kib);
  static_cast<void>(budget.wait(50 * kib, [](const held_bytes&) {}));
  held.release();
  EXPECT_EQ(budget.used(), 0U);
}

TEST_F(BufferBudget, a_higher_limit_lets_the_line_in) {
  const auto held = budget.hold(100 * kib);
  customer one;
  queue(one, 50 * kib);
  budget.set_limit(150 * kib);
  EXPECT_EQ(one.got.size(), 50 * kib);
}

// Lost wake-ups would leave somebody in the line although everything has been given back.
TEST_F(BufferBudget, threads_that_hold_and_wait_all_get_their_turn) {
  constexpr int rounds = 2000;
  constexpr int threads = 4;
  std::atomic<std::uint64_t> most{0};
  const auto work = [&] {
    for (int i = 0; i < rounds; ++i) {
      std::atomic<bool> served{false};
      held_bytes held;
      if (!budget.try_hold(held, 40 * kib)) {
        static_cast<void>(budget.wait(40 * kib, [&](held_bytes granted) {
          held = std::move(granted);
          served.store(true);
        }));
        while (!served.load()) std::this_thread::yield();
      }
      const auto used = budget.used();
      auto seen = most.load();
      while (used > seen && !most.compare_exchange_weak(seen, used)) {
      }
    }
  };
  {
    std::vector<std::jthread> all;
    for (int i = 0; i < threads; ++i) all.emplace_back(work);
  }
  EXPECT_EQ(budget.used(), 0U);
  EXPECT_LE(most.load(), 100 * kib);
}

}  // namespace
}  // namespace mongocached::daemon
