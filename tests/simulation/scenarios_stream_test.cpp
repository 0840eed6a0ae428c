// Races of the stream, the gate, elections and time (coherence G, C, S1).
#include "scene.hpp"

namespace mongocached::simulation {
namespace {

using cache::entry_level;
using cache::guard;

void write_that_is_rolled_back(scene& s) {
  s.write_behind({put(0, 0, 5)});
  s.sample(0);
  s.read(0, 0);
}

void roll_back(scene& s) {
  s.w.cluster.elect(s.w.cluster.majority(), false, s.w.now());
  s.write_behind({put(3, 1, 0)});
  s.commit();
}

void write_that_the_log_lost(scene& s) {
  s.write_behind({put(0, 0, 5)});
  s.commit();
  s.tick();
  s.commit();
  s.w.cluster.forget_history(s.w.cluster.log().size() - 1);
}

TEST(Race, race_08_rollback_of_a_cached_write) {
  proves(
      [](scene& s) {
        s.without_redis();
        write_that_is_rolled_back(s);
        roll_back(s);
        s.pass_in_sync(longer, 0);
        s.read(0, 0);
      },
      1, guard::election);
}

TEST(Race, race_08_majority_reader_meets_an_unsettled_entry) {
  proves(
      [](scene& s) {
        s.without_redis();
        write_that_is_rolled_back(s);
        s.read(0, 0, 0, entry_level::majority);
      },
      1, guard::settled);
}

TEST(Race, race_08_unsettled_value_in_redis) {
  proves(
      [](scene& s) {
        write_that_is_rolled_back(s);
        roll_back(s);
        s.pass_in_sync(longer, 0);
        s.read(0, 0);
      },
      1, model_guard::redis_after_settled);
}

TEST(Race, race_09_history_lost) {
  proves(
      [](scene& s) {
        s.without_redis();
        s.read(0, 0);
        write_that_the_log_lost(s);
        s.pass_in_sync(longer, 0);
        s.read(0, 0);
      },
      1, guard::history);
}

TEST(Race, race_09_history_lost_and_the_value_in_redis) {
  proves(
      [](scene& s) {
        s.read(0, 0);
        write_that_the_log_lost(s);
        s.pass_in_sync(longer, 0);
        s.sync(0);
        s.read(0, 0);
      },
      1, model_guard::epoch);
}

// Found by schedule 1178022: a majority read below the fence of a write that was acknowledged here.
TEST(Race, race_09_history_lost_leaves_the_fences) {
  proves(
      [](scene& s) {
        s.without_redis();
        const auto slow = s.begin_sample(0);
        s.write(0, put(0, 0, 5));
        s.w.cluster.forget_history(s.w.cluster.log().size());
        s.follow(0);
        s.w.cluster.forget_history(0);
        for (int i = 0; i < 3; ++i) s.follow(0);
        s.finish(slow);
        s.read(0, 0, 0, entry_level::majority);
        s.pass(moment);
        s.read(0, 0);
      },
      1, guard::times_hold);
}

TEST(Race, race_10_stream_stalled) {
  proves(
      [](scene& s) {
        s.without_redis();
        s.read(0, 0);
        s.write_behind({put(0, 0, 5)});
        s.pass(longer);
        s.sample(0);
        s.read(0, 0);
      },
      1, guard::gate);
}

TEST(Race, race_10_sample_that_was_answered_long_ago) {
  proves(
      [](scene& s) {
        s.without_redis();
        s.read(0, 0);
        const auto slow = s.begin_sample(0);
        s.write_behind({put(0, 0, 5)});
        s.pass(nearly);
        s.finish(slow);
        s.pass(nearly);
        s.read(0, 0);
      },
      1, model_guard::gate_sent);
}

TEST(Race, race_11_position_moved_before_the_batch) {
  proves(
      [](scene& s) {
        s.without_redis();
        s.read(0, 0);
        s.write_behind({put(0, 0, 5)});
        s.tick();
        s.commit();
        s.pass(longer);
        s.sample(0);
        s.stops_in_batches = true;
        const auto batch = s.w.start(0, -1, s.w.proxy(0).follow());
        s.run_to(batch, step::apply);
        s.read(0, 0);
        s.finish(batch);
      },
      1, model_guard::whole_batch);
}

TEST(Race, race_11_transaction_across_batches) {
  proves(
      [](scene& s) {
        s.without_redis();
        s.read(0, 1);
        s.write_behind({put(0, 0, 5), put(1, 0, 5)}, true);
        s.commit();
        s.pass(longer);
        s.sample(0);
        s.batch = 1;
        s.follow(0);
        s.read(0, 1);
      },
      1, guard::transaction_time);
}

TEST(Race, race_12_start_up_gap) {
  proves(
      [](scene& s) {
        s.read(0, 0);
        s.w.proxy(0).crash(false);
        s.write_behind({put(0, 0, 5)});
        s.commit();
        s.pass(longer);
        s.finish(s.w.start(0, -1, s.w.proxy(0).start()));
        s.read(0, 0);
      },
      1, guard::gate);
}

TEST(Race, race_16_push_lost) {
  proves(
      [](scene& s) {
        s.read(0, 0);
        s.write(1, put(0, 0, 5));
        s.outlast_lag(0);
        s.read(0, 0);
      },
      2, model_guard::own_stream);
}

TEST(Race, race_26_paused_process) {
  proves(
      [](scene& s) {
        s.without_redis();
        s.read(0, 0);
        s.pass(longer);
        s.write_behind({put(0, 0, 5)});
        s.pass(longer);
        s.read(0, 0);
      },
      1, guard::gate);
}

TEST(Race, race_27_upstream_restored_from_backup) {
  proves(
      [](scene& s) {
        const auto kept = s.w.cluster.log().size();
        s.write(0, put(0, 0, 5));
        s.write_behind({put(1, 0, 5)});
        s.catch_up(0);
        s.read(0, 0);
        s.sample(0);
        s.keep_house(0);
        s.w.cluster.restore(kept, s.w.now());
        s.pass(longer);
        for (int i = 0; i < 5; ++i) s.pass_in_sync(moment, 0);
        s.tick(5);
        s.write_behind({put(3, 1, 0)});
        s.outlast_lag(0);
        s.read(0, 0);
      },
      1, guard::history);
}

TEST(Race, race_27_backup_ends_behind_the_stream_and_below_the_majority) {
  proves(
      [](scene& s) {
        const auto kept = s.w.cluster.log().size();
        s.write_behind({put(0, 0, 5), put(1, 0, 5)});
        s.commit();
        s.sample(0);
        s.read(0, 0);
        s.w.cluster.restore(kept, s.w.now());
        s.pass_in_sync(longer, 0);
        s.tick(5);
        s.write_behind({put(3, 1, 0)});
        s.commit();
        for (int i = 0; i < 3; ++i) s.pass_in_sync(longer, 0);
        s.read(0, 0);
      },
      1, guard::majority_stays);
}

TEST(Race, race_31_drop) {
  proves(
      [](scene& s) {
        s.without_redis();
        s.read(0, 0);
        s.write_behind({drop()});
        s.outlast_lag(0);
        s.read(0, 0);
      },
      1, guard::ddl);
}

}  // namespace
}  // namespace mongocached::simulation
