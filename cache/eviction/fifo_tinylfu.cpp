#include "cache/eviction/fifo_tinylfu.hpp"

namespace mongocached::cache {

namespace {

constexpr std::uint8_t in_small = 1;
constexpr std::uint8_t in_main = 2;

// Every step is paid for by a hit, so that there are few on average; the bound is for the one insertion that would pay
// for all.
constexpr int most_steps = 16;

}  // namespace

void fifo_tinylfu::add(eviction_hook& hook) noexcept {
  sketch_.reserve(small_.size() + main_.size() + 1);
  sketch_.count(hook.hash);
  hook.hits = 0;
  hook.queue = in_small;
  small_.push_front(hook);
  if (full_) return;
  for (int steps = 0; steps < most_steps && small_.bytes() > small_limit_ && small_.size() > 1; ++steps) {
    promote(*small_.back());
  }
}

void fifo_tinylfu::remove(eviction_hook& hook) noexcept {
  (hook.queue == in_main ? main_ : small_).remove(hook);
  hook.queue = 0;
}

void fifo_tinylfu::promote(eviction_hook& hook) noexcept {
  small_.remove(hook);
  hook.hits = 0;
  hook.queue = in_main;
  main_.push_front(hook);
}

// Brings an object to main's back that was not hit since it was last there.
void fifo_tinylfu::spare_the_hit() noexcept {
  for (int steps = 0; steps < most_steps; ++steps) {
    eviction_hook* oldest = main_.back();
    if (oldest == nullptr || oldest->hits == 0) return;
    --oldest->hits;
    main_.remove(*oldest);
    main_.push_front(*oldest);
  }
}

eviction_hook* fifo_tinylfu::victim() noexcept {
  full_ = true;
  eviction_hook* newcomer = small_.bytes() > small_limit_ || main_.size() == 0 ? small_.back() : nullptr;
  if (newcomer != nullptr && newcomer->hits != 0) {
    promote(*newcomer);
    newcomer = nullptr;
  }
  spare_the_hit();
  eviction_hook* loser = main_.back();
  if (loser == nullptr) {
    loser = newcomer;
  } else if (newcomer != nullptr) {
    if (sketch_.estimate(newcomer->hash) > sketch_.estimate(loser->hash)) {
      promote(*newcomer);
    } else {
      loser = newcomer;
    }
  }
  if (loser != nullptr) remove(*loser);
  return loser;
}

}  // namespace mongocached::cache
