// The clock of the parts that do input and output; pure parts are told the time.
#pragma once

#include <ctime>

#include "cache/time.hpp"

namespace mongocached::cache {

[[nodiscard]] inline instant boot_now() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace mongocached::cache
