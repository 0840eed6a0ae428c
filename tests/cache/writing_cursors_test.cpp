#include "cache/writing_cursors.hpp"

#include <gtest/gtest.h>

#include "coherence_support.hpp"

namespace mongocached::cache {
namespace {

std::vector<write_target> output() {
  return one(target_of(extent::collection, "shop", "out"));
}

TEST(writing_cursors, a_cursor_that_was_never_opened_writes_nothing) {
  const writing_cursors cursors;
  EXPECT_TRUE(cursors.targets(5).empty());
}

TEST(writing_cursors, a_cursor_that_was_opened_writes_its_targets_at_every_batch_W4) {
  writing_cursors cursors;
  cursors.opened(5, output());
  EXPECT_EQ(cursors.targets(5).at(0).collection, "out");
  EXPECT_EQ(cursors.targets(5).at(0).collection, "out");
  EXPECT_TRUE(cursors.targets(6).empty());
}

TEST(writing_cursors, a_reply_without_a_cursor_opens_none) {
  writing_cursors cursors;
  cursors.opened(0, output());
  EXPECT_TRUE(cursors.targets(0).empty());
}

TEST(writing_cursors, one_that_ended_makes_room) {
  writing_cursors cursors(1);
  cursors.opened(5, output());
  cursors.exhausted(7);
  EXPECT_FALSE(cursors.targets(5).empty());
  cursors.exhausted(5);
  EXPECT_TRUE(cursors.targets(5).empty());
  cursors.opened(6, output());
  EXPECT_EQ(cursors.targets(6).at(0).reach, extent::collection);
  EXPECT_TRUE(cursors.targets(7).empty());
}

TEST(writing_cursors, past_the_limit_an_unknown_cursor_reaches_everything_W4) {
  writing_cursors cursors(1);
  cursors.opened(5, output());
  cursors.opened(6, output());
  EXPECT_EQ(cursors.targets(5).at(0).reach, extent::collection);
  EXPECT_EQ(cursors.targets(6).at(0).reach, extent::everything);
  EXPECT_EQ(cursors.targets(7).at(0).reach, extent::everything);
}

}  // namespace
}  // namespace mongocached::cache
