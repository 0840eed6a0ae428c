// The switches: every guard of cache_core (cache/guard.hpp), and those that live in Redis' scripts or in the daemon's
// flows, which the models here carry. One process, one thread.
#pragma once

#include "cache/guard.hpp"

namespace mongocached::simulation {

enum class model_guard : std::uint8_t {
  none,
  current_primary,      // R4: only the current primary fills
  lease,                // R6, W2: a fill needs its lease; no record, no fill
  script_fence,         // R6: a fill's L reaches the record's fence
  script_epoch,         // an entry or a fill of another epoch is none
  epoch,                // the flow takes no entry and no lease of another epoch
  record_base,          // W2: a record that is made starts from the newest time known
  values_first,         // W2: the value goes before anything that a full Redis can refuse
  invalidate_redis,     // W1: a write's keys are invalidated in Redis before it is acknowledged
  mark_waits,           // C3: the mark never passes an unacknowledged invalidation
  unacknowledged,       // W7: Redis is not asked while an invalidation is unacknowledged
  replay,               // C3: a starting process opens the stream from the mark
  run_id,               // C4: another life of Redis is another epoch
  redis_after_settled,  // S1: Redis receives an entry once it is settled
  coalesce,             // a flight, a lease: one reader reads for all
  causal_read,          // R4: a read is sent with its L
  lower_is_sent,        // U is not taken for a version: only L says what an entry contains
  any_outcome,          // W1: invalidated on every outcome
  hidden_commit,        // W6: the keys of a transaction are collected for its commit
  own_stream,           // C1: the stream's invalidations are made here whatever Redis and its push told
  whole_batch,          // C2: H moves behind the batch
  newest_in_redis,      // R3: a list of Redis is compared with N as Redis knows it
  proof,                // I2: who asks has proven that he may read
  boot_clock,           // durations are measured on a clock that nobody sets
  gate_sent,            // G1: a sample counts from before it was sent
  plain_collection,     // K1: nothing is served of a collection that is not known to be a plain one
  count_
};

[[nodiscard]] bool is_kept(model_guard g) noexcept;

// Takes one guard out for its life.
class without {
 public:
  explicit without(cache::guard g);
  explicit without(model_guard g);
  without(cache::guard g, cache::guard second);
  ~without();
  without(const without&) = delete;
  without& operator=(const without&) = delete;
};

}  // namespace mongocached::simulation
