// Fills of Redis that wait until nothing can roll their values back (coherence S1). One a data thread, used there only.
//
// What waits is bounded; beyond that, and past the lease's time, a fill is simply not made. An election, or anything
// else that voids the namespace here, makes it void too; whatever a write does to the key meanwhile ends its lease in
// Redis, which then refuses the fill.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "cache/coherence.hpp"
#include "cache/store/shared_store.hpp"

namespace mongocached::daemon {

struct redis_fill {
  cache::namespace_state* ns = nullptr;
  cache::key_kind kind = cache::key_kind::document;
  std::uint64_t local_generation = 0;  // of the namespace here when the read began
  cache::generation_token generation{};
  cache::entry_ref entry;
  cache::byte_buffer bytes;  // encode_stored()
  cache::lease_token token{};
};

class settling_fills {
 public:
  // Told what Redis said to a fill; for the metrics.
  using outcome_handler = std::function<void(std::span<const cache::fill_outcome>)>;

  // Fills at once where the value is settled, else later.
  void fill(cache::shared_store& store, const cache::coherence& state, cache::instant now, redis_fill what,
            const outcome_handler& told);
  // Call whenever more may have settled.
  void settle(cache::shared_store& store, const cache::coherence& state, cache::instant now,
              const outcome_handler& told);
  [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }

 private:
  static constexpr std::size_t max_waiting = 2000;
  static constexpr std::size_t max_bytes = 16UL << 20;
  static constexpr cache::duration max_wait = std::chrono::seconds(5);  // below the lease's time

  struct waiting_fill {
    cache::instant since;
    std::uint64_t era;  // cache::settlement
    redis_fill what;
  };
  static void send(cache::shared_store& store, cache::instant now, const redis_fill& what, const outcome_handler& told);

  std::deque<waiting_fill> waiting_;
  std::size_t bytes_ = 0;
};

}  // namespace mongocached::daemon
