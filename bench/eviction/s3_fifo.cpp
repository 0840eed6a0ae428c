#include "bench/eviction/s3_fifo.hpp"

#include <new>

namespace mongocached::bench {

namespace {
constexpr std::uint8_t in_small = 1;
constexpr std::uint8_t in_main = 2;
constexpr std::size_t first_ghosts = 256;
}  // namespace

void s3_fifo::add(cache::eviction_hook& hook) noexcept {
  hook.hits = 0;
  const bool known = recall(hook.hash);
  hook.queue = known ? in_main : in_small;
  (known ? main_ : small_).push_front(hook);
}

void s3_fifo::remove(cache::eviction_hook& hook) noexcept {
  (hook.queue == in_main ? main_ : small_).remove(hook);
  hook.queue = 0;
}

cache::eviction_hook* s3_fifo::victim() noexcept {
  while (small_.bytes() > small_limit_ || main_.size() == 0) {
    cache::eviction_hook* oldest = small_.back();
    if (oldest == nullptr) return nullptr;
    small_.remove(*oldest);
    if (oldest->hits < hits_to_stay) {
      oldest->queue = 0;
      remember(oldest->hash);
      return oldest;
    }
    oldest->hits = 0;
    oldest->queue = in_main;
    main_.push_front(*oldest);
  }
  return from_main();
}

cache::eviction_hook* s3_fifo::from_main() noexcept {
  for (;;) {
    cache::eviction_hook* oldest = main_.back();
    main_.remove(*oldest);
    if (oldest->hits == 0) {
      oldest->queue = 0;
      return oldest;
    }
    --oldest->hits;
    main_.push_front(*oldest);
  }
}

// As many ghosts as the main queue has objects. The table doubles by starting empty: it can only be too small while the
// cache still fills, when there is little worth remembering, and a copy would stall the shard.
void s3_fifo::remember(std::uint64_t hash) noexcept {
  if (ghost_mask_ == 0 || main_.size() > ghost_mask_ + 1) {
    std::size_t wanted = ghost_mask_ == 0 ? first_ghosts : (ghost_mask_ + 1) * 2;
    while (wanted < main_.size()) wanted *= 2;
    auto* fresh = new (std::nothrow) ghost[wanted]{};
    if (fresh == nullptr) return;
    ghosts_.reset(fresh);
    ghost_mask_ = wanted - 1;
  }
  if (++departures_ == 0) departures_ = 1;
  const auto fingerprint = static_cast<std::uint32_t>(hash >> 32);
  const std::size_t first = hash & ghost_mask_ & ~(ways - 1);
  ghost* oldest = &ghosts_[first];
  for (std::size_t way = 0; way < ways; ++way) {
    ghost& candidate = ghosts_[first + way];
    if (candidate.born == 0) {
      oldest = &candidate;
      break;
    }
    if (departures_ - candidate.born > departures_ - oldest->born) oldest = &candidate;
  }
  *oldest = {fingerprint, departures_};
}

bool s3_fifo::recall(std::uint64_t hash) noexcept {
  if (ghost_mask_ == 0) return false;
  const auto fingerprint = static_cast<std::uint32_t>(hash >> 32);
  const std::size_t first = hash & ghost_mask_ & ~(ways - 1);
  for (std::size_t way = 0; way < ways; ++way) {
    ghost& candidate = ghosts_[first + way];
    if (candidate.born == 0 || candidate.fingerprint != fingerprint) continue;
    const bool recent = departures_ - candidate.born <= main_.size();
    candidate.born = 0;
    return recent;
  }
  return false;
}

}  // namespace mongocached::bench
