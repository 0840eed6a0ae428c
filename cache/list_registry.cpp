#include "cache/list_registry.hpp"

#include <algorithm>

#include "cache/guard.hpp"
#include "cache/key.hpp"

namespace mongocached::cache {
namespace {

using protocol::bson_view;

// Reads the run of (tag, value) that list_key.cpp writes.
class tag_reader {
 public:
  explicit tag_reader(byte_view rest) noexcept : rest_(rest) {}
  [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }
  [[nodiscard]] char tag() noexcept {
    const auto out = static_cast<char>(rest_.front());
    rest_ = rest_.subspan(1);
    return out;
  }
  [[nodiscard]] std::optional<bson_view> document() noexcept {
    const auto out = bson_view::parse_front(rest_);
    if (out) rest_ = rest_.subspan(out->bytes().size());
    return out;
  }
  [[nodiscard]] std::optional<std::int64_t> count() noexcept {
    if (rest_.size() < sizeof(std::int64_t)) return std::nullopt;
    const auto out = protocol::load_le<std::int64_t>(rest_.data());
    rest_ = rest_.subspan(sizeof(std::int64_t));
    return out;
  }

 private:
  byte_view rest_;
};

struct batch_arguments {
  std::int64_t size = -1;
  bool single = false;
};

bool read_argument(tag_reader& in, list_query& out, batch_arguments& batch) noexcept {
  const auto into = [](auto& slot, const auto& value) {
    if (value) slot = *value;
    return value.has_value();
  };
  switch (in.tag()) {
    case 'f':
      return into(out.filter, in.document());
    case 's':
      return into(out.sort, in.document());
    case 'p':
      return into(out.projection, in.document());
    case 'k':
      return into(out.skip, in.count());
    case 'l':
      return into(out.limit, in.count());
    case 'b':
      return into(batch.size, in.count());
    case '1':
      return batch.single = true;
    default:
      return false;  // a hint, collation, variables, an API version: not modelled
  }
}

}  // namespace

std::optional<list_query> query_of(byte_view list_key) noexcept {
  const auto nul = std::ranges::find(list_key, 0);
  if (nul == list_key.end()) return std::nullopt;
  list_query out;
  batch_arguments batch;
  tag_reader in(list_key.subspan(static_cast<std::size_t>(nul - list_key.begin()) + 1));
  while (!in.at_end()) {
    if (!read_argument(in, out, batch)) return std::nullopt;
  }
  if (batch.single && batch.size > 0 && out.limit >= 0) {
    out.limit = out.limit == 0 ? batch.size : std::min(out.limit, batch.size);
  }
  return out;
}

bool may_change(const entry& list, const write_set& writes, step_budget& budget) {
  if (!is_kept(guard::matcher)) return false;
  const auto query = query_of(list.key());
  const auto result = bson_view::parse(list.value());
  return !query || !result || writes.may_change(*query, result, budget);
}

list_registry::keys::iterator list_registry::forget(keys::iterator key) {
  key_bytes_ -= cost_of(*key);
  budget_.give(cost_of(*key));
  return keys_.erase(key);
}

bool list_registry::has_room(local_cache& local, std::size_t cost) {
  const auto fits = [&] {
    return keys_.size() < max_lists && key_bytes_ + cost <= max_key_bytes && budget_.has_room(cost);
  };
  if (fits()) return true;
  if (refusals_left_ > 0) {
    --refusals_left_;
    return false;
  }
  const auto before = keys_.size();
  walk(local);
  const auto enough = before / keys_an_insertion;
  if (before - keys_.size() < enough) refusals_left_ = enough;
  return fits();
}

void list_registry::walk(local_cache& local) {
  for (auto key = keys_.begin(); key != keys_.end();) {
    const auto bytes = protocol::as_bytes(*key);
    key = local.peek(bytes, hash_key(bytes)) ? std::next(key) : forget(key);
  }
}

std::size_t list_registry::forget_evicted(local_cache& local) {
  const std::scoped_lock lock(mutex_);
  const auto seen = keys_.size();
  walk(local);
  return seen;
}

bool list_registry::insert(local_cache& local, const entry_ref& list, const std::function<bool()>& may_store) {
  const std::scoped_lock lock(mutex_);
  if (!may_store()) return false;
  if (list->meta().lower < newest_ && is_kept(guard::flight_lower)) return false;
  const auto text = protocol::as_text(list->key());
  auto key = keys_.find(text);
  if (key == keys_.end()) {
    const auto cost = cost_of(text);
    if (!has_room(local, cost)) return true;
    key = keys_.emplace(text).first;
    key_bytes_ += cost;
    budget_.take(cost);
  }
  if (!local.insert(list)) forget(key);
  return true;
}

void list_registry::judge(local_cache& local, std::span<const list_write> writes, cluster_time at,
                          step_budget& budget) {
  const std::scoped_lock lock(mutex_);
  newest_ = std::max(newest_, at);
  if (keys_.empty()) return;
  const write_set ready(writes, at == 0 ? telling::ahead : telling::in_order);
  for (auto key = keys_.begin(); key != keys_.end();) {
    const auto bytes = protocol::as_bytes(*key);
    const auto list = local.peek(bytes, hash_key(bytes));
    const bool contains = list && at != 0 && list->meta().lower >= at && is_kept(guard::late_event);
    const bool falls = list && !contains && (budget.is_spent() || may_change(*list, ready, budget));
    if (falls) local.erase(bytes, list->hash());
    key = !list || falls ? forget(key) : std::next(key);
  }
}

void list_registry::raise_newest(cluster_time to) {
  const std::scoped_lock lock(mutex_);
  newest_ = std::max(newest_, to);
}

cluster_time list_registry::newest() const {
  const std::scoped_lock lock(mutex_);
  return newest_;
}

void list_registry::forget_times() {
  const std::scoped_lock lock(mutex_);
  newest_ = 0;
}

}  // namespace mongocached::cache
