// A world that follows the change stream: documents {_id: n, ...} of shop.things, and one list, {kind: "tea"} by price.
#pragma once

#include "coherence_support.hpp"
#include "policy_support.hpp"

namespace mongocached::cache {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr instant now = seconds(100);

class CoherenceStream : public ::testing::Test {
 protected:
  CoherenceStream() {
    all.follow(true);
    advance(9);  // the log of events is whole behind the first position's successor
    advance(10);
  }

  // The stream has told everything up to `time`, and a sample says that this is all there is.
  void advance(cluster_time time) {
    all.applied(time);
    EXPECT_TRUE(all.sampled({.sent = now, .operation_time = time, .majority = time, .election = "1"}));
  }

  static document event(const char* kind, const value& id, cluster_time time, document full = {}) {
    document out{{"operationType", kind},
                 {"clusterTime", timestamp{time}},
                 {"ns", document{{"db", "shop"}, {"coll", "things"}}},
                 {"documentKey", document{{"_id", id}}}};
    return full.view().empty() ? out : with(out, "fullDocument", full);
  }
  std::vector<invalidation> apply(const document& raw) {
    std::vector<invalidation> redis;
    all.apply(read_change_event(raw.view()), raw.view(), redis);
    return redis;
  }

  struct key {
    explicit key(const value& id) {
      begin_key(bytes, key_kind::document, "shop", "things");
      const document d{{"_id", id}};
      EXPECT_TRUE(append_canonical_id(bytes, *d.view().find("_id")));
      hash = hash_key(bytes);
    }
    [[nodiscard]] key_view view() const { return {bytes, hash}; }
    byte_buffer bytes;
    std::uint64_t hash = 0;
  };
  struct list {
    explicit list(int limit = 2) {
      const parsed_command find(document{{"find", "things"},
                                         {"filter", document{{"kind", "tea"}}},
                                         {"sort", document{{"price", 1}}},
                                         {"limit", limit},
                                         {"$db", "shop"}});
      begin_key(bytes, key_kind::list, "shop", "things");
      EXPECT_EQ(append_list_key(bytes, find.view()), bypass_reason::none);
      hash = hash_key(bytes);
    }
    [[nodiscard]] key_view view() const { return {bytes, hash}; }
    byte_buffer bytes;
    std::uint64_t hash = 0;
  };

  flight_ref lead(key_kind kind, key_view k, cluster_time lower) {
    return all.flights()
        .begin(ns, kind, k, entry_level::local, {0, lower}, true, now,
               [] { return flight::waiter([](const entry_ref&) {}); })
        .led;
  }
  static entry_ref make(const flight& f, byte_view value, cluster_time lower, cluster_time upper = 0) {
    entry_meta meta;
    meta.kind = f.kind() == key_kind::list ? entry_kind::list : entry_kind::document;
    meta.generation = f.generation();
    meta.lower = lower;
    meta.upper = upper;
    meta.filled = now;
    meta.expires = instant::max();
    return entry::make(f.key().bytes, f.key().hash, meta, value);
  }
  bool fill(const key& k, cluster_time lower = 10, cluster_time upper = 0) {
    const auto f = lead(key_kind::document, k.view(), lower);
    const document d{{"_id", 1}};
    return f && all.flights().finish(*f, make(*f, d.bytes(), lower, upper));
  }
  bool fill(const list& l, cluster_time lower = 10) {
    const auto f = lead(key_kind::list, l.view(), lower);
    return f && all.flights().finish(*f, make(*f, two_teas.bytes(), lower));
  }
  bool holds(const key& k) { return static_cast<bool>(all.find(ns, key_kind::document, k.view(), now)); }
  bool holds(const list& l) { return static_cast<bool>(all.find(ns, key_kind::list, l.view(), now)); }

  void write(const write_target& target, cluster_time at) {
    pending_write pending(all, one(target));
    pending.invalidate(at);
    pending.unmark();
  }
  write_target key_write(const key& k) {
    auto target = target_of(extent::keys, "shop", "things");
    target.key_bytes = k.bytes;
    target.keys.emplace_back(0, k.bytes.size());
    return target;
  }
  static planned_change inserting(const document& d) {
    return {list_write::kind::inserted, {d.bytes().begin(), d.bytes().end()}, {}};
  }

  static document tea(int id, int price) { return {{"_id", id}, {"kind", "tea"}, {"price", price}}; }
  static document pot(int id) { return {{"_id", id}, {"kind", "pot"}, {"price", 1}}; }

  local_cache local{{.budget_bytes = 16 << 20, .shards = 4}};
  coherence all{local, {}};
  namespace_state& ns = *all.namespaces().find_or_add("shop", "things");
  const key one_key{1};
  const key other_key{2};
  const list teas;
  const array two_teas{tea(1, 3), tea(2, 5)};
};

}  // namespace mongocached::cache
