// The ids of what a session sends: one after the other, and after the greatest the least.
#pragma once

#include <cstdint>

namespace mongocached::daemon {

class request_ids {
 public:
  constexpr explicit request_ids(std::int32_t last = 0) noexcept : last_(static_cast<std::uint32_t>(last)) {}

  [[nodiscard]] constexpr std::int32_t next() noexcept { return static_cast<std::int32_t>(++last_); }

 private:
  std::uint32_t last_;  // a client that stays long enough has them all
};

}  // namespace mongocached::daemon
