// What became of a try to read or write without waiting.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mongocached::daemon {

struct io_result {
  std::size_t size = 0;
  enum class state : std::uint8_t { ok, would_block, ended, failed } how = state::ok;
};

[[nodiscard]] constexpr bool is_lost(io_result::state how) noexcept {
  return how == io_result::state::ended || how == io_result::state::failed;
}

}  // namespace mongocached::daemon
