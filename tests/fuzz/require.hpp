// An invariant of a fuzz target. Unlike assert it holds in every build.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace mongocached::fuzz {

inline void require(bool holds, const char* what) {
  if (holds) return;
  (void)std::fprintf(stderr, "invariant broken: %s\n", what);
  std::abort();
}

}  // namespace mongocached::fuzz
