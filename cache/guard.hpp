// The checks that close the races of coherence, by name, so that tests/simulation can take one out and show that the
// race is then lost. In the program every guard is a constant `true` and costs nothing; the simulation compiles
// cache_core once more with MONGOCACHED_SIMULATION.
#pragma once

#include <cstdint>

namespace mongocached::cache {

enum class guard : std::uint8_t {
  none,
  flight_dirty,      // R6: a flight that a write overtook is not stored
  flight_lower,      // R6: a list is not stored if its namespace was written since its L
  fence,             // R4: L reaches the key's fence
  stored_fence,      // R3: an entry of Redis reaches the key's fence here
  late_event,        // C1: an event that an entry contains leaves it alone
  gate,              // G1
  transaction_time,  // C2: T-1 until the batch is known to hold all of T
  barrier,           // W4: writes of unknown keys
  list_barrier,      // W3: lists, where the command does not tell
  hold,              // W5: unknown outcome
  causal,            // R2: afterClusterTime <= max(L, H)
  join_lower,        // R5: no flight is joined that reads less than asked for
  settled,           // S1: majority reads, and Redis, get settled entries only
  election,          // S1: nothing unsettled survives an election
  sampled_primary,   // S1: only the server that the newest sample came from fills
  history,           // C3: history lost, or a restored upstream, voids everything
  times_hold,        // C3: history lost on the same upstream leaves fences and barriers as they are
  majority_stays,    // C3: a primary behind what a majority had is a restored one
  ddl,               // G(ns)
  matcher,           // M: lists are judged
  repeated_event,    // R3: the log of events stays in the order of times when a resumed stream repeats itself
  log_begin,         // R3: the log of events is whole only behind the time that the stream was resumed at
  equal_id,          // S5: an inserted _id that has no key voids what is known under keys of equal ones
  count_
};

#ifdef MONGOCACHED_SIMULATION
// Small tables and fixed seeds: a simulated world is made in microseconds and a schedule can be replayed.
inline constexpr bool is_simulation = true;
[[nodiscard]] bool is_kept(guard g) noexcept;
#else
inline constexpr bool is_simulation = false;
[[nodiscard]] constexpr bool is_kept(guard /*g*/) noexcept {
  return true;
}
#endif

}  // namespace mongocached::cache
