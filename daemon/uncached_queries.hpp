// Which reads are most often not served from the cache, and why: a data thread's share of what GET /status lists.
//
// Looking at a query costs something, a quarter of what relaying it does: beyond bursts of `burst` and `whole_a_period`
// between two sweeps only one in `sample` is looked at, by chance, and counts for as many. The data thread notes; any
// thread may ask for a copy. The lock between them is held for one note, or for one copy of at most `room` texts.
#pragma once

#include <algorithm>
#include <mutex>
#include <random>
#include <string>

#include "cache/bypass_reason.hpp"
#include "cache/heavy_hitters.hpp"
#include "protocol/command_view.hpp"

namespace mongocached::daemon {

struct uncached_query {
  std::string ns;
  std::string shape;
  cache::bypass_reason reason = cache::bypass_reason::none;
};

class uncached_queries {
 public:
  using counted = cache::heavy_hitters<uncached_query>::counted;
  using summary = cache::heavy_hitters<uncached_query>::summary;
  static constexpr std::size_t room = 256;
  static constexpr std::uint32_t burst = 512;
  static constexpr std::uint32_t whole_a_period = 16;
  static constexpr std::uint32_t sample = 64;

  // The data thread's.
  void note(const protocol::command_view& command, cache::bypass_reason why, std::minstd_rand& dice);
  void begin_period() noexcept { left_ = std::min(left_ + whole_a_period, burst); }

  [[nodiscard]] summary now() const;

 private:
  std::uint32_t left_ = burst;  // to be looked at before the sampling begins
  mutable std::mutex mutex_;
  cache::heavy_hitters<uncached_query> counters_{room};
};

}  // namespace mongocached::daemon
