#include "cache/writing_cursors.hpp"

namespace mongocached::cache {

void writing_cursors::opened(std::int64_t cursor, const std::vector<write_target>& targets) {
  if (cursor == 0) return;
  const std::scoped_lock lock(mutex_);
  if (open_.size() < limit_) {
    open_[cursor] = targets;
  } else {
    overflowed_ = true;
  }
  any_.store(true, std::memory_order_release);
}

void writing_cursors::exhausted(std::int64_t cursor) {
  if (!any_.load(std::memory_order_acquire)) return;
  const std::scoped_lock lock(mutex_);
  open_.erase(cursor);
  if (open_.empty() && !overflowed_) any_.store(false, std::memory_order_release);
}

std::vector<write_target> writing_cursors::targets(std::int64_t cursor) const {
  if (!any_.load(std::memory_order_acquire)) return {};
  const std::scoped_lock lock(mutex_);
  if (const auto found = open_.find(cursor); found != open_.end()) return found->second;
  if (!overflowed_) return {};
  std::vector<write_target> everything(1);
  everything.front().reach = extent::everything;
  return everything;
}

}  // namespace mongocached::cache
