#include "daemon/pooled/pins.hpp"

#include <algorithm>

namespace mongocached::daemon {
namespace {

template <class Number>
void append_number(std::string& out, Number number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

}  // namespace

std::string cursor_key(user_id user, std::int64_t cursor, std::string_view ns) {
  std::string out;
  append_number(out, user);
  append_number(out, cursor);
  out += ns;
  return out;
}

std::string transaction_key(user_id user, protocol::byte_view lsid, std::int64_t number) {
  std::string out;
  append_number(out, user);
  append_number(out, number);
  out += protocol::as_text(lsid);
  return out;
}

void pin_table::put(user_id user, std::string key, server_address where, cache::instant now) {
  const std::scoped_lock lock(mutex_);
  if (const auto known = by_key_.find(key); known != by_key_.end()) {
    known->second->where = std::move(where);
    return use(known->second, now);
  }
  if (by_key_.size() >= limit_) make_room(now);
  auto& own = of_users_[user];
  own.push_back({user, key, std::move(where), now});
  by_key_.emplace(std::move(key), std::prev(own.end()));
  forget_unused(own, now);
}

void pin_table::use(pin_list::iterator which, cache::instant now) {
  auto& own = of_users_[which->user];
  which->used = now;
  own.splice(own.end(), own, which);
}

void pin_table::forget(pin_list::iterator which) {
  const auto own = of_users_.find(which->user);
  by_key_.erase(which->key);
  own->second.erase(which);
  if (own->second.empty()) of_users_.erase(own);
}

// Never the last one, so that the list stays.
void pin_table::forget_unused(pin_list& of_user, cache::instant now) {
  while (of_user.size() > 1 && now - of_user.front().used >= lifetime_) forget(of_user.begin());
}

void pin_table::make_room(cache::instant now) {
  for (auto& [user, own] : of_users_) forget_unused(own, now);
  while (by_key_.size() >= limit_) {
    const auto most = std::ranges::max_element(of_users_, {}, [](const auto& one) { return one.second.size(); });
    forget(most->second.begin());
  }
}

std::optional<server_address> pin_table::find(const std::string& key, cache::instant now) {
  const std::scoped_lock lock(mutex_);
  const auto known = by_key_.find(key);
  if (known == by_key_.end()) return std::nullopt;
  use(known->second, now);
  return known->second->where;
}

void pin_table::erase(const std::string& key) {
  const std::scoped_lock lock(mutex_);
  if (const auto known = by_key_.find(key); known != by_key_.end()) forget(known->second);
}

std::size_t pin_table::size() const {
  const std::scoped_lock lock(mutex_);
  return by_key_.size();
}

session_owners::claim session_owners::use(std::string_view id, user_id user, cache::instant now) {
  const std::scoped_lock lock(mutex_);
  while (!order_.empty() && now - order_.front().used >= lifetime_) forget(order_.begin());
  if (const auto known = by_id_.find(id); known != by_id_.end()) {
    if (known->second->user != user) return claim::foreign;
    known->second->used = now;
    order_.splice(order_.end(), order_, known->second);
    return claim::granted;
  }
  const auto of_user = count_.find(user);
  const auto owned_already = of_user == count_.end() ? 0 : of_user->second;
  if (owned_already >= limit_ - order_.size()) return claim::full;
  ++count_[user];
  order_.push_back({std::string(id), user, now});
  by_id_.emplace(order_.back().id, std::prev(order_.end()));
  return claim::granted;
}

void session_owners::end(std::string_view id, user_id user) {
  const std::scoped_lock lock(mutex_);
  const auto known = by_id_.find(id);
  if (known == by_id_.end() || known->second->user != user) return;
  forget(known->second);
}

void session_owners::forget(owners::iterator which) {
  const auto of_user = count_.find(which->user);
  if (--of_user->second == 0) count_.erase(of_user);
  by_id_.erase(which->id);
  order_.erase(which);
}

std::size_t session_owners::size() const {
  const std::scoped_lock lock(mutex_);
  return order_.size();
}

}  // namespace mongocached::daemon
