// Which values can no longer be rolled back (coherence S1): those whose U the primary has seen a majority pass, in the
// same term of office. A new election voids that knowledge. Pure, any thread; a check is one load.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>

#include "cache/guard.hpp"
#include "cache/time.hpp"

namespace mongocached::cache {

// What the primary says of itself (coherence G1).
struct primary_sample {
  instant sent{};                   // before the question was sent
  cluster_time operation_time = 0;  // 0: the server gives none
  cluster_time majority = 0;        // lastWrite.majorityOpTime; 0: none (mongos)
  std::string election;             // opaque name of the term; empty: none (mongos)
  std::string server{};             // who answered; empty: not told, any server may fill
};

class settlement {
 public:
  // True if this is another term than before: what is not settled must fall. Nothing counts as settled then until the
  // sample is given again.
  bool sampled(const primary_sample& sample);
  void reset();
  // The primary may be another one, or the same with less: what was not settled yet never counts as settled.
  void lost() noexcept { era_.fetch_add(1); }
  // Grows whenever unsettled values become void: one that waits to settle remembers it.
  [[nodiscard]] std::uint64_t era() const noexcept { return era_.load(std::memory_order_acquire); }

  // S1: a majority that one server reports says nothing of what another one, maybe deposed, has answered. True for the
  // server of the newest sample. Ask once the reply is here: a sample that came before it counts, and one that comes
  // later voids the flight.
  [[nodiscard]] bool may_fill(std::string_view server) const;

  // U of an entry; 0 where the server gives no times (T2).
  [[nodiscard]] bool is_settled(cluster_time upper) const noexcept {
    return upper <= majority_.load(std::memory_order_acquire) || !is_kept(guard::settled);
  }
  [[nodiscard]] cluster_time majority() const noexcept { return majority_.load(std::memory_order_acquire); }

 private:
  mutable std::mutex mutex_;
  std::string election_;
  std::string server_;
  std::atomic<cluster_time> majority_{0};
  std::atomic<std::uint64_t> era_{0};
};

}  // namespace mongocached::cache
