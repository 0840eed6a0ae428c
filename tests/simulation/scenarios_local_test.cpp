// Races that one process decides: flights, fences, barriers, lists (coherence R, W, M).
#include "scene.hpp"

namespace mongocached::simulation {
namespace {

using cache::entry_level;
using cache::guard;

TEST(Race, race_01_fill_after_invalidate) {
  proves(
      [](scene& s) {
        s.without_redis();
        const auto old = s.begin_read(0, 0);
        s.run_to(old, step::read_reply);
        s.write(0, put(0, 0, 5));
        const auto young = s.begin_read(0, 0);
        s.finish(old);
        s.read(0, 0);
        s.finish(young);
      },
      1, guard::flight_dirty);
}

TEST(Race, race_03_read_from_a_deposed_primary_that_the_topology_still_believes_in) {
  proves(
      [](scene& s) {
        s.without_redis();
        s.w.cluster.set_behind(s.w.cluster.log().size());
        s.w.cluster.write_deposed(put(3, 1, 0), s.w.now());
        s.w.cluster.write_deposed(put(3, 1, 1), s.w.now());
        s.w.cluster.write_deposed(put(3, 1, 2), s.w.now());
        s.write_behind({put(0, 0, 5)});
        s.catch_up(0);
        s.w.proxy(0).set_behind(true, false);
        s.read(0, 0);
        s.tick(5);
        s.outlast_lag(0);
        s.read(0, 0);
      },
      1, guard::sampled_primary);
}

TEST(Race, race_03_majority_read_of_a_snapshot_below_its_fence) {
  proves(
      [](scene& s) {
        s.without_redis();
        s.write(0, put(0, 0, 5));
        s.sample(0);
        s.read(0, 0, 0, entry_level::majority);
        s.outlast_lag(0);
        s.read(0, 0, 0, entry_level::majority);
      },
      1, model_guard::causal_read);
}

TEST(Race, race_04_upper_bound_taken_for_a_version) {
  proves(
      [](scene& s) {
        s.without_redis();
        const auto r = s.begin_read(0, 0);
        s.run_to(r, step::read_reply);
        s.write_behind({put(0, 0, 5)});
        s.finish(r);
        s.outlast_lag(0);
        s.read(0, 0);
      },
      1, model_guard::lower_is_sent);
}

TEST(Race, race_06_unknown_outcome_carried_out_later) {
  proves(
      [](scene& s) {
        s.without_redis();
        s.read(0, 0);
        s.befalls(step::write, fate::late);
        s.write(0, put(0, 0, 5));
        s.read(0, 0);
        s.run_late(0);
        s.pass(moment);
        s.read(0, 0);
      },
      1, guard::hold);
}

TEST(Race, race_06_unknown_outcome_and_the_value_in_redis) {
  proves(
      [](scene& s) {
        s.read(0, 0);
        s.befalls(step::write, fate::reply_lost);
        s.write(0, put(0, 0, 5));
        s.w.cluster.acknowledge({.operation_time = 0, .first = 1, .end = 1000}, 0, s.w.now());
        s.pass(moment);
        s.read(0, 0);
      },
      1, model_guard::any_outcome);
}

// Nothing wrong is served without this guard; what is lost is the entry.
TEST(Race, race_07_late_event_against_a_newer_fill) {
  const auto hits = [] {
    scene s(1);
    s.without_redis();
    s.write(0, put(0, 0, 5));
    s.sample(0);
    s.read(0, 0);
    s.catch_up(0);
    const auto before_it = s.hits();
    s.read(0, 0);
    EXPECT_EQ(s.violation(), "");
    return s.hits() - before_it;
  };
  EXPECT_EQ(hits(), 1U);
  const without out(guard::late_event);
  EXPECT_EQ(hits(), 0U);
}

TEST(Race, race_19_reader_joins_a_flight_older_than_its_own_causal_time) {
  proves(
      [](scene& s) {
        s.without_redis();
        const auto old = s.begin_read(0, 0);
        s.run_to(old, step::read_reply);
        s.write(1, put(0, 0, 5));
        const auto session = s.begin_read(0, 0, s.clients[1].seen);
        s.finish(old);
        s.finish(session);
        s.w.resume(session);
      },
      2, guard::join_lower, guard::causal);
}

// Lists' flights are not dirtied by writes of documents: N tells.
TEST(Race, race_19_reader_joins_a_lists_flight_older_than_a_finished_write) {
  proves(
      [](scene& s) {
        s.without_redis();
        const auto old = s.begin_read(0, list_of_kind_1);
        s.run_to(old, step::read_reply);
        s.write(0, put(0, 1, 0));
        s.pass(moment);
        const auto young = s.begin_read(0, list_of_kind_1);
        s.finish(old);
        s.finish(young);
        s.w.resume(young);
      },
      1, guard::join_lower);
}

TEST(Race, race_19_entry_older_than_the_session) {
  proves(
      [](scene& s) {
        s.without_redis();
        s.read(0, 0);
        s.write(1, put(0, 0, 5));
        s.read(0, 0, s.clients[1].seen);
      },
      2, guard::causal);
}

TEST(Race, race_20_unknown_keys) {
  proves(
      [](scene& s) {
        s.without_redis();
        s.read(0, 0);
        s.write(0, put(0, 0, 5), write_shape::collection);
        s.pass(moment);
        s.read(0, 0);
      },
      1, guard::barrier);
}

TEST(Race, race_20_commit_on_another_proxy) {
  proves(
      [](scene& s) {
        s.without_redis();
        s.read(0, 0);
        s.write(0, put(0, 0, 5), write_shape::hidden);
        s.pass(moment);
        s.read(0, 0);
      },
      1, model_guard::hidden_commit);
}

TEST(Race, race_21_document_enters_a_list) {
  proves(
      [](scene& s) {
        s.without_redis();
        s.read(0, list_of_kind_1);
        s.write(0, put(0, 1, 0));
        s.pass(moment);
        s.read(0, list_of_kind_1);
      },
      1, guard::matcher);
}

TEST(Race, race_28_newer_document_then_older_list) {
  proves(
      [](scene& s) {
        s.without_redis();
        s.read(0, list_of_kind_1);
        s.write(0, put(2, 1, 5), write_shape::keys_only);
        s.sample(0);
        s.read(0, 2);
        s.pass(moment);
        s.read(0, list_of_kind_1);
      },
      1, guard::list_barrier);
}

TEST(Race, race_29_own_insert_while_the_list_is_read) {
  proves(
      [](scene& s) {
        s.without_redis();
        const auto r = s.begin_read(0, list_of_kind_1);
        s.run_to(r, step::read_reply);
        s.write(0, put(0, 1, 0));
        s.finish(r);
        s.pass(moment);
        s.read(0, list_of_kind_1);
      },
      1, guard::flight_lower);
}

// What counts is how many reads reach the primary.
TEST(Race, race_23_herd_after_a_flush) {
  const auto upstream = [] {
    scene s(2);
    std::vector<flow_id> herd;
    for (int i = 0; i < 10; ++i) herd.push_back(s.begin_read(0, 0));
    std::size_t asking = 0;
    for (const auto id : herd) {
      while (s.w.is_alive(id) && s.w.at(id) != step::joined && s.w.at(id) != step::read) s.w.resume(id);
      if (s.w.at(id) == step::read) ++asking;
    }
    for (const auto id : herd) s.finish(id);
    for (const auto id : herd) s.w.resume(id);
    EXPECT_EQ(s.violation(), "");
    return asking;
  };
  EXPECT_EQ(upstream(), 1U);
  const without out(model_guard::coalesce);
  EXPECT_EQ(upstream(), 10U);
}

}  // namespace
}  // namespace mongocached::simulation
