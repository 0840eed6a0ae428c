#include "cache/settlement.hpp"

#include <algorithm>

namespace mongocached::cache {

bool settlement::sampled(const primary_sample& sample) {
  const std::scoped_lock lock(mutex_);
  const bool another_term = !election_.empty() && sample.election != election_ && is_kept(guard::election);
  election_ = sample.election;
  majority_.store(another_term ? 0 : std::max(sample.majority, majority_.load()), std::memory_order_release);
  return another_term;
}

void settlement::reset() {
  const std::scoped_lock lock(mutex_);
  election_.clear();
  majority_.store(0);
}

}  // namespace mongocached::cache
