// One event of the cluster's change stream, and the time that a resume token stands for (coherence C1, C2). Source: the
// manual's "Change Events". Pure, any thread; all views are into the event's bytes, which the caller has validated.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "cache/time.hpp"
#include "protocol/bson_view.hpp"

namespace mongocached::cache {

enum class change_kind : std::uint8_t {
  inserted,
  replaced,
  updated,
  deleted,
  collection,  // DDL on one collection: drop, create, modify, createIndexes, shardCollection, ...
  rename,
  database,  // dropDatabase
  unknown,   // anything else, or an event that lacks what its kind needs: may have changed anything it names
};

struct change_event {
  change_kind what = change_kind::unknown;
  cluster_time time = 0;        // clusterTime; 0: the event has none
  std::string_view db;          // empty: the event names no namespace (then it reaches everything)
  std::string_view collection;  // empty: the whole database
  std::string_view to_db;       // rename
  std::string_view to_collection;
  std::optional<protocol::bson_element> id;     // documentKey._id
  std::optional<protocol::bson_view> document;  // inserted, replaced: fullDocument, if it was sent along
  std::vector<std::string_view> paths;          // updated: updatedFields, removedFields, truncatedArrays
};

// An event without a time or without what its kind needs is `unknown`. Of an unknown one only the time and the names
// are given; time 0 must count as later than everything.
[[nodiscard]] change_event read_change_event(protocol::bson_view event);

// The cluster time in a resume token. Two forms are known: mongod's (`_data` is hex of a key string that begins with
// 0x82 and the timestamp, big-endian) and one whose `_data` is hex of a BSON document with a timestamp `t`. 0: another
// form. Only to be believed once it was seen to agree with events (stream_position).
[[nodiscard]] cluster_time token_time(protocol::bson_view token);

}  // namespace mongocached::cache
