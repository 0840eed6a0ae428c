#include "daemon/buffer_budget.hpp"

#include <algorithm>
#include <vector>

namespace mongocached::daemon {

held_bytes buffer_budget::hold(std::size_t size) noexcept {
  if (size <= uncounted) return {};
  used_.fetch_add(size);
  return {*this, size};
}

bool buffer_budget::try_hold(held_bytes& into, std::size_t size) noexcept {
  if (size <= into.size_ || size <= uncounted) return true;
  const auto more = size - into.size_;
  if (in_line_.load() > 0 || !take(more)) return false;
  into.from_ = this;
  into.size_ = size;
  return true;
}

bool buffer_budget::has_room(std::size_t size) const noexcept {
  if (size <= uncounted) return true;
  return in_line_.load(std::memory_order_relaxed) == 0 && used() + std::min<std::uint64_t>(size, limit()) <= limit();
}

buffer_budget::place buffer_budget::wait(std::size_t size, waiter tell) {
  place at = 0;
  {
    const std::scoped_lock lock(mutex_);
    at = ++last_place_;
    line_.push_back({at, size, std::move(tell)});
    in_line_.store(line_.size());
  }
  admit();  // what was given back before the line was seen
  return at;
}

void buffer_budget::give_up(place at) {
  waiter tell;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = std::ranges::find(line_, at, &waiting::at);
    if (found == line_.end()) return;  // granted meanwhile
    tell = std::move(found->tell);
    line_.erase(found);
    in_line_.store(line_.size());
  }
  tell({});
  admit();  // it may have stood before smaller ones
}

void buffer_budget::set_limit(std::uint64_t limit) {
  limit_.store(limit);
  admit();
}

bool buffer_budget::take(std::size_t size) noexcept {
  const auto most = limit();
  const auto needed = std::min<std::uint64_t>(size, most);
  auto now = used_.load();
  while (now + needed <= most) {
    if (used_.compare_exchange_weak(now, now + size)) return true;
  }
  return false;
}

// Order matters here and in wait(): one of the two sees the other's step.
void buffer_budget::give(std::size_t size) noexcept {
  used_.fetch_sub(size);
  if (in_line_.load() > 0) admit();
}

void buffer_budget::admit() {
  std::vector<std::pair<waiter, std::size_t>> granted;
  {
    const std::scoped_lock lock(mutex_);
    while (!line_.empty() && take(line_.front().size)) {
      granted.emplace_back(std::move(line_.front().tell), line_.front().size);
      line_.pop_front();
    }
    in_line_.store(line_.size());
  }
  for (auto& [tell, size] : granted) tell(held_bytes(*this, size));
}

}  // namespace mongocached::daemon
