#include "cache/flight_table.hpp"

#include <gtest/gtest.h>

#include "coherence_support.hpp"

namespace mongocached::cache {
namespace {

class FlightTable : public ::testing::Test, protected coherence_world {
 protected:
  flight_table& flights = all.flights();
};

TEST_F(FlightTable, leads_the_first_read_of_a_key) {
  const auto first = begin(a);
  EXPECT_EQ(first.how, begun::lead);
  EXPECT_NE(first.led, nullptr);
}

TEST_F(FlightTable, stores_what_a_clean_flight_brought) {
  EXPECT_TRUE(fill(a, "value"));
  EXPECT_EQ(found(a), "value");
}

TEST_F(FlightTable, keeps_out_of_memory_what_is_not_to_be_kept) {
  const auto led = begin(a).led;
  EXPECT_TRUE(flights.finish(*led, entry_of(*led, "value"), false));
  EXPECT_EQ(found(a), "");
}

TEST_F(FlightTable, joins_the_second_read_of_a_key_R5) {
  const auto led = begin(a).led;
  std::string got;
  const auto second = begin(a, {.joined = [&got](entry_ref e) { got = protocol::as_text(e->value()); }});
  EXPECT_EQ(second.how, begun::join);
  EXPECT_EQ(second.led, nullptr);
  EXPECT_EQ(got, "");
  flights.finish(*led, entry_of(*led, "value"));
  EXPECT_EQ(got, "value");
}

TEST_F(FlightTable, tells_those_who_joined_that_a_flight_was_abandoned) {
  const auto led = begin(a).led;
  int told = 0;
  static_cast<void>(begin(a, {.joined = [&told](const entry_ref& e) { told += e ? 100 : 1; }}));
  flights.abandon(*led);
  EXPECT_EQ(told, 1);
}

TEST_F(FlightTable, settles_a_flight_once) {
  const auto led = begin(a).led;
  int told = 0;
  static_cast<void>(begin(a, {.joined = [&told](const entry_ref&) { ++told; }}));
  EXPECT_TRUE(flights.finish(*led, entry_of(*led, "value")));
  EXPECT_FALSE(flights.finish(*led, entry_of(*led, "again")));
  flights.abandon(*led);
  EXPECT_EQ(told, 1);
  EXPECT_EQ(found(a), "value");
}

TEST_F(FlightTable, leads_again_once_the_flight_has_ended) {
  flights.abandon(*begin(a).led);
  EXPECT_EQ(begin(a).how, begun::lead);
}

TEST_F(FlightTable, does_not_join_across_keys) {
  const auto first = begin(a);
  EXPECT_EQ(begin(b).how, begun::lead);
}

// Race 1: fill after invalidate.
TEST_F(FlightTable, says_what_bars_a_key_and_registers_nothing_R1) {
  const auto barred = [this](const owned_key& key) {
    return flights.is_barred(ns, key_kind::document, key.view(), start);
  };
  EXPECT_FALSE(barred(a));
  flights.mark(a.view());
  EXPECT_TRUE(barred(a));
  EXPECT_FALSE(barred(b));
  flights.unmark(a.view());
  EXPECT_FALSE(barred(a));
  ns.writes(key_kind::document).begin();
  EXPECT_TRUE(barred(b));
  ns.writes(key_kind::document).end();
  EXPECT_EQ(flights.size(), 0U);
}

TEST_F(FlightTable, stores_nothing_when_a_write_was_marked_and_unmarked_during_the_flight_R6) {
  const auto led = begin(a).led;
  flights.mark(a.view());
  flights.invalidate(a.view(), 5);
  flights.unmark(a.view());
  EXPECT_FALSE(flights.finish(*led, entry_of(*led, "old")));
  EXPECT_EQ(found(a), "");
}

TEST_F(FlightTable, stores_nothing_while_a_write_is_pending_R6) {
  const auto led = begin(a).led;
  flights.mark(a.view());
  EXPECT_FALSE(flights.clean(*led));
  EXPECT_FALSE(flights.finish(*led, entry_of(*led, "old")));
  EXPECT_EQ(found(a), "");
}

TEST_F(FlightTable, stores_nothing_after_an_invalidation_that_was_not_marked_R6) {
  const auto led = begin(a).led;
  flights.invalidate(a.view(), 5);
  EXPECT_FALSE(flights.finish(*led, entry_of(*led, "old")));
}

TEST_F(FlightTable, stores_nothing_when_the_generation_changed_during_the_flight_R6) {
  const auto led = begin(a).led;
  ns.set_generation(key_kind::document, all.namespaces().next_generation());
  EXPECT_FALSE(flights.finish(*led, entry_of(*led, "old")));
  EXPECT_EQ(found(a), "");
}

TEST_F(FlightTable, stores_nothing_while_the_namespace_is_being_written_R6) {
  const auto led = begin(a).led;
  ns.writes(key_kind::document).begin();
  EXPECT_FALSE(flights.finish(*led, entry_of(*led, "old")));
}

TEST_F(FlightTable, gives_a_dirty_answer_to_those_who_asked_before_the_write) {
  const auto led = begin(a).led;
  std::string got;
  static_cast<void>(begin(a, {.joined = [&got](entry_ref e) { got = protocol::as_text(e->value()); }}));
  flights.mark(a.view());
  flights.finish(*led, entry_of(*led, "old"));
  EXPECT_EQ(got, "old");
}

// Race 19: a reader joins a flight that is older than a finished write.
TEST_F(FlightTable, refuses_to_join_a_flight_that_an_invalidation_overtook_R5) {
  const auto older = begin(a).led;
  flights.mark(a.view());
  flights.invalidate(a.view(), 5);
  flights.unmark(a.view());
  const auto younger = begin(a);
  EXPECT_EQ(younger.how, begun::lead);
  EXPECT_FALSE(flights.finish(*older, entry_of(*older, "old")));
  EXPECT_TRUE(flights.finish(*younger.led, entry_of(*younger.led, "new")));
  EXPECT_EQ(found(a), "new");
}

TEST_F(FlightTable, refuses_to_join_a_flight_of_an_older_generation_R5) {
  const auto older = begin(a).led;
  ns.set_generation(key_kind::document, all.namespaces().next_generation());
  EXPECT_EQ(begin(a).how, begun::lead);
}

TEST_F(FlightTable, an_older_flight_that_ends_late_leaves_the_younger_one_alone) {
  const auto older = begin(a).led;
  ns.set_generation(key_kind::document, all.namespaces().next_generation());
  const auto younger = begin(a).led;
  flights.finish(*older, entry_of(*older, "old"));
  EXPECT_TRUE(flights.finish(*younger, entry_of(*younger, "new")));
  EXPECT_EQ(found(a), "new");
}

// Race 19, the other half: its own causal time.
TEST_F(FlightTable, refuses_to_join_a_flight_with_a_lower_L_than_asked_R5) {
  const auto older = begin(a, {.lower = 10}).led;
  EXPECT_EQ(begin(a, {.lower = 11}).how, begun::lead);
}

TEST_F(FlightTable, joins_a_flight_whose_L_suffices_R5) {
  const auto older = begin(a, {.lower = 10}).led;
  EXPECT_EQ(begin(a, {.lower = 10}).how, begun::join);
}

TEST_F(FlightTable, joins_by_the_L_that_the_read_was_finally_sent_with_R5) {
  const auto older = begin(a, {.lower = 10}).led;
  flights.set_lower(*older, 20);
  EXPECT_EQ(begin(a, {.lower = 20}).how, begun::join);
}

TEST_F(FlightTable, a_flight_that_was_superseded_is_not_stored) {
  const auto older = begin(a, {.lower = 10}).led;
  const auto younger = begin(a, {.lower = 11}).led;
  EXPECT_FALSE(flights.finish(*older, entry_of(*older, "older", 10)));
  EXPECT_TRUE(flights.finish(*younger, entry_of(*younger, "younger", 11)));
}

TEST_F(FlightTable, a_majority_reader_does_not_join_a_local_flight) {
  const auto older = begin(a).led;
  EXPECT_EQ(begin(a, {.level = entry_level::majority}).how, begun::lead);
}

TEST_F(FlightTable, a_local_reader_joins_a_majority_flight) {
  const auto older = begin(a, {.level = entry_level::majority}).led;
  EXPECT_EQ(begin(a).how, begun::join);
}

// Wire rule I2: joining another client's flight needs one's own proof.
TEST_F(FlightTable, the_unproven_never_joins_I2) {
  const auto led = begin(a).led;
  int told = 0;
  const auto second = begin(a, {.may_join = false, .joined = [&told](const entry_ref&) { ++told; }});
  EXPECT_EQ(second.how, begun::lead);
  EXPECT_EQ(second.led, nullptr);
  EXPECT_TRUE(flights.finish(*led, entry_of(*led, "value")));
  EXPECT_EQ(told, 0);
}

TEST_F(FlightTable, the_unproven_may_lead_I2) {
  EXPECT_NE(begin(a, {.may_join = false}).led, nullptr);
}

TEST_F(FlightTable, who_wants_it_read_anew_joins_nobody_and_overtakes) {
  const auto older = begin(a).led;
  std::string got;
  ASSERT_EQ(begin(a, {.joined = [&got](entry_ref e) { got = protocol::as_text(e->value()); }}).how, begun::join);
  const auto younger = begin(a, {.anew = true});
  ASSERT_EQ(younger.how, begun::lead);
  ASSERT_NE(younger.led, nullptr);
  EXPECT_FALSE(flights.finish(*older, entry_of(*older, "older")));
  EXPECT_EQ(got, "older") << "who waits for it is told all the same";
  EXPECT_EQ(found(a), "");
  EXPECT_TRUE(flights.finish(*younger.led, entry_of(*younger.led, "younger")));
  EXPECT_EQ(found(a), "younger");
}

TEST_F(FlightTable, what_is_read_anew_replaces_what_is_there_and_may_be_joined) {
  ASSERT_TRUE(fill(a, "old"));
  const auto led = begin(a, {.anew = true}).led;
  EXPECT_EQ(found(a), "old") << "until then it is good for others";
  EXPECT_EQ(begin(a).how, begun::join);
  EXPECT_TRUE(flights.finish(*led, entry_of(*led, "new")));
  EXPECT_EQ(found(a), "new");
}

TEST_F(FlightTable, nothing_is_read_anew_while_a_write_is_pending_R1) {
  flights.mark(a.view());
  EXPECT_EQ(begin(a, {.anew = true}).how, begun::blocked);
}

TEST_F(FlightTable, a_flight_that_lasts_gathers_so_many_and_no_more) {
  const auto led = begin(a).led;
  for (std::size_t i = 0; i < flight_table::max_waiters; ++i) ASSERT_EQ(begin(a).how, begun::join);
  const auto late = begin(a);
  EXPECT_EQ(late.how, begun::lead);
  EXPECT_EQ(late.led, nullptr);
  EXPECT_TRUE(flights.finish(*led, entry_of(*led, "value")));
  EXPECT_EQ(found(a), "value");
}

TEST_F(FlightTable, one_that_never_ends_is_overtaken) {
  const auto stuck = begin(a).led;
  EXPECT_EQ(begin(a, {.now = start + flight::longest - std::chrono::nanoseconds(1)}).how, begun::join);
  const auto next = begin(a, {.now = start + flight::longest});
  ASSERT_EQ(next.how, begun::lead);
  ASSERT_NE(next.led, nullptr);
  EXPECT_EQ(begin(a, {.now = start + flight::longest}).how, begun::join);
  EXPECT_TRUE(flights.finish(*next.led, entry_of(*next.led, "value")));
  EXPECT_FALSE(flights.finish(*stuck, entry_of(*stuck, "late")));
  EXPECT_EQ(found(a), "value");
}

TEST_F(FlightTable, a_pending_write_blocks_R1) {
  flights.mark(a.view());
  EXPECT_EQ(begin(a).how, begun::blocked);
  EXPECT_EQ(begin(b).how, begun::lead);
}

TEST_F(FlightTable, blocks_until_the_last_of_two_writes_is_unmarked_R1) {
  flights.mark(a.view());
  flights.mark(a.view());
  flights.unmark(a.view());
  EXPECT_EQ(begin(a).how, begun::blocked);
  flights.unmark(a.view());
  EXPECT_EQ(begin(a).how, begun::lead);
}

TEST_F(FlightTable, a_namespace_that_is_written_blocks_R1) {
  ns.writes(key_kind::document).begin();
  EXPECT_EQ(begin(a).how, begun::blocked);
  ns.writes(key_kind::document).end();
  EXPECT_EQ(begin(a).how, begun::lead);
}

TEST_F(FlightTable, a_hold_blocks_until_its_end_W5) {
  flights.mark(a.view());
  flights.unmark(a.view(), start + duration(100));
  EXPECT_EQ(begin(a, {.now = start + duration(99)}).how, begun::blocked);
  EXPECT_EQ(begin(a, {.now = start + duration(100)}).how, begun::lead);
}

TEST_F(FlightTable, a_shorter_hold_does_not_end_a_longer_one_W5) {
  flights.mark(a.view());
  flights.unmark(a.view(), start + duration(100));
  flights.mark(a.view());
  flights.unmark(a.view(), start + duration(50));
  EXPECT_EQ(begin(a, {.now = start + duration(99)}).how, begun::blocked);
}

TEST_F(FlightTable, marking_drops_the_entry_W1) {
  fill(a, "value");
  flights.mark(a.view());
  EXPECT_EQ(found(a), "");
}

TEST_F(FlightTable, invalidating_drops_the_entry_W1) {
  fill(a, "value");
  flights.invalidate(a.view(), 5);
  EXPECT_EQ(found(a), "");
}

TEST_F(FlightTable, invalidating_raises_the_fence_and_never_lowers_it_W1) {
  flights.invalidate(a.view(), 5);
  flights.invalidate(a.view(), 3);
  EXPECT_EQ(flights.fence(a.hash), 5U);
}

TEST_F(FlightTable, keeps_nothing_behind_a_finished_flight) {
  fill(a, "value");
  EXPECT_EQ(flights.size(), 0U);
}

TEST_F(FlightTable, keeps_nothing_behind_a_finished_write) {
  flights.mark(a.view());
  flights.invalidate(a.view(), 5);
  flights.unmark(a.view());
  EXPECT_EQ(flights.size(), 0U);
}

TEST_F(FlightTable, sweeps_holds_that_ran_out) {
  flights.mark(a.view());
  flights.unmark(a.view(), start + duration(100));
  flights.sweep(start + duration(99));
  EXPECT_EQ(flights.size(), 1U);
  flights.sweep(start + duration(100));
  EXPECT_EQ(flights.size(), 0U);
}

TEST_F(FlightTable, a_sweep_leaves_flights_and_pending_writes) {
  const auto led = begin(a).led;
  flights.mark(b.view());
  flights.sweep(start);
  EXPECT_TRUE(flights.clean(*led));
  EXPECT_EQ(begin(b).how, begun::blocked);
}

TEST_F(FlightTable, a_waiter_may_begin_a_flight_itself) {
  const auto led = begin(a).led;
  begun again = begun::blocked;
  static_cast<void>(begin(a, {.joined = [&](const entry_ref&) { again = begin(a).how; }}));
  flights.abandon(*led);
  EXPECT_EQ(again, begun::lead);
}

}  // namespace
}  // namespace mongocached::cache
