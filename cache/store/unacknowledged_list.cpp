#include "cache/store/unacknowledged_list.hpp"

#include <algorithm>

namespace mongocached::cache {

void unacknowledged_list::insert(const std::shared_ptr<owed_invalidation>& item, bool sent) {
  item->id = ++last_id_;
  items_.emplace(item->id, entry{item, sent});
  if (sent) {
    ++in_flight_;
  } else {
    first_unsent_ = std::min(first_unsent_, item->id);
  }
  gauge_.fetch_add(1);
}

void unacknowledged_list::add(const std::shared_ptr<owed_invalidation>& item, bool sent) {
  item->kept = true;
  if (!items_.empty()) {
    // An unsent new epoch covers whatever is added before it goes out.
    const auto& newest = items_.rbegin()->second;
    if (newest.item->what.everything && !newest.sent) return;
  }
  if (items_.size() < ceiling_) return insert(item, sent);
  const auto dropped = items_.size();
  items_.clear();
  in_flight_ = 0;
  auto everything = std::make_shared<owed_invalidation>();
  everything->what.everything = true;
  insert(everything, false);
  gauge_.fetch_sub(dropped);  // after the new one was added: never zero in between
}

bool unacknowledged_list::acknowledged(const owed_invalidation& item) {
  const auto found = items_.find(item.id);
  if (found == items_.end()) return false;
  if (found->second.sent) --in_flight_;
  items_.erase(found);
  gauge_.fetch_sub(1);
  return true;
}

void unacknowledged_list::not_sent(const owed_invalidation& item) {
  const auto found = items_.find(item.id);
  if (found == items_.end() || !found->second.sent) return;
  found->second.sent = false;
  --in_flight_;
  first_unsent_ = std::min(first_unsent_, item.id);
}

std::shared_ptr<owed_invalidation> unacknowledged_list::take_unsent() {
  for (auto at = items_.lower_bound(first_unsent_); at != items_.end(); ++at) {
    if (at->second.sent) continue;
    at->second.sent = true;
    ++in_flight_;
    first_unsent_ = at->first + 1;
    return at->second.item;
  }
  first_unsent_ = last_id_ + 1;
  return nullptr;
}

}  // namespace mongocached::cache
