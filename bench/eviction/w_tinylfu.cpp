#include "bench/eviction/w_tinylfu.hpp"

#include <algorithm>
#include <cmath>

namespace mongocached::bench {

namespace {

constexpr std::uint8_t in_window = 1;
constexpr std::uint8_t in_contest = 2;  // at probation's front, straight from the window, not yet compared
constexpr std::uint8_t in_probation = 3;
constexpr std::uint8_t in_protected = 4;

constexpr double first_window = 0.01;
constexpr double largest_window = 0.8;
constexpr double protected_share = 0.8;  // of what is not window
constexpr double climb_step = 0.0625;    // of the limit
constexpr double climb_decay = 0.98;
constexpr double restart_at = 0.05;  // a change of the hit ratio by this much is a new workload: full steps again
constexpr std::uint64_t requests_a_step = 10;  // times the objects held
// A moved limit is followed by a few objects an operation, so that none stalls.
constexpr int moves_an_operation = 4;

}  // namespace

w_tinylfu::w_tinylfu(std::uint64_t limit_bytes) noexcept
    : limit_(limit_bytes),
      window_limit_(static_cast<std::uint64_t>(static_cast<double>(limit_bytes) * first_window)),
      step_(static_cast<double>(limit_bytes) * climb_step) {}

cache::eviction_queue& w_tinylfu::queue_of(const cache::eviction_hook& hook) noexcept {
  if (hook.queue == in_window) return window_;
  return hook.queue == in_protected ? protected_ : probation_;
}

void w_tinylfu::move(cache::eviction_hook& hook, std::uint8_t queue) noexcept {
  queue_of(hook).remove(hook);
  hook.queue = queue;
  queue_of(hook).push_front(hook);
}

void w_tinylfu::rebalance() noexcept {
  const auto protected_limit =
      static_cast<std::uint64_t>(static_cast<double>(limit_ - window_limit_) * protected_share);
  for (int moves = 0; moves < moves_an_operation && protected_.bytes() > protected_limit; ++moves) {
    move(*protected_.back(), in_probation);
  }
  for (int moves = 0; moves < moves_an_operation && window_.bytes() > window_limit_; ++moves) {
    move(*window_.back(), in_contest);
  }
}

void w_tinylfu::hit(cache::eviction_hook& hook) noexcept {
  sketch_.count(hook.hash);
  move(hook, hook.queue == in_window ? in_window : in_protected);
  rebalance();
  count_request(true);
}

void w_tinylfu::add(cache::eviction_hook& hook) noexcept {
  sketch_.reserve(window_.size() + probation_.size() + protected_.size() + 1);
  sketch_.count(hook.hash);
  hook.queue = in_window;
  window_.push_front(hook);
  rebalance();
  count_request(false);
}

void w_tinylfu::remove(cache::eviction_hook& hook) noexcept {
  queue_of(hook).remove(hook);
  hook.queue = 0;
}

cache::eviction_hook* w_tinylfu::victim() noexcept {
  cache::eviction_hook* loser = probation_.back();
  if (loser == nullptr) loser = protected_.back();
  if (loser == nullptr) loser = window_.back();
  if (loser == nullptr) return nullptr;
  cache::eviction_hook* newcomer = probation_.front();
  if (newcomer != nullptr && newcomer != loser && newcomer->queue == in_contest) {
    newcomer->queue = in_probation;
    if (sketch_.estimate(newcomer->hash) <= sketch_.estimate(loser->hash)) loser = newcomer;
  }
  remove(*loser);
  return loser;
}

void w_tinylfu::count_request(bool was_hit) noexcept {
  hits_ += was_hit ? 1 : 0;
  if (++requests_ >= requests_a_step * (window_.size() + probation_.size() + protected_.size())) climb();
}

void w_tinylfu::climb() noexcept {
  const double ratio = static_cast<double>(hits_) / static_cast<double>(requests_);
  const double change = ratio - last_ratio_;
  last_ratio_ = ratio;
  requests_ = hits_ = 0;
  if (change < 0) step_ = -step_;
  const auto limit = static_cast<double>(limit_);
  const double wanted = static_cast<double>(window_limit_) + step_;
  window_limit_ = static_cast<std::uint64_t>(std::clamp(wanted, limit * first_window, limit * largest_window));
  step_ = std::abs(change) >= restart_at ? std::copysign(limit * climb_step, step_) : step_ * climb_decay;
}

}  // namespace mongocached::bench
