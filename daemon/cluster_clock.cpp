#include "daemon/cluster_clock.hpp"

#include <algorithm>

namespace mongocached::daemon {

void take_newer(signed_time& into, const protocol::reply_view& reply) {
  if (reply.cluster_time_value <= into.time || reply.cluster_time.size() > signed_time::max_size) return;
  std::ranges::copy(reply.cluster_time, into.document.begin());
  into.size = reply.cluster_time.size();
  into.time = reply.cluster_time_value;
}

void cluster_clock::saw(const protocol::reply_view& reply) {
  if (reply.cluster_time_value <= newest() || reply.cluster_time.size() > signed_time::max_size) return;
  const bool is_unsigned = protocol::signing_key(reply.cluster_time) == 0;
  if (is_unsigned && authenticated_.load()) return;
  const std::scoped_lock lock(mutex_);
  if (reply.cluster_time_value <= current_.time) return;
  take_newer(current_, reply);
  unsigned_ = is_unsigned;
  newest_.store(current_.time, std::memory_order_release);
}

void cluster_clock::saw_authentication() {
  if (authenticated_.exchange(true)) return;
  const std::scoped_lock lock(mutex_);
  if (!unsigned_) return;
  // Time 0 makes every copy older than any entry, so that hits wait for a signed one.
  current_ = {};
  newest_.store(0, std::memory_order_release);
}

void cluster_clock::refresh(signed_time& mine) const {
  if (mine.time == newest()) return;
  const std::scoped_lock lock(mutex_);
  mine = current_;
}

}  // namespace mongocached::daemon
