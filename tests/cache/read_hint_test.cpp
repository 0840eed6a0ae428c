#include "cache/read_hint.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace mongocached::cache {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const read_hint none{};
const read_hint bypass{.bypass = true};
const read_hint refresh{.refresh = true};

read_hint ttl(duration age) {
  return {.max_age = age};
}

TEST(read_hint, a_comment_that_says_nothing_to_us_is_no_hint) {
  for (const auto* comment : {"", " ", "why", "mongocached", "mongocached bypass", "Mongocached:bypass", "bypass",
                              "x=mongocached:bypass", "/*mongocached:bypass*/", "not-mongocached:ttl=1s"}) {
    EXPECT_EQ(hint_in(comment), none) << comment;
  }
}

TEST(read_hint, a_word_of_the_comment_is_one) {
  for (const auto* comment : {"mongocached:bypass", " mongocached:bypass", "report 7\tmongocached:bypass\nnightly",
                              "a mongocached:bypass", "mongocached:bypass\r\n"}) {
    EXPECT_EQ(hint_in(comment), bypass) << comment;
  }
  EXPECT_EQ(hint_in("mongocached:refresh"), refresh);
  EXPECT_EQ(hint_in("mongocached:ttl=30s"), ttl(seconds(30)));
}

TEST(read_hint, durations_are_written_as_in_the_settings) {
  EXPECT_EQ(hint_in("mongocached:ttl=7ns"), ttl(duration(7)));
  EXPECT_EQ(hint_in("mongocached:ttl=7us"), ttl(duration(7'000)));
  EXPECT_EQ(hint_in("mongocached:ttl=250ms"), ttl(milliseconds(250)));
  EXPECT_EQ(hint_in("mongocached:ttl=5m"), ttl(std::chrono::minutes(5)));
  EXPECT_EQ(hint_in("mongocached:ttl=2h"), ttl(std::chrono::hours(2)));
  EXPECT_EQ(hint_in("mongocached:ttl=106751d"), ttl(std::chrono::hours(24) * 106751));
  EXPECT_EQ(hint_in("mongocached:ttl=0"), ttl(duration{}));
  EXPECT_EQ(hint_in("mongocached:ttl=0s"), ttl(duration{}));
  EXPECT_EQ(hint_in("mongocached:ttl=007s"), ttl(seconds(7)));
}

TEST(read_hint, what_is_not_understood_is_a_reason_to_forward) {
  for (const auto* comment : {"mongocached:",
                              "mongocached: bypass",
                              "mongocached:foo",
                              "mongocached:BYPASS",
                              "mongocached:bypass,",
                              "mongocached:bypassed",
                              "mongocached:ttl",
                              "mongocached:ttl=",
                              "mongocached:ttl=abc",
                              "mongocached:ttl=s",
                              "mongocached:ttl=30",
                              "mongocached:ttl=30S",
                              "mongocached:ttl=-1s",
                              "mongocached:ttl=+1s",
                              "mongocached:ttl=1.5s",
                              "mongocached:ttl=1e3s",
                              "mongocached:ttl=1 s",
                              "mongocached:ttl=1sx",
                              "mongocached:ttl=0x1s",
                              "mongocached:ttl=106752d",
                              "mongocached:ttl=18446744073709551616ns",
                              "mongocached:ttl=18446744073709551615ns",
                              "mongocached:refresh;",
                              "mongocached:mongocached:bypass"}) {
    EXPECT_EQ(hint_in(comment).bypass, true) << comment;
  }
}

TEST(read_hint, hints_are_combined_so_that_the_stricter_holds) {
  EXPECT_TRUE(hint_in("mongocached:refresh mongocached:bypass").bypass);
  EXPECT_TRUE(hint_in("mongocached:ttl=1s mongocached:whatever").bypass);
  const auto both = hint_in("mongocached:ttl=1s mongocached:refresh");
  EXPECT_EQ(both, (read_hint{.max_age = seconds(1), .refresh = true}));
  EXPECT_EQ(hint_in("mongocached:ttl=2s mongocached:ttl=1s mongocached:ttl=3s"), ttl(seconds(1)));
}

TEST(read_hint, a_hint_behind_the_reach_is_not_looked_for) {
  for (const std::size_t before : {hint_reach - 1, hint_reach}) {
    const auto comment = std::string(before - 1, 'x') + " mongocached:ttl=1s";
    EXPECT_EQ(hint_in(comment), before == hint_reach ? none : ttl(seconds(1))) << before;
  }
  EXPECT_EQ(hint_in(std::string(10'000'000, 'm')), none);
}

TEST(read_hint, a_word_that_goes_on_and_on_is_not_understood) {
  // Cut where we stop looking, it would read as 0 seconds.
  for (const std::size_t zeros : {59U, 60U, 61U, 100'000U}) {
    const auto comment = "mongocached:ttl=" + std::string(zeros, '0') + "s";
    EXPECT_EQ(hint_in(comment), zeros == 59 ? ttl(duration{}) : bypass) << zeros;
    EXPECT_TRUE(hint_in(comment + "x").bypass) << zeros;
  }
}

TEST(read_hint, any_bytes_will_do) {
  EXPECT_EQ(hint_in(std::string_view("\0mongocached:bypass", 19)), none);
  EXPECT_TRUE(hint_in(std::string_view("mongocached:refresh\0", 20)).bypass);
  std::mt19937 random(5);  // NOLINT: the same every time
  const std::string_view parts[] = {"mongocached:", "bypass", "refresh", "ttl=", "1s", " ", "\xff\xfe", "m", "x"};
  for (int round = 0; round < 20'000; ++round) {
    std::string comment;
    for (auto left = random() % 8; left > 0; --left) comment += parts[random() % std::size(parts)];
    const auto hint = hint_in(comment);
    if (comment.find("mongocached:") == std::string::npos) {
      EXPECT_EQ(hint, none) << comment;
    }
    EXPECT_GE(hint.max_age, duration{});
    // White space around changes nothing.
    EXPECT_EQ(hint_in(" " + comment + "\n"), hint) << comment;
  }
}

}  // namespace
}  // namespace mongocached::cache
