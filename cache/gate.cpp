#include "cache/gate.hpp"

#include "cache/guard.hpp"

namespace mongocached::cache {

void gate::sampled(instant sent, cluster_time operation_time) {
  const std::scoped_lock lock(mutex_);
  if (count_ == max_waiting) {
    first_ = (first_ + 1) % max_waiting;
    --count_;
  }
  waiting_[(first_ + count_++) % max_waiting] = {sent, operation_time};
  settle(applied_.load());
}

void gate::applied(cluster_time to) {
  const std::scoped_lock lock(mutex_);
  if (to > applied_.load()) applied_.store(to, std::memory_order_release);
  settle(applied_.load());
}

void gate::settle(cluster_time to) {
  while (count_ > 0 && waiting_[first_].operation_time <= to) {
    covered_.store(waiting_[first_].sent.count(), std::memory_order_release);
    first_ = (first_ + 1) % max_waiting;
    --count_;
  }
}

void gate::reset() {
  const std::scoped_lock lock(mutex_);
  applied_.store(0);
  covered_.store(0);
  count_ = 0;
}

bool gate::is_open(instant now, duration bound) const noexcept {
  if (!is_kept(guard::gate)) return true;
  const auto since = covered();
  return since != instant{} && now - since <= bound;
}

}  // namespace mongocached::cache
