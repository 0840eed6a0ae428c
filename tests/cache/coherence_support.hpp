// A small world for the tests of coherence: one in-process cache, one namespace, keys and write targets by name.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "cache/coherence.hpp"

namespace mongocached::cache {

using begun = flight_table::begun;

constexpr instant start{1'000'000};

// An owned document (or list) key.
struct owned_key {
  explicit owned_key(std::string_view id, std::string_view collection = "things", key_kind kind = key_kind::document,
                     std::string_view db = "shop") {
    begin_key(bytes, kind, db, collection);
    bytes.insert(bytes.end(), id.begin(), id.end());
    hash = hash_key(bytes);
  }
  [[nodiscard]] key_view view() const { return {bytes, hash}; }

  byte_buffer bytes;
  std::uint64_t hash = 0;
};

inline write_target target_of(extent reach, std::string db = {}, std::string collection = {}) {
  write_target target;
  target.reach = reach;
  target.db = std::move(db);
  target.collection = std::move(collection);
  return target;
}

inline write_target keys_target(const std::vector<std::string_view>& ids, const std::string& collection = "things") {
  auto target = target_of(extent::keys, "shop", collection);
  for (const auto id : ids) {
    const owned_key key(id, collection);
    const auto begin = target.key_bytes.size();
    target.key_bytes.insert(target.key_bytes.end(), key.bytes.begin(), key.bytes.end());
    target.keys.emplace_back(begin, target.key_bytes.size());
  }
  return target;
}

inline std::vector<write_target> one(write_target target) {
  std::vector<write_target> out;
  out.push_back(std::move(target));
  return out;
}

inline entry_ref entry_of(const flight& f, std::string_view value, cluster_time lower = 0) {
  entry_meta meta;
  meta.generation = f.generation();
  meta.level = f.level();
  meta.lower = lower;
  meta.expires = instant::max();
  return entry::make(f.key().bytes, f.key().hash, meta, protocol::as_bytes(value));
}

class coherence_world {
 public:
  coherence_world() = default;

  // Options of begin() that a test cares about.
  struct how {
    entry_level level = entry_level::local;
    cluster_time lower = 0;
    bool may_join = true;
    bool anew = false;
    instant now = start;
    flight::waiter joined = [](entry_ref) {};
  };
  flight_table::begin_result begin(const owned_key& key, const how& with, key_kind kind = key_kind::document) {
    return all.flights().begin(ns, kind, key.view(), with.level, {with.lower, with.lower, with.anew}, with.may_join,
                               with.now, [&with] { return with.joined; });
  }
  flight_table::begin_result begin(const owned_key& key) { return begin(key, how{}); }
  flight_table::begin_result begin_list(const owned_key& key) { return begin(key, how{}, key_kind::list); }

  // What a hit would give: the value, or "" for none.
  std::string found(const owned_key& key, key_kind kind = key_kind::document) {
    const auto e = all.find(ns, kind, key.view(), start);
    return e ? std::string(protocol::as_text(e->value())) : std::string();
  }
  // A read from begin to end.
  bool fill(const owned_key& key, std::string_view value, key_kind kind = key_kind::document) {
    const auto led = begin(key, how{}, kind).led;
    return led && all.flights().finish(*led, entry_of(*led, value));
  }
  // A write from begin to end.
  void write(write_target target, cluster_time at = 0) {
    pending_write pending(all, one(std::move(target)));
    pending.invalidate(at);
    pending.unmark();
  }

  static constexpr duration hold = std::chrono::seconds(60);

  local_cache local{{.budget_bytes = 16 << 20, .shards = 4}};
  coherence all{local, {.hold = hold}};
  namespace_state& ns = *all.namespaces().find_or_add("shop", "things");
  const owned_key a{"a"};
  const owned_key b{"b"};
  const owned_key list{"query", "things", key_kind::list};
};

}  // namespace mongocached::cache
