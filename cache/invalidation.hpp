// What Redis is told of a write (coherence W1, W2, W4).
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "cache/entry.hpp"

namespace mongocached::cache {

// Names one announced write (mode `strict`), so that taking it back takes back no other; all zero: none.
using announcement_id = std::array<std::uint8_t, 16>;

struct invalidation {
  std::string ns;                                         // db.collection; empty with `everything`
  byte_buffer key_bytes;                                  // document keys, one behind the other
  std::vector<std::pair<std::size_t, std::size_t>> keys;  // begin, end
  bool documents = false;                                 // every document of the namespace: its documents' token falls
  bool lists = true;        // the lists' token falls; false: N(ns) rises to `fence`, which judges them (R3)
  bool seen = false;        // from the change stream: a value with L >= `fence` stays, and what has no record gets none
  bool announced = false;   // mode strict: takes one shared_store::announce() of the same back
  bool everything = false;  // new epoch
  announcement_id announcement{};  // new_announcement(), set before announce() and kept for the one with `announced`
  cluster_time fence = 0;
  duration hold{};  // no lease is granted for so long (a write of unknown outcome, coherence W5)
};

}  // namespace mongocached::cache
