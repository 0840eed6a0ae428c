// The Redis implementation of shared_store and what its per-thread parts share in a process. Asio and hiredis stay out
// of this header.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cache/store/push_subscriber.hpp"
#include "cache/store/shared_store.hpp"

namespace boost::asio {
class io_context;
}

namespace mongocached::cache {

struct redis_shared;

// Addresses as text, in the order to be tried; none, and why.
using host_answer = std::function<void(const std::vector<std::string>& addresses, const std::string& error)>;
// Finds a host's addresses without blocking: `told` is called once, now or later, on any thread, unless it is gone by
// then. Held weakly. No longer called once an io_context of the hub's stores is destroyed.
using host_finder = std::function<void(const std::string& host, const std::shared_ptr<host_answer>& told)>;

struct redis_options {
  std::string uri;  // redis://[user:password@]host:port/db or rediss://
  host_finder find_host;
  std::string tls_ca_file;  // PEM, for rediss://; empty: what the system trusts
  duration timeout = std::chrono::milliseconds(20);
  std::string key_prefix = "mongocached";
  std::string cluster_id;                          // hash of the upstream's identity (coherence "Redis keys")
  duration lease_time = std::chrono::seconds(10);  // how long others wait for a fill that never comes
  std::size_t max_unacknowledged = 10000;
  std::size_t max_queued = 100000;  // requests waiting for a reply, a connection
};

struct redis_counters {  // monotonic, summed over threads by the reader
  std::atomic<std::uint64_t> commands{0};
  std::atomic<std::uint64_t> errors{0};  // error replies, protocol errors
  std::atomic<std::uint64_t> timeouts{0};
  std::atomic<std::uint64_t> connects{0};
  std::atomic<std::uint64_t> connect_failures{0};
  std::atomic<std::uint64_t> unacknowledged{0};  // gauge
};

// Told from any data thread. Must not block.
struct redis_events {
  // Another epoch is in force (first adoption, someone's flush, a Redis that restarted or failed over - coherence C4):
  // everything cached before is void.
  std::function<void(const epoch_name&)> epoch_changed;
  std::function<void(bool up, const std::string& reason)> state_changed;
  // Time until the reply of whatever was asked or told, or until it was given up; once for each.
  std::function<void(duration)> observed;
  // Redis does not let a subscriber hear what others invalidate, and why; told once, and once it does after all: empty.
  std::function<void(const std::string& why)> push_refused{};
};

// Throws std::invalid_argument if redis_options::tls_ca_file cannot be this file.
void try_redis_trust(const std::string& ca_file);

// One a process. Thread-safe. Outlives its stores.
class redis_hub {
 public:
  // Throws std::invalid_argument with one clear line (no password in it) for a URI that is none.
  redis_hub(redis_options options, redis_events events);
  ~redis_hub();
  redis_hub(const redis_hub&) = delete;
  redis_hub& operator=(const redis_hub&) = delete;

  // Makes the store of one data thread. It connects at once and again with back-off for as long as it lives; it must be
  // destroyed on that thread or after its io_context stopped, before the io_context is. Handlers that wait then are
  // destroyed without a call; invalidations that are still unacknowledged then leave Redis untrusted for the rest of
  // the process.
  [[nodiscard]] std::unique_ptr<shared_store> make_store(boost::asio::io_context& context);

  // Hears what other processes invalidate; not what this one's stores do.
  [[nodiscard]] std::unique_ptr<push_subscriber> make_subscriber(boost::asio::io_context& context,
                                                                 push_subscriber::handler told);

  // From here to release() nothing is read from Redis or stored there; invalidations and announcements go on. `why` is
  // for state(). Any thread.
  void withhold(std::string why);
  void release();

  [[nodiscard]] bool up() const noexcept;          // every store's connection is established and trusted
  [[nodiscard]] std::string state() const;         // a sentence for /status, no password
  [[nodiscard]] bool subscribed() const noexcept;  // a subscriber hears what others invalidate
  [[nodiscard]] epoch_name epoch() const;          // all zero: none adopted yet
  [[nodiscard]] const std::string& cluster_id() const noexcept;
  [[nodiscard]] const redis_counters& counters() const noexcept;

 private:
  std::shared_ptr<redis_shared> shared_;
};

}  // namespace mongocached::cache
