#include "cache/one_moment.hpp"

#include <gtest/gtest.h>

namespace mongocached::cache {
namespace {

constexpr cluster_time applied = 10;

struct read_at {
  std::uint32_t read;
  cluster_time upper;
  instant sent{100};
};

bool holds(std::initializer_list<read_at> entries) {
  one_moment moment(applied);
  for (const auto& one : entries) {
    entry_meta meta;
    meta.read = one.read;
    meta.lower = 5;
    meta.upper = one.upper;
    meta.filled = one.sent;
    moment.add(meta);
  }
  return moment.holds();
}

TEST(one_moment, is_what_one_read_brought) {
  EXPECT_TRUE(holds({{1, 12}, {1, 12}, {1, 12}}));
  EXPECT_FALSE(holds({{1, 12}, {2, 12}}));
}

TEST(one_moment, is_H_where_every_upper_bound_is_reached) {
  EXPECT_TRUE(holds({{1, 7}, {2, 10}, {0, 9}}));
}

// One was read before a transaction that wrote both and one behind it: 113 of 300 answers were so.
TEST(one_moment, is_not_known_where_one_may_contain_what_came_behind_H) {
  EXPECT_FALSE(holds({{1, 7}, {2, 11}}));
  EXPECT_FALSE(holds({{2, 11}, {1, 7}}));
  EXPECT_FALSE(holds({{1, 7}, {1, 12}, {2, 12}}));
}

TEST(one_moment, is_not_known_without_an_upper_bound) {
  EXPECT_FALSE(holds({{1, 7}, {2, 0}}));
}

TEST(one_moment, of_what_another_process_read_is_told_by_times_alone) {
  EXPECT_FALSE(holds({{0, 12}, {0, 12}}));
  EXPECT_TRUE(holds({{0, 8}, {0, 9}}));
}

TEST(one_moment, a_number_that_comes_again_is_another_read) {
  EXPECT_FALSE(holds({{1, 12, instant{100}}, {1, 12, instant{101}}}));
}

}  // namespace
}  // namespace mongocached::cache
