// Rule C2: how far the stream counts as applied.
#include "cache/stream_position.hpp"

#include <gtest/gtest.h>

namespace mongocached::cache {
namespace {

using batch = stream_position::batch;

constexpr cluster_time from = 1000;

stream_position opened_at(cluster_time time, bool mongos = false) {
  stream_position position;
  position.opened(time, mongos);
  return position;
}

batch empty(cluster_time token, cluster_time operation_time) {
  return {.token = token, .operation_time = operation_time};
}

batch events(cluster_time last, cluster_time operation_time) {
  return {.token = last, .last_event = last, .operation_time = operation_time};
}

TEST(stream_position, nothing_is_known_at_first) {
  EXPECT_EQ(stream_position().value(), 0U);
}

TEST(stream_position, opening_covers_what_is_older_and_an_empty_batch_the_time_itself) {
  auto position = opened_at(from);
  EXPECT_EQ(position.applied(empty(from, from)), from - 1);
  EXPECT_EQ(position.applied(empty(from, from)), from);
  EXPECT_EQ(position.applied(empty(from + 7, from + 9)), from + 7);
}

TEST(stream_position, time_of_an_event_is_whole_only_behind_an_empty_batch) {
  auto position = opened_at(from);
  EXPECT_EQ(position.applied(events(1010, 1010)), 1009U);
  EXPECT_EQ(position.applied(events(1010, 1010)), 1009U);  // more of the transaction
  EXPECT_EQ(position.applied(empty(1010, 1010)), 1010U);
}

TEST(stream_position, time_of_an_event_is_whole_behind_a_later_position) {
  auto position = opened_at(from);
  position.applied(empty(from, from));
  EXPECT_EQ(position.applied({.token = 1015, .last_event = 1010, .operation_time = 1020}), 1015U);
}

TEST(stream_position, behind_a_mongos_only_a_later_position_counts) {
  auto position = opened_at(from, true);
  position.applied(events(1010, 1010));
  EXPECT_EQ(position.applied(empty(1010, 1030)), 1009U);
  EXPECT_EQ(position.applied(empty(1010, 1030)), 1009U);
  EXPECT_EQ(position.applied(empty(1011, 1030)), 1010U);
}

// One shard has promised that time, while another one's event of the same time is still to be told.
TEST(stream_position, behind_a_mongos_a_position_is_not_the_whole_of_its_time) {
  auto position = opened_at(from, true);
  position.applied(empty(from, from));
  EXPECT_EQ(position.applied(empty(1020, 1020)), 1019U);
  EXPECT_EQ(position.applied(empty(1020, 1020)), 1019U);
  EXPECT_EQ(position.applied(events(1020, 1020)), 1019U);
  EXPECT_EQ(position.applied(empty(1021, 1021)), 1020U);
}

TEST(stream_position, resumed_stream_may_still_owe_the_rest_of_a_time) {
  auto position = opened_at(0, true);
  EXPECT_EQ(position.applied(empty(1010, 1020)), 0U);
  EXPECT_EQ(position.applied(empty(1010, 1020)), 1009U);
  EXPECT_EQ(position.applied(events(1010, 1020)), 1009U);
  EXPECT_EQ(position.applied(empty(1011, 1020)), 1010U);
}

// SecantusDB opens with its clock's time, reads then, and tells a time before that, with what happened in between.
TEST(stream_position, token_made_up_for_the_opening_neither_counts_nor_ends_the_trust) {
  auto position = opened_at(0);
  EXPECT_EQ(position.applied(empty(1010, 1010)), 0U);
  EXPECT_EQ(position.applied(events(1004, 1012)), 1003U);
  EXPECT_EQ(position.applied(empty(1008, 1013)), 1008U);
  EXPECT_EQ(position.applied(empty(1012, 1014)), 1012U);
}

TEST(stream_position, tokens_that_disagree_in_the_opening_end_the_trust) {
  auto position = opened_at(from);
  position.applied({.token = 1010, .last_event = 1005, .tokens_agree = false, .operation_time = 1020});
  EXPECT_EQ(position.applied(empty(1015, 1020)), 1005U);
}

TEST(stream_position, empty_batch_of_a_server_that_is_behind_proves_nothing) {
  auto position = opened_at(0);
  EXPECT_EQ(position.applied(empty(1010, 1005)), 0U);  // a new primary, its majority not there yet
  EXPECT_EQ(position.applied(empty(1010, 1008)), 0U);
  EXPECT_EQ(position.applied(empty(1010, 1012)), 1009U);
  EXPECT_EQ(position.applied(empty(1010, 1012)), 1010U);
}

TEST(stream_position, value_never_goes_back) {
  auto position = opened_at(from);
  position.applied(empty(1050, 1050));
  position.applied(empty(1050, 1050));
  position.opened(0);
  position.applied(empty(1040, 1060));
  EXPECT_EQ(position.value(), 1050U);
  EXPECT_EQ(position.applied(empty(1040, 1060)), 1050U);
}

TEST(stream_position, token_that_disagrees_with_its_event_ends_the_trust) {
  auto position = opened_at(from);
  position.applied(empty(from, from));
  auto disagreeing = events(1010, 1090);
  disagreeing.token = 1080;
  disagreeing.tokens_agree = false;
  EXPECT_EQ(position.applied(disagreeing), 1009U);
  EXPECT_EQ(position.applied(empty(1085, 1090)), 1010U);  // the event and the empty batch count on
  EXPECT_EQ(position.applied(empty(1088, 1090)), 1010U);
  position.opened(0);
  EXPECT_EQ(position.applied(events(1089, 1090)), 1088U);
}

TEST(stream_position, token_before_its_events_or_going_back_ends_the_trust) {
  auto position = opened_at(from);
  position.applied(empty(from, from));
  position.applied({.token = 1005, .last_event = 1010, .operation_time = 1020});
  EXPECT_EQ(position.applied(empty(1015, 1020)), 1010U);

  position = opened_at(from);
  position.applied(empty(from, from));
  EXPECT_EQ(position.applied(empty(1015, 1020)), 1015U);
  EXPECT_EQ(position.applied(empty(1010, 1020)), 1015U);
  EXPECT_EQ(position.applied(empty(1018, 1020)), 1015U);
}

TEST(stream_position, token_from_before_the_opening_proves_nothing) {
  auto position = opened_at(from);
  EXPECT_EQ(position.applied(empty(from - 5, from)), from - 1);
  EXPECT_EQ(position.applied(empty(from - 2, from)), from - 1);
  EXPECT_EQ(position.applied(empty(from + 3, from + 4)), from + 3);
}

TEST(stream_position, token_beyond_the_server_s_own_time_does_not_count) {
  auto position = opened_at(from);
  EXPECT_EQ(position.applied(empty(5000, 1010)), from - 1);
  EXPECT_EQ(position.applied(empty(5000, 1010)), from - 1);
  EXPECT_EQ(position.applied(empty(5000, 0)), from - 1);
}

TEST(stream_position, without_understood_tokens_events_and_empty_batches_count) {
  auto position = opened_at(from);
  EXPECT_EQ(position.applied(empty(0, 1010)), from - 1);
  EXPECT_EQ(position.applied({.token = 0, .last_event = 1020, .tokens_agree = false, .operation_time = 1030}), 1019U);
  EXPECT_EQ(position.applied(empty(0, 1030)), 1020U);
  EXPECT_EQ(position.applied(empty(0, 1040)), 1020U);
}

}  // namespace
}  // namespace mongocached::cache
