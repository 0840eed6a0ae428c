// The pool with a hand clock and connections that are nothing but a flag.
#include "daemon/pooled/connection_pool.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "daemon/pooled/upstream_pools.hpp"

namespace mongocached::daemon {
namespace {

using std::chrono::seconds;

struct fake_link {
  explicit fake_link(int& alive_, std::uint64_t version_ = 1) : alive(alive_), version(version_) { ++alive; }
  ~fake_link() { --alive; }
  fake_link(const fake_link&) = delete;
  fake_link& operator=(const fake_link&) = delete;
  [[nodiscard]] bool is_usable() const { return usable; }
  [[nodiscard]] std::uint64_t target_version() const { return version; }

  int& alive;
  std::uint64_t version;
  bool usable = true;
};

using fake_pool = connection_pool<fake_link>;
using grant = fake_pool::grant;

class ConnectionPool : public ::testing::Test {
 protected:
  // What a request would do: the room becomes a connection.
  std::unique_ptr<fake_link> open() {
    auto had = pool.take();
    if (had.how == grant::kind::connection) return std::move(had.link);
    return had.how == grant::kind::room ? std::make_unique<fake_link>(alive) : nullptr;
  }
  fake_pool::ticket queue(int name, seconds until = seconds(100)) {
    return pool.wait(until, [this, name](grant what) {
      told.emplace_back(name, what.how);
      if (what.link) granted.push_back(std::move(what.link));
    });
  }

  using news = std::vector<std::pair<int, grant::kind>>;
  int alive = 0;
  fake_pool pool{{.connections = 2, .waiting = 3, .idle = seconds(60)}};
  news told;
  std::vector<std::unique_ptr<fake_link>> granted;
};

TEST_F(ConnectionPool, never_grants_more_than_its_limit) {
  auto a = open();
  auto b = open();
  ASSERT_TRUE(a && b);
  EXPECT_EQ(pool.take().how, grant::kind::nothing);
  EXPECT_EQ(pool.open(), 2U);
  pool.give_back(std::move(a), seconds(0));
  EXPECT_EQ(pool.take().how, grant::kind::connection);
  EXPECT_EQ(pool.take().how, grant::kind::nothing);
}

TEST_F(ConnectionPool, room_is_for_a_new_connection_beside_idle_ones) {
  pool.give_back(open(), seconds(0));
  EXPECT_TRUE(pool.take_room());
  EXPECT_FALSE(pool.take_room());
  EXPECT_EQ(pool.open(), 2U);
  EXPECT_EQ(pool.idle(), 1U);
  pool.sweep(seconds(60));  // and lets them age
  EXPECT_EQ(pool.open(), 1U);
  EXPECT_TRUE(pool.take_room());
}

TEST_F(ConnectionPool, room_that_came_to_nothing_is_there_again) {
  ASSERT_EQ(pool.take().how, grant::kind::room);
  ASSERT_EQ(pool.take().how, grant::kind::room);
  ASSERT_EQ(pool.take().how, grant::kind::nothing);
  pool.gone();
  EXPECT_EQ(pool.take().how, grant::kind::room);
}

TEST_F(ConnectionPool, who_came_first_is_served_first) {
  auto a = open();
  auto b = open();
  queue(1);
  queue(2);
  queue(3);
  EXPECT_FALSE(pool.may_wait());
  pool.give_back(std::move(a), seconds(0));
  EXPECT_EQ(told, (news{{1, grant::kind::connection}}));
  b.reset();
  pool.gone();
  EXPECT_EQ(told, (news{{1, grant::kind::connection}, {2, grant::kind::room}}));
  EXPECT_TRUE(pool.may_wait());
  EXPECT_EQ(pool.open(), 2U);
}

TEST_F(ConnectionPool, nobody_passes_those_who_wait) {
  auto a = open();
  auto b = open();
  queue(1);
  pool.give_back(std::move(a), seconds(0));
  queue(2);
  EXPECT_EQ(pool.take().how, grant::kind::nothing);
  pool.give_back(std::move(granted.front()), seconds(0));
  EXPECT_EQ(told.back().first, 2);
}

TEST_F(ConnectionPool, a_wait_ends_with_its_deadline_and_is_told_once) {
  auto a = open();
  auto b = open();
  queue(1, seconds(5));
  queue(2, seconds(9));
  pool.sweep(seconds(4));
  EXPECT_TRUE(told.empty());
  pool.sweep(seconds(5));
  EXPECT_EQ(told, (news{{1, grant::kind::nothing}}));
  pool.give_back(std::move(a), seconds(6));
  EXPECT_EQ(told.back(), (std::pair{2, grant::kind::connection}));
  pool.sweep(seconds(20));
  EXPECT_EQ(told.size(), 2U);
}

TEST_F(ConnectionPool, who_left_is_passed_over) {
  auto a = open();
  auto b = open();
  const auto first = queue(1);
  queue(2);
  pool.cancel(first);
  pool.give_back(std::move(a), seconds(0));
  EXPECT_EQ(told, (news{{1, grant::kind::nothing}, {2, grant::kind::connection}}));
}

TEST_F(ConnectionPool, one_that_is_not_clean_is_closed_and_makes_room) {
  auto a = open();
  auto b = open();
  queue(1);
  a->usable = false;
  pool.give_back(std::move(a), seconds(0));
  EXPECT_EQ(told, (news{{1, grant::kind::room}}));
  EXPECT_EQ(alive, 1);
}

TEST_F(ConnectionPool, one_that_died_while_idle_is_not_handed_out) {
  auto a = open();
  auto* const dying = a.get();
  pool.give_back(std::move(a), seconds(0));
  dying->usable = false;
  EXPECT_EQ(pool.take().how, grant::kind::room);
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(pool.open(), 1U);
}

TEST_F(ConnectionPool, the_one_used_last_is_used_next_and_the_others_age) {
  auto a = open();
  auto b = open();
  auto* const second = b.get();
  pool.give_back(std::move(a), seconds(0));
  pool.give_back(std::move(b), seconds(30));
  EXPECT_EQ(pool.take().link.get(), second);
  pool.sweep(seconds(59));
  EXPECT_EQ(pool.idle(), 1U);
  pool.sweep(seconds(60));
  EXPECT_EQ(pool.idle(), 0U);
  EXPECT_EQ(pool.open(), 1U);
}

TEST_F(ConnectionPool, connections_of_an_older_topology_are_not_used_again) {
  auto a = open();
  auto b = open();
  pool.give_back(std::move(a), seconds(0));
  pool.renew(2);
  EXPECT_EQ(alive, 1);
  pool.give_back(std::move(b), seconds(0));
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(pool.open(), 0U);
  pool.give_back((static_cast<void>(pool.take()), std::make_unique<fake_link>(alive, 2)), seconds(0));
  EXPECT_EQ(pool.idle(), 1U);
}

TEST(PoolShare, shares_add_up_to_the_pool) {
  for (std::size_t size = 1; size < 40; ++size) {
    for (std::size_t threads = 1; threads <= size; ++threads) {
      std::size_t sum = 0;
      for (std::size_t i = 0; i < threads; ++i) {
        EXPECT_GE(pool_share(size, threads, i), 1U);
        sum += pool_share(size, threads, i);
      }
      EXPECT_EQ(sum, size);
    }
  }
}

}  // namespace
}  // namespace mongocached::daemon
