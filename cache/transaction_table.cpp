#include "cache/transaction_table.hpp"

#include <algorithm>

namespace mongocached::cache {
namespace {

constexpr std::size_t max_targets = 64;

std::string key_of(byte_view lsid, std::int64_t number) {
  std::string key(reinterpret_cast<const char*>(&number), sizeof number);
  key.append(protocol::as_text(lsid));
  return key;
}

std::vector<write_target> everything() {
  std::vector<write_target> out(1);
  out.front().reach = extent::everything;
  return out;
}

bool same_place(const write_target& a, const write_target& b) {
  return a.reach == b.reach && a.db == b.db && a.collection == b.collection;
}

// Puts `more` into `into`, of the same place.
void merge(write_target& into, const write_target& more) {
  into.ddl = into.ddl || more.ddl;
  for (const auto& [begin, end] : more.keys) {
    const auto at = into.key_bytes.size();
    into.key_bytes.insert(into.key_bytes.end(), more.key_bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                          more.key_bytes.begin() + static_cast<std::ptrdiff_t>(end));
    into.keys.emplace_back(at, into.key_bytes.size());
  }
}

void widen(write_target& target) {
  target.reach = extent::collection;
  target.key_bytes.clear();
  target.keys.clear();
}

}  // namespace

void transaction_table::collect(byte_view lsid, std::int64_t number, bool starts, std::vector<write_target> targets) {
  auto key = key_of(lsid, number);
  const std::scoped_lock lock(mutex_);
  auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    if (by_key_.size() >= limit_) {
      // The oldest is forgotten; its commit will reach everything.
      by_key_.erase(order_.front().key);
      order_.pop_front();
    }
    order_.push_back({key, starts, 0, {}});
    found = by_key_.emplace(std::move(key), std::prev(order_.end())).first;
  } else {
    order_.splice(order_.end(), order_, found->second);
  }
  auto& at = *found->second;
  for (auto& target : targets) {
    target.forget_changes();  // a transaction may be long, and the stream tells soon
    if (at.keys + target.keys.size() > max_planned_keys && target.reach == extent::keys) widen(target);
    at.keys += target.keys.size();
    const auto same = std::ranges::find_if(at.targets, [&](const auto& known) { return same_place(known, target); });
    if (same != at.targets.end()) {
      merge(*same, target);
    } else if (at.targets.size() < max_targets) {
      at.targets.push_back(std::move(target));
    } else {
      at.whole = false;
    }
  }
}

std::vector<write_target> transaction_table::committed(byte_view lsid, std::int64_t number) const {
  const std::scoped_lock lock(mutex_);
  const auto found = by_key_.find(key_of(lsid, number));
  if (found == by_key_.end() || !found->second->whole) return everything();
  return found->second->targets;
}

void transaction_table::aborted(byte_view lsid, std::int64_t number) {
  const std::scoped_lock lock(mutex_);
  const auto found = by_key_.find(key_of(lsid, number));
  if (found == by_key_.end()) return;
  order_.erase(found->second);
  by_key_.erase(found);
}

void transaction_table::lose_sight() {
  const std::scoped_lock lock(mutex_);
  for (auto& one : order_) one.whole = false;
}

std::size_t transaction_table::size() const {
  const std::scoped_lock lock(mutex_);
  return by_key_.size();
}

}  // namespace mongocached::cache
