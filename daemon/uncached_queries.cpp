#include "daemon/uncached_queries.hpp"

#include "cache/query_shape.hpp"

namespace mongocached::daemon {

void uncached_queries::note(const protocol::command_view& command, cache::bypass_reason why, std::minstd_rand& dice) {
  const auto weight = left_ > 0 ? 1 : sample;
  if (weight > 1 && dice() % sample != 0) return;
  if (!cache::has_shape(command)) return;
  if (left_ > 0) --left_;
  const cache::query_shape shape(command);
  const auto hash = shape.hash() + static_cast<std::uint64_t>(why);
  const std::scoped_lock lock(mutex_);
  counters_.add(hash, weight, [&](uncached_query& out) {
    out.ns = shape.ns();
    out.shape = shape.text();
    out.reason = why;
  });
}

uncached_queries::summary uncached_queries::now() const {
  const std::scoped_lock lock(mutex_);
  return counters_.now();
}

}  // namespace mongocached::daemon
