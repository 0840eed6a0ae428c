// Races of several processes over Redis, and of a process with what it left there (coherence R3, R6, W2, W7, C3, C4).
#include "scene.hpp"

namespace mongocached::simulation {
namespace {

using cache::guard;

// A process that knows nothing of its own any more, with a mark that covers everything: what it then finds in Redis is
// all there is.
void forget_all(scene& s, int proxy) {
  s.catch_up(proxy);
  s.keep_house(proxy);
  s.restart(proxy);
  s.pass_in_sync(longer, proxy);
}

flow_id read_without_fill(scene& s, int proxy, std::size_t item) {
  s.hold_fills();
  const auto r = s.begin_read(proxy, item);
  s.finish(r);
  return r;
}

// By a process that has nothing of its own.
void late_fill_is_read(scene& s, int proxy) {
  s.let_fills_arrive();
  forget_all(s, proxy);
  s.read(proxy, 0);
}

TEST(Race, race_02_fill_of_redis_behind_another_proxys_event) {
  proves(
      [](scene& s) {
        read_without_fill(s, 1, 0);
        s.write_behind({put(0, 0, 5)});
        s.catch_up(0);
        late_fill_is_read(s, 0);
      },
      2, model_guard::script_fence);
}

TEST(Race, race_05_crash_between_write_and_invalidation) {
  proves(
      [](scene& s) {
        s.read(0, 0);
        s.run_to(s.begin_write(0, put(0, 0, 5)), step::write_reply);
        s.tick();
        s.commit();
        s.restart(0);
        s.pass_in_sync(longer, 0);
        s.read(0, 0);
      },
      1, model_guard::replay);
}

TEST(Race, race_13_invalidation_lost_on_the_way_to_redis_then_crash) {
  proves(
      [](scene& s) {
        s.read(0, 0);
        s.befalls(step::invalidate, fate::lost, 100);
        s.write(0, put(0, 0, 5));
        s.catch_up(0);
        s.keep_house(0);
        s.restart(0);
        s.befalls(step::invalidate, fate::ok, 100);
        s.pass_in_sync(longer, 0);
        s.read(0, 0);
      },
      1, model_guard::mark_waits);
}

TEST(Race, race_14_failover_to_a_replica_that_is_behind) {
  proves(
      [](scene& s) {
        s.read(0, 0);
        const auto replica = s.w.redis(0);
        s.write(0, put(0, 0, 5));
        forget_all(s, 0);
        s.w.redis(1) = replica;
        s.w.redis(1).restart(s.w.fresh_name());
        s.w.proxy(0).reconnect(1);
        s.read(0, 0);
      },
      1, model_guard::run_id);
}

TEST(Race, race_15_two_redis_masters) {
  const auto play = [](scene& s) {
    s.w.redis(1) = s.w.redis(0);
    s.w.redis(1).restart(s.w.fresh_name());
    s.w.proxy(1).reconnect(1);
    s.keep_house(1);
    s.read(1, 0);
    s.write(0, put(0, 0, 5));
    s.w.proxy(0).reconnect(1);
    s.keep_house(0);
    EXPECT_TRUE(s.w.proxy(0).trusts_redis());
    s.pass(moment);
    s.read(0, 0);
  };
  proves(play, 2, guard::stored_fence);
  proves(play, 2, guard::fence);
}

TEST(Race, race_17_fence_record_missing) {
  proves(
      [](scene& s) {
        read_without_fill(s, 1, 0);
        s.w.redis(0).evict_record(0);
        s.write_behind({put(0, 0, 5)});
        s.catch_up(0);
        late_fill_is_read(s, 0);
      },
      2, model_guard::lease);
}

TEST(Race, race_18_record_evicted_during_a_long_read) {
  proves(
      [](scene& s) {
        read_without_fill(s, 1, 0);
        s.write(0, put(0, 0, 5));
        s.catch_up(0);
        s.w.redis(0).evict_record(0);
        late_fill_is_read(s, 0);
      },
      2, model_guard::lease);
}

TEST(Race, race_30_list_filled_by_a_dead_proxy_written_since) {
  proves(
      [](scene& s) {
        s.read(0, list_of_kind_1);
        s.write_behind({put(0, 1, 0)});
        forget_all(s, 0);
        s.read(0, list_of_kind_1);
      },
      1, model_guard::newest_in_redis);
}

// The dead process had seen the event, but its H was still one below: the mark's token lies behind the event, its time
// before it.
TEST(Race, race_30_log_of_events_begins_behind_the_mark) {
  proves(
      [](scene& s) {
        s.read(0, list_of_kind_1);
        s.write_behind({put(0, 1, 0), put(1, 0, 7)}, true);  // of one time, and the mark falls between them
        s.commit();
        s.batch = 1;
        s.follow(0);
        s.keep_house(0);
        s.restart(0);
        s.pass_in_sync(longer, 0);
        s.read(0, list_of_kind_1);
      },
      1, guard::log_begin);
}

TEST(Race, race_30_resumed_stream_repeats_itself) {
  proves(
      [](scene& s) {
        s.write_behind({put(1, 0, 5)});
        s.catch_up(0);
        s.read(0, list_of_kind_1);
        s.write_behind({put(0, 1, 0)});
        s.catch_up(0);
        s.w.proxy(0).lose_stream(2);
        s.batch = 1;
        s.follow(0);
        s.pass(longer);
        s.sample(0);
        s.read(0, list_of_kind_1);
      },
      1, guard::repeated_event);
}

TEST(Race, race_31_drop_then_restart) {
  proves(
      [](scene& s) {
        s.read(0, 0);
        s.w.proxy(0).crash(false);
        s.write_behind({drop()});
        s.tick();
        s.commit();
        s.finish(s.w.start(0, -1, s.w.proxy(0).start()));
        s.pass_in_sync(longer, 0);
        s.read(0, 0);
      },
      1, model_guard::replay);
}

TEST(Race, race_32_full_redis_keeps_the_value) {
  proves(
      [](scene& s) {
        s.read(0, 0);
        s.w.redis(0).refuse_writes(true);
        s.write(0, put(0, 0, 5));
        s.catch_up(0);
        s.w.redis(0).refuse_writes(false);
        forget_all(s, 0);
        s.read(0, 0);
      },
      1, model_guard::values_first);
}

}  // namespace
}  // namespace mongocached::simulation
