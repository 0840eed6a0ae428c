#include "daemon/backoff.hpp"

#include <gtest/gtest.h>

#include <set>

namespace mongocached::daemon {
namespace {

using std::chrono::milliseconds;

// Draws the least (1) or the most of each range. Not 0, which a distribution may draw again, and so for ever.
template <std::uint32_t Always>
struct fixed_random {
  using result_type = std::uint32_t;
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~result_type{0}; }
  result_type operator()() const { return Always; }
};

TEST(backoff, doubles_from_the_shortest_to_the_longest) {
  fixed_random<1> least;
  backoff pause(milliseconds(100), milliseconds(1000));
  for (const int half : {50, 100, 200, 400, 500, 500}) EXPECT_EQ(pause.next(least), milliseconds(half));
}

TEST(backoff, is_no_longer_than_the_longest) {
  fixed_random<~std::uint32_t{0}> most;
  backoff pause(milliseconds(100), milliseconds(250));
  for (const int whole : {100, 200, 250, 250}) EXPECT_EQ(pause.next(most), milliseconds(whole));
}

TEST(backoff, those_who_fail_together_do_not_come_back_together) {
  std::minstd_rand random;
  std::set<milliseconds> pauses;
  for (int i = 0; i < 100; ++i) pauses.insert(backoff(milliseconds(100), milliseconds(2000)).next(random));
  EXPECT_GT(pauses.size(), 20U);
}

TEST(backoff, begins_anew_once_it_went_well) {
  fixed_random<1> least;
  backoff pause(milliseconds(100), milliseconds(1000));
  EXPECT_EQ(pause.next(least), milliseconds(50));
  EXPECT_EQ(pause.next(least), milliseconds(100));
  pause.reset();
  EXPECT_EQ(pause.next(least), milliseconds(50));
}

}  // namespace
}  // namespace mongocached::daemon
