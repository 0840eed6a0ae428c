#include "daemon/pooled/upload_pace.hpp"

#include <gtest/gtest.h>

namespace mongocached::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t enough = upload_pace::least;

// A piece after so long, again and again. When it is found slow, if before `end`.
cache::instant slow_at(std::size_t piece, cache::duration each, cache::instant end) {
  upload_pace pace;
  pace.await({});
  for (cache::instant now = milliseconds(250); now < end; now += milliseconds(250)) {
    if (pace.is_slow(now)) return now;
    if (now % each == cache::duration{}) {
      pace.arrived(piece, now);
      pace.await(now);
    }
  }
  return end;
}

TEST(UploadPace, who_brings_nothing_is_slow_after_a_window) {
  EXPECT_EQ(slow_at(0, minutes(2), minutes(2)), upload_pace::window);
}

TEST(UploadPace, a_byte_now_and_then_is_no_progress) {
  EXPECT_EQ(slow_at(1, seconds(1), minutes(2)), upload_pace::window);
}

TEST(UploadPace, who_brings_enough_has_a_minute) {
  EXPECT_EQ(slow_at(enough / 4, seconds(1), minutes(2)), upload_pace::longest);
}

TEST(UploadPace, who_was_slow_and_makes_up_for_it_is_slow_no_longer) {
  upload_pace pace;
  pace.await({});
  EXPECT_TRUE(pace.is_slow(seconds(5)));
  pace.arrived(enough, seconds(6));
  pace.await(seconds(6));
  EXPECT_FALSE(pace.is_slow(seconds(10)));
  EXPECT_TRUE(pace.is_slow(seconds(15)));
}

TEST(UploadPace, what_the_upstream_takes_is_not_the_clients_fault) {
  upload_pace pace;
  pace.await({});
  pace.arrived(1, seconds(1));
  EXPECT_FALSE(pace.is_slow(minutes(5)));
  pace.await(minutes(5));
  EXPECT_FALSE(pace.is_slow(minutes(5) + seconds(3)));
}

}  // namespace
}  // namespace mongocached::daemon
