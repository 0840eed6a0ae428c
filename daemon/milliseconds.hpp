// Durations as log, status and replies tell them.
#pragma once

#include <chrono>
#include <cstdint>

namespace mongocached::daemon {

// Whole ones, towards zero.
template <class Rep, class Period>
[[nodiscard]] constexpr std::int64_t milliseconds(std::chrono::duration<Rep, Period> d) noexcept {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

}  // namespace mongocached::daemon
