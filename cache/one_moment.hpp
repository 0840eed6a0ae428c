// Do entries that answer one request together show the cluster as it was at one moment? Found one by one, the first may
// be from before a transaction that wrote both, and the second from behind it: a state that never was.
//
// They do if one read brought them all; or if each is its key's state at H, with H taken before the first was looked
// up:
//
// - An entry that is found contains every write of its key up to that H: those events had been applied, and each drops
//   what does not contain it (coherence R6).
// - It contains no write behind its U, which the server computed after the read (S1 counts on the same).
// - So with U <= H there is nothing in it that is not in the state at H, and nothing missing.
//
// This does not take U for a version: the read may be of any moment from L to U, and nothing is said to be newer for a
// larger U. U only bounds what may be in the entry; an entry whose U is beyond H, or not known, is not of H's moment
// for all we know, though each alone is as good as ever. Pure values.
#pragma once

#include "cache/entry.hpp"

namespace mongocached::cache {

class one_moment {
 public:
  // H, before the first look-up.
  explicit one_moment(cluster_time applied) noexcept : applied_(applied) {}

  void add(const entry_meta& entry) noexcept {
    if (!any_) {
      read_ = entry.read;
      sent_ = entry.filled;
    }
    any_ = true;
    one_read_ = one_read_ && entry.read != 0 && entry.read == read_ && entry.filled == sent_;
    state_at_applied_ = state_at_applied_ && entry.upper != 0 && entry.upper <= applied_;
  }
  [[nodiscard]] bool holds() const noexcept { return one_read_ || state_at_applied_; }

 private:
  cluster_time applied_;
  std::uint32_t read_ = 0;
  instant sent_{};
  bool any_ = false;
  bool one_read_ = true;
  bool state_at_applied_ = true;
};

}  // namespace mongocached::cache
