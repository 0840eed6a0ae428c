#include "cache/event_log.hpp"

#include <algorithm>

#include "cache/guard.hpp"
#include "cache/key.hpp"

namespace mongocached::cache {

list_write list_write_of(const change_event& event) noexcept {
  using kind = list_write::kind;
  list_write out;
  out.id = event.id;
  switch (event.what) {
    case change_kind::inserted:
    case change_kind::replaced:
      if (!event.document) return out;
      out.what = event.what == change_kind::inserted ? kind::inserted : kind::replaced;
      out.document = *event.document;
      out.new_id = event.what == change_kind::inserted;
      return out;
    case change_kind::updated:
      out.what = kind::updated;
      out.paths = event.paths;
      return out;
    case change_kind::deleted:
      out.what = kind::deleted;
      return out;
    default:
      return out;
  }
}

void event_log::add(const change_event& event, protocol::bson_view raw) {
  const bool one_namespace = !event.collection.empty() && event.what != change_kind::rename;
  // One without a time counts as later than everything.
  auto fresh = std::make_shared<record>(
      record{event.time != 0 ? event.time : ~cluster_time{0}, {}, {raw.bytes().begin(), raw.bytes().end()}});
  if (one_namespace) set_full_name(fresh->ns, event.db, event.collection);
  const std::scoped_lock lock(mutex_);
  // A stream that was resumed may repeat itself; what is here must stay in the order of times.
  if (event.time != 0 && event.time < newest_ && is_kept(guard::repeated_event)) return;
  newest_ = std::max(newest_, event.time);
  bytes_ += fresh->raw.size();
  records_.push_back(std::move(fresh));
  while (bytes_ > max_bytes_) {
    whole_from_ = std::max(whole_from_, records_.front()->time);
    bytes_ -= records_.front()->raw.size();
    records_.pop_front();
  }
}

void event_log::begin(cluster_time from) {
  const std::scoped_lock lock(mutex_);
  whole_ = true;
  whole_from_ = from;
}

void event_log::clear() {
  const std::scoped_lock lock(mutex_);
  records_.clear();
  newest_ = 0;
  bytes_ = 0;
  whole_ = false;
}

bool event_log::leaves_alone(const entry& list) const {
  const auto since = list.meta().lower;
  const auto ns = namespace_of(list.key());
  std::vector<std::shared_ptr<const record>> later;  // judged without the lock: the stream must go on
  {
    const std::scoped_lock lock(mutex_);
    if (!whole_ || since < whole_from_) return false;
    for (auto at = records_.rbegin(); at != records_.rend() && (*at)->time > since; ++at) {
      if ((*at)->ns.empty()) return false;
      if ((*at)->ns == ns) later.push_back(*at);
      if (later.size() > max_judged) return false;
    }
  }
  std::vector<change_event> events;
  events.reserve(later.size());
  for (const auto& event : later) {
    const auto raw = protocol::bson_view::parse(event->raw);
    if (!raw) return false;
    events.push_back(read_change_event(*raw));
  }
  std::vector<list_write> writes(events.size());
  std::ranges::transform(events, writes.begin(), list_write_of);
  step_budget budget(list_registry::steps_a_write);
  return writes.empty() || !may_change(list, write_set(writes), budget);
}

}  // namespace mongocached::cache
