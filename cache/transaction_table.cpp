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
  byte_buffer().swap(target.key_bytes);
  decltype(target.keys)().swap(target.keys);
}

// What it holds, room that vectors keep included.
std::size_t bytes_of(const write_target& target) {
  return sizeof target + target.db.capacity() + target.collection.capacity() + target.key_bytes.capacity() +
         target.keys.capacity() * sizeof target.keys.front();
}

}  // namespace

transaction_table::record& transaction_table::touch(byte_view lsid, std::int64_t number, bool starts) {
  auto key = key_of(lsid, number);
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) {
    order_.splice(order_.end(), order_, found->second);
    return order_.back();
  }
  if (by_key_.size() >= limit_) erase(order_.begin());
  order_.push_back({key, starts, 0, 0, {}});
  by_key_.emplace(std::move(key), std::prev(order_.end()));
  return order_.back();
}

// Its commit, if it is yet to come, will reach everything.
void transaction_table::erase(records::iterator at) {
  bytes_ -= at->bytes;
  by_key_.erase(at->key);
  order_.erase(at);
}

void transaction_table::add(record& at, write_target target) {
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

void transaction_table::count(record& at) {
  bytes_ -= at.bytes;
  at.bytes = at.key.size();
  for (const auto& target : at.targets) at.bytes += bytes_of(target);
  if (at.bytes > max_record_bytes) at.whole = false;
  if (!at.whole) {
    std::vector<write_target>().swap(at.targets);
    at.bytes = at.key.size();
  }
  bytes_ += at.bytes;
}

bool transaction_table::collect(byte_view lsid, std::int64_t number, bool starts, std::vector<write_target> targets) {
  const std::scoped_lock lock(mutex_);
  auto& at = touch(lsid, number, starts);
  for (auto& target : targets) {
    if (at.whole) add(at, std::move(target));
  }
  count(at);
  const bool whole = at.whole;
  // Committed ones stay for their retries until they are the oldest: were it the newest that gives way, they would fill
  // the table for good.
  while (bytes_ > max_bytes_ && order_.size() > 1) erase(order_.begin());
  return whole;
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
  erase(found->second);
}

void transaction_table::lose_sight() {
  const std::scoped_lock lock(mutex_);
  for (auto& one : order_) one.whole = false;
}

std::size_t transaction_table::size() const {
  const std::scoped_lock lock(mutex_);
  return by_key_.size();
}

std::size_t transaction_table::bytes() const {
  const std::scoped_lock lock(mutex_);
  return bytes_;
}

}  // namespace mongocached::cache
