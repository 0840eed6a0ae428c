// A hub and one store on a loop that the test turns: no sleeps, every wait ends at a condition or fails at a deadline.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <deque>
#include <optional>

#include "cache/store/redis_keys.hpp"
#include "cache/store/redis_store.hpp"
#include "support/redis_server.hpp"

namespace mongocached::cache {

using std::chrono::milliseconds;

// "localhost" is the one name that is known.
inline void find_host(const std::string& host, const std::shared_ptr<host_answer>& told) {
  boost::system::error_code no_address;
  const auto address = boost::asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, no_address);
  if (no_address) return (*told)({}, "unknown");
  (*told)({address.to_string()}, "");
}

inline redis_options options_for(const std::string& uri, duration timeout = std::chrono::seconds(5)) {
  redis_options out;
  out.uri = uri;
  out.find_host = find_host;
  out.cluster_id = "c1";
  out.timeout = timeout;
  return out;
}

class store_harness {
 public:
  explicit store_harness(redis_options options) : hub(std::move(options), events()), store(hub.make_store(context)) {}
  explicit store_harness(const test::redis_server& server, duration timeout = std::chrono::seconds(5))
      : store_harness(options_for(server.uri(), timeout)) {}

  // Turns the loop until `done()`, at most for a minute.
  template <class Condition>
  [[nodiscard]] bool run_until(Condition done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      context.restart();
      context.run_one_for(milliseconds(20));
    }
    return true;
  }
  [[nodiscard]] bool run_until_up() {
    return run_until([this] { return hub.up(); });
  }

  key_view key(std::string_view id, key_kind kind = key_kind::document) {
    names_.push_back(std::string(1, static_cast<char>(kind)) + ns + '\0' + std::string(id));
    return {protocol::as_bytes(names_.back()), 0};
  }

  get_result get(std::vector<key_view> keys, key_kind kind = key_kind::document) {
    std::optional<get_result> out;
    store->get(ns, kind, keys, [&](get_result result) { out = std::move(result); });
    EXPECT_FALSE(out) << "answered from inside the call";
    EXPECT_TRUE(run_until([&] { return out.has_value(); }));
    return std::move(out).value_or(get_result{});
  }
  lease_result lease(std::vector<key_view> keys, key_kind kind = key_kind::document) {
    std::optional<lease_result> out;
    store->lease(ns, kind, keys, [&](lease_result result) { out = std::move(result); });
    EXPECT_FALSE(out) << "answered from inside the call";
    EXPECT_TRUE(run_until([&] { return out.has_value(); }));
    return std::move(out).value_or(lease_result{});
  }
  std::vector<fill_outcome> fill(const generation_token& generation, std::vector<fill_item> items,
                                 key_kind kind = key_kind::document) {
    std::optional<std::vector<fill_outcome>> out;
    store->fill(ns, kind, generation, items,
                [&](std::span<const fill_outcome> result) { out.emplace(result.begin(), result.end()); });
    EXPECT_FALSE(out) << "answered from inside the call";
    EXPECT_TRUE(run_until([&] { return out.has_value(); }));
    return std::move(out).value_or(std::vector<fill_outcome>{});
  }
  store_status invalidate(invalidation what) {
    std::optional<store_status> out;
    store->invalidate(std::move(what), [&](store_status status) { out = status; });
    EXPECT_FALSE(out) << "answered from inside the call";
    EXPECT_TRUE(run_until([&] { return out.has_value(); }));
    return out.value_or(store_status::unavailable);
  }

  get_result get_checked(std::vector<key_view> keys) {
    std::optional<get_result> out;
    store->get_checked(ns, keys, [&](get_result result) { out = std::move(result); });
    EXPECT_FALSE(out) << "answered from inside the call";
    EXPECT_TRUE(run_until([&] { return out.has_value(); }));
    return std::move(out).value_or(get_result{});
  }
  store_status announce(const invalidation& what) {
    std::optional<store_status> out;
    store->announce(what, [&](store_status status) { out = status; });
    EXPECT_FALSE(out) << "answered from inside the call";
    EXPECT_TRUE(run_until([&] { return out.has_value(); }));
    return out.value_or(store_status::unavailable);
  }
  store_status save_mark(const coverage_mark& mark) {
    std::optional<store_status> out;
    store->save_mark(mark, [&](store_status status) { out = status; });
    EXPECT_FALSE(out) << "answered from inside the call";
    EXPECT_TRUE(run_until([&] { return out.has_value(); }));
    return out.value_or(store_status::unavailable);
  }
  // Nothing: unavailable.
  std::optional<coverage_mark> load_mark() {
    std::optional<std::pair<store_status, coverage_mark>> out;
    store->load_mark([&](store_status status, coverage_mark mark) { out.emplace(status, std::move(mark)); });
    EXPECT_FALSE(out) << "answered from inside the call";
    EXPECT_TRUE(run_until([&] { return out.has_value(); }));
    if (!out || out->first != store_status::ok) return std::nullopt;
    return std::move(out->second);
  }
  coverage_mark mark_at(cluster_time time, std::string_view token = "t") {
    const auto bytes = protocol::as_bytes(token);
    return {hub.epoch(), time, byte_buffer(bytes.begin(), bytes.end())};
  }

  // Of one document; `lists` too if asked.
  invalidation drop(key_view key, cluster_time fence = 0, bool lists = false) {
    invalidation out;
    out.ns = ns;
    out.key_bytes.assign(key.bytes.begin(), key.bytes.end());
    out.keys = {{0, key.bytes.size()}};
    out.lists = lists;
    out.fence = fence;
    return out;
  }
  // A write of every document.
  invalidation drop_all(cluster_time fence = 0) {
    invalidation out;
    out.ns = ns;
    out.documents = true;
    out.fence = fence;
    return out;
  }
  // An event of the change stream.
  invalidation event(key_view key, cluster_time fence) {
    auto out = drop(key, fence);
    out.seen = true;
    return out;
  }
  fill_item item(key_view key, const lease_token& token, std::string_view bytes = "value", cluster_time lower = 0) {
    return {key, protocol::as_bytes(bytes), token, lower, std::chrono::seconds(60)};
  }
  // Lease and fill. True: stored.
  bool put(key_view key, std::string_view bytes, cluster_time lower = 0, key_kind kind = key_kind::document) {
    const auto got = lease({key}, kind);
    if (got.grants.size() != 1 || !got.grants[0].granted) return false;
    return fill(got.generation, {item(key, got.grants[0].token, bytes, lower)}, kind) ==
           std::vector{fill_outcome::stored};
  }
  // The same by get_checked().
  std::string checked_value(key_view key) {
    const auto got = get_checked({key});
    return got.items.empty() ? std::string() : std::string(protocol::as_text(got.items[0].bytes));
  }
  // The name in Redis: kind "v" or "r".
  static std::string name(const char* kind, key_view key) {
    return "mongocached:2:c1:" + std::string(kind) + ":{" + std::string(as_text(redis_hash(key.bytes))) + "}";
  }
  // What lies in Redis for the key; empty: nothing, or it cannot be told.
  std::string value(key_view key, key_kind kind = key_kind::document) {
    const auto got = get({key}, kind);
    return got.items.empty() ? std::string() : std::string(protocol::as_text(got.items[0].bytes));
  }

  std::string ns = "db.c";
  boost::asio::io_context context;
  std::vector<epoch_name> epochs;     // as told by epoch_changed
  std::vector<std::string> states;    // as told by state_changed
  std::vector<std::string> refusals;  // as told by push_refused
  std::vector<duration> observed;
  redis_hub hub;
  std::unique_ptr<shared_store> store;

 private:
  redis_events events() {
    return {[this](const epoch_name& name) { epochs.push_back(name); },
            [this](bool up, const std::string& reason) { states.push_back((up ? "up: " : "down: ") + reason); },
            [this](duration took) { observed.push_back(took); },
            [this](const std::string& why) { refusals.push_back(why); }};
  }
  std::deque<std::string> names_;  // key_views point into it
};

}  // namespace mongocached::cache
