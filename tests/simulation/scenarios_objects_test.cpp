// Races that one object decides, without cluster and stream: users, clocks, kinds of collections (I2, K1).
#include <gtest/gtest.h>

#include <array>

#include "cache/authorization.hpp"
#include "cache/coherence.hpp"
#include "guards.hpp"

namespace mongocached::simulation {
namespace {

using cache::instant;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr instant start = hours(10);

// One proxy with one cached document, and a reader that it may or may not answer.
struct desk {
  desk() {
    state.follow(true);
    state.applied(10);
    EXPECT_TRUE(state.sampled({.sent = start, .operation_time = 10, .majority = 10, .election = "1"}));
    ns.set_cacheability(cache::cacheability::plain, start + hours(1), ns.ddl_count());
    users.prove(owner, ns, start, users.epoch());
  }

  // The checks of the hit path, in its order. `wall` is what a clock on the wall says.
  [[nodiscard]] bool serves(cache::identity who, instant boot, instant wall) {
    const auto now = is_kept(model_guard::boot_clock) ? boot : wall;
    const bool open = state.is_open({.mode = cache::promise::bounded, .max_lag = seconds(1)}, now);
    const bool proven = users.proven_until(who, ns) > now || !is_kept(model_guard::proof);
    const bool plain = ns.may_cache(now) == cache::cacheability::plain || !is_kept(model_guard::plain_collection);
    return open && proven && plain;
  }

  cache::local_cache local{{.budget_bytes = 1 << 20, .shards = 1}};
  cache::coherence state{local, {}};
  cache::namespace_state& ns = *state.namespaces().find_or_add("shop", "things");
  cache::authorization users{hours(1)};
  const cache::identity owner = users.make_private();
  const cache::identity stranger = users.make_private();
};

TEST(Race, race_24_answer_crosses_users) {
  desk d;
  EXPECT_TRUE(d.serves(d.owner, start, start));
  EXPECT_FALSE(d.serves(d.stranger, start, start));
  d.users.revoke_all();
  EXPECT_FALSE(d.serves(d.owner, start, start)) << "a role may have been taken away";
  const without out(model_guard::proof);
  EXPECT_TRUE(d.serves(d.stranger, start, start)) << "nothing is lost without the guard";
}

// Nothing was heard of the cluster for a minute, and the wall clock is set back by as much.
TEST(Race, race_25_wall_clock_jumps) {
  desk d;
  const auto later = start + seconds(60);
  EXPECT_FALSE(d.serves(d.owner, later, start));
  EXPECT_TRUE(d.serves(d.owner, start + milliseconds(500), start + hours(5))) << "nor does a jump ahead shut the gate";
  const without out(model_guard::boot_clock);
  EXPECT_TRUE(d.serves(d.owner, later, start)) << "nothing is lost without the guard";
}

// "Nothing has _id 0.5" is cached; Decimal128("0.5"), which has no key, is inserted through the proxy.
TEST(Race, race_20_an_equal_id_without_a_key) {
  const auto answers_from_cache = [] {
    desk d;
    constexpr double half = 0.5;
    constexpr std::array<std::uint8_t, 16> decimal_half{5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x3e, 0x30};
    cache::byte_buffer key;
    cache::begin_key(key, cache::key_kind::document, "shop", "things");
    EXPECT_TRUE(cache::append_canonical_id(
        key, {protocol::bson_type::float64, "_id", {reinterpret_cast<const std::uint8_t*>(&half), sizeof half}, {}}));
    cache::entry_meta meta;
    meta.kind = cache::entry_kind::absent;
    meta.generation = d.ns.generation(cache::key_kind::document);
    meta.lower = 10;
    meta.expires = start + hours(1);
    const auto hash = cache::hash_key(key);
    EXPECT_TRUE(d.local.insert(cache::entry::make(key, hash, meta, {})));

    cache::write_target target;
    target.reach = cache::extent::collection;
    target.db = "shop";
    target.collection = "things";
    {
      cache::pending_write write(d.state, {target});
      write.invalidate(11);
      EXPECT_FALSE(d.state.find(d.ns, cache::key_kind::document, {key, hash}, start)) << "the barrier";
    }
    cache::change_event insert;
    insert.what = cache::change_kind::inserted;
    insert.time = 11;
    insert.db = "shop";
    insert.collection = "things";
    insert.id = {protocol::bson_type::decimal128, "_id", decimal_half, {}};
    std::vector<cache::invalidation> redis;
    d.state.apply(insert, {}, redis);
    d.state.applied(11);
    return static_cast<bool>(d.state.find(d.ns, cache::key_kind::document, {key, hash}, start));
  };
  EXPECT_FALSE(answers_from_cache());
  const without out(cache::guard::equal_id);
  EXPECT_TRUE(answers_from_cache()) << "nothing is lost without the guard";
}

// The collection was dropped and stands there anew, as a view or with a default collation.
TEST(Race, race_33_collation_view_rename) {
  desk d;
  const auto asked = d.ns.ddl_count();
  cache::change_event rename;
  rename.what = cache::change_kind::rename;
  rename.time = 11;
  rename.db = rename.to_db = "shop";
  rename.collection = "old";
  rename.to_collection = "things";
  std::vector<cache::invalidation> redis;
  d.state.apply(rename, {}, redis);
  EXPECT_FALSE(d.serves(d.owner, start, start)) << "not known what it is now";
  d.ns.set_cacheability(cache::cacheability::plain, start + hours(1), asked);
  EXPECT_FALSE(d.serves(d.owner, start, start)) << "an answer from before the rename";
  d.ns.set_cacheability(cache::cacheability::not_cacheable, start + hours(1), d.ns.ddl_count());
  EXPECT_FALSE(d.serves(d.owner, start, start));
  const without out(model_guard::plain_collection);
  EXPECT_TRUE(d.serves(d.owner, start, start)) << "nothing is lost without the guard";
}

}  // namespace
}  // namespace mongocached::simulation
