// What a find's `comment` asks of the cache: words between white space that begin with `mongocached:`.
//
//   mongocached:bypass    never answered from the cache, and nothing is filled from it
//   mongocached:refresh   read upstream, and what is cached is filled anew
//   mongocached:ttl=30s   not answered from what was read longer ago, and what this read fills lasts no longer; a whole
//                         number with a unit (ns, us, ms, s, m, h, d) as in the settings, or 0
//
// A word of that kind which says anything else is not understood, and "not sure" means forward: it counts as bypass.
// Bypass wins over refresh, refresh over ttl; of several ttl the shortest counts. A hint can only make an answer
// fresher: what is promised without one is never stretched.
#pragma once

#include <string_view>

#include "cache/time.hpp"

namespace mongocached::cache {

struct read_hint {
  duration max_age = duration::max();  // max: no bound was asked for
  bool bypass = false;
  bool refresh = false;

  bool operator==(const read_hint&) const = default;
};

// A hint has to begin within so many bytes of the comment: a client cannot make us read more.
inline constexpr std::size_t hint_reach = 4096;

// No allocation; the bytes may be anything. Without a hint: a default-constructed one.
[[nodiscard]] read_hint hint_in(std::string_view comment) noexcept;

}  // namespace mongocached::cache
