// What the stores of one process share. Internal to cache_store.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <mutex>
#include <vector>

#include "cache/store/redis_store.hpp"
#include "cache/store/redis_uri.hpp"

namespace mongocached::cache {

// Written by one store's thread, read by any.
struct store_counters {
  std::atomic<std::uint64_t> commands{0};
  std::atomic<std::uint64_t> errors{0};
  std::atomic<std::uint64_t> timeouts{0};
  std::atomic<std::uint64_t> connects{0};
  std::atomic<std::uint64_t> connect_failures{0};
};

inline void count(std::atomic<std::uint64_t>& counter, std::uint64_t by = 1) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);  // one writer
}

struct connection_settings;

struct redis_shared {
  redis_shared(redis_options given, redis_events told);

  const redis_options options;
  const redis_uri uri;
  const redis_events events;
  std::shared_ptr<boost::asio::ssl::context> tls;
  const sender_id sender = new_announcement();  // the process's name among others

  // Process-wide count of invalidations that Redis has not acknowledged: while it is not zero, no store trusts Redis
  // (W7).
  [[nodiscard]] std::atomic<std::uint64_t>& unacknowledged() noexcept { return totals.unacknowledged; }
  [[nodiscard]] bool trusted() const noexcept { return !withheld.load() && totals.unacknowledged.load() == 0; }

  // Grows with each epoch adopted. A request remembers it when it is sent; what its reply says of the epoch counts only
  // if nothing was adopted since, because replies of several connections may overtake each other.
  [[nodiscard]] std::uint64_t epoch_serial() const noexcept { return serial.load(std::memory_order_acquire); }
  [[nodiscard]] epoch_name epoch() const;
  void saw_epoch(const epoch_name& seen, std::uint64_t serial_when_asked);

  // A store's connection came or went, or the trust changed.
  void store_changed(int ready_stores, const std::string& reason);
  void trust_changed();
  void withhold(std::string why);
  void release();
  void store_gone(bool was_ready);
  [[nodiscard]] bool up() const;
  [[nodiscard]] std::string state() const;

  // Of this process's subscribers, those whose subscription stands.
  std::atomic<int> subscriptions{0};

  std::shared_ptr<store_counters> new_counters();
  const redis_counters& sum_counters();

 private:
  void tell();
  [[nodiscard]] bool up_locked() const noexcept { return stores > 0 && ready == stores && trusted(); }
  [[nodiscard]] std::string reason_locked() const;

  std::mutex notify;  // held while events are called, so that they come in order; taken before `guard`
  mutable std::mutex guard;
  epoch_name current{};
  std::atomic<std::uint64_t> serial{0};
  std::atomic<bool> withheld{false};  // by the hub's owner: no store trusts Redis
  std::string why_withheld;
  int stores = 0;
  int ready = 0;
  std::string last_reason = "not connected yet";
  bool lost_any = false;  // a connection failed or was closed
  bool told_up = false;
  bool told_any = false;
  std::vector<std::shared_ptr<store_counters>> parts;
  redis_counters totals;
};

// How every connection of the process is made.
[[nodiscard]] connection_settings settings_of(const redis_shared& shared);

}  // namespace mongocached::cache
