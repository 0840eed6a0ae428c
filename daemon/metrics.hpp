// What the daemon counts. Each data thread writes its own block without contention; a scrape sums the blocks.
//
// A `counter` has one writer (its thread) and any number of readers: an increment is a plain load, add and store. Names
// and labels are the promise of the interface page: nothing is renamed, and no label value is ever taken from traffic.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "cache/bypass_reason.hpp"
#include "cache/time.hpp"
#include "protocol/compression.hpp"

namespace mongocached::daemon {

class counter {
 public:
  void add(std::uint64_t n = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// How a request ended: the label `outcome`.
enum class outcome : std::uint8_t { l1_hit, redis_hit, coalesced, miss, bypass, write, local, error, count_ };
[[nodiscard]] const char* name_of(outcome o) noexcept;

// Why a client's connection ended: the label `reason`.
enum class disconnect : std::uint8_t {
  client_closed,
  client_error,  // reset, broken pipe
  bad_frame,     // length below the floor or above the ceiling
  not_mongodb,   // HTTP, TLS hello on a plain port, ...
  tls_failed,    // no TLS, no acceptable certificate, broken records
  bad_message,   // framed, but cannot be parsed as far as routing needs
  bad_checksum,
  unsupported_opcode,
  stalled,          // a message begun and not finished, or a reply not taken, within the deadline
  upstream_lost,    // F3: passthrough closes without a reply
  primary_changed,  // F4
  user_changed,     // pooled: the client's [[user]] is none any more, or logs in with something else
  too_many,         // beyond max_connections
  no_room,          // a compressed message for which listen.max_buffered has no room
  shutdown,
  internal,  // a bug of ours
  count_
};
[[nodiscard]] const char* name_of(disconnect d) noexcept;

// `ttl` is counted by the cache itself.
enum class invalidation_source : std::uint8_t { write, stream, push, admin, ttl, count_ };
[[nodiscard]] const char* name_of(invalidation_source s) noexcept;

// Why an answer of the upstream was not stored.
enum class fill_rejection : std::uint8_t {
  dirty,  // R6: invalidated while in flight
  lease,  // Redis: another flight's
  fence,  // Redis: newer fence
  size,   // above max_entry
  epoch,
  generation,
  memory,   // no room to hold it
  reply,    // S3: not ok, an open cursor, write errors, an unknown reply shape
  primary,  // R4: the server is not the current primary any more
  count_
};
[[nodiscard]] const char* name_of(fill_rejection r) noexcept;

// What was refused so that the rest can be served.
enum class shed_reason : std::uint8_t {
  in_flight,    // beyond max_in_flight
  memory,       // no room in max_buffered within buffer_timeout
  connections,  // beyond max_connections
  no_upstream,  // F5: no suitable server within the time
  count_
};
[[nodiscard]] const char* name_of(shed_reason r) noexcept;

// What comparing a hit with the upstream's answer showed.
enum class verification : std::uint8_t {
  match,
  stale,     // an older answer, within the promise of the collection's mode
  mismatch,  // an answer that the mode's promise does not allow
  unclear,   // written meanwhile, or the upstream did not answer
  count_
};
[[nodiscard]] const char* name_of(verification v) noexcept;

// Upper bounds in seconds: 10 us .. 10 s. The last bucket is +Inf.
class duration_histogram {
 public:
  static constexpr std::array<double, 19> bounds{10e-6,  25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3,
                                                 2.5e-3, 5e-3,  10e-3, 25e-3,  50e-3,  100e-3, 250e-3,
                                                 500e-3, 1.0,   2.5,   5.0,    10.0};
  void observe(cache::duration took) noexcept;
  [[nodiscard]] std::uint64_t bucket(std::size_t i) const noexcept { return buckets_[i].value(); }
  [[nodiscard]] double sum_seconds() const noexcept { return static_cast<double>(sum_ns_.value()) * 1e-9; }

 private:
  std::array<counter, bounds.size() + 1> buckets_;
  counter sum_ns_;
};

// Messages of one direction between us and the upstream that were compressed: their bytes on the wire, and without it.
struct compressed_bytes {
  counter wire, plain;
};

// One a data thread.
struct alignas(64) thread_metrics {
  static constexpr std::size_t max_commands = 64;  // >= cache::command_label_count()
  template <class E>
  using per = std::array<counter, static_cast<std::size_t>(E::count_)>;

  std::array<std::array<counter, max_commands>, static_cast<std::size_t>(outcome::count_)> requests;
  per<cache::bypass_reason> bypass;
  counter unproven_misses;  // I2
  per<disconnect> disconnects;
  per<invalidation_source> invalidations;
  per<fill_rejection> fills_rejected;
  per<shed_reason> shed;
  std::array<duration_histogram, static_cast<std::size_t>(outcome::count_)> request_duration;
  duration_histogram upstream_duration;
  duration_histogram redis_duration;
  per<verification> verified;
  duration_histogram staleness;  // of stale answers that were served, where it is known
  counter stale_served;          // that only serve_stale_on_error allowed
  counter connections_total;
  // Gauges as pairs of counters: now = opened - closed.
  counter clients_opened, clients_closed;
  counter upstream_opened, upstream_closed;
  counter upstream_busy_begun, upstream_busy_ended;
  compressed_bytes upstream_sent, upstream_received;
  static constexpr std::size_t compressors = static_cast<std::size_t>(protocol::compressor::zstd) + 1;
  std::array<counter, compressors> upstream_agreed, upstream_agreed_closed;  // connections that compress
  counter ticks;  // the data thread's heartbeat, for the watchdog

  void count(outcome o, std::size_t command_label) noexcept {
    requests[static_cast<std::size_t>(o)][command_label].add();
  }
};

}  // namespace mongocached::daemon
