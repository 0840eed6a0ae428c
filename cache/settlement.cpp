#include "cache/settlement.hpp"

#include <algorithm>

namespace mongocached::cache {

bool settlement::sampled(const primary_sample& sample) {
  const std::scoped_lock lock(mutex_);
  const bool another_term = !election_.empty() && sample.election != election_ && is_kept(guard::election);
  if (another_term) era_.fetch_add(1);
  election_ = sample.election;
  server_ = sample.server;
  majority_.store(another_term ? 0 : std::max(sample.majority, majority_.load()), std::memory_order_release);
  return another_term;
}

bool settlement::may_fill(std::string_view server) const {
  const std::scoped_lock lock(mutex_);
  return server_.empty() || server_ == server || !is_kept(guard::sampled_primary);
}

void settlement::reset() {
  const std::scoped_lock lock(mutex_);
  era_.fetch_add(1);
  election_.clear();
  server_.clear();
  majority_.store(0);
}

}  // namespace mongocached::cache
