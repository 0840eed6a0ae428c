// Writes whose extent is a whole scope - a namespace's documents, its lists, or everything - and what they forbid
// meanwhile (coherence R1, W3, W4, W5).
//
// While such a write is under way, and until H reaches its time (the barrier), nothing of the scope is looked up or
// stored: by then the change stream has told which entries it changed. After an unknown outcome nobody knows its time;
// the scope is then held until the stream has covered a moment behind the failure, or for a fixed time where there is
// no stream. All members are atomic: any thread.
#pragma once

#include <atomic>

#include "cache/gate.hpp"
#include "cache/guard.hpp"

namespace mongocached::cache {

template <class T>
void raise(std::atomic<T>& value, T to) noexcept {
  for (T now = value.load(); now < to && !value.compare_exchange_weak(now, to);) {
  }
}

// A hold of `length` that ends at `until`: over once it ran out, or once the gate covers the moment it began at (W5).
[[nodiscard]] inline bool is_held(instant until, duration length, const gate& stream, instant now) noexcept {
  const auto covered = stream.covered();
  return is_kept(guard::hold) && now < until && (covered == instant{} || covered <= until - length);
}

class write_scope {
 public:
  void begin() noexcept { pending_.fetch_add(1); }
  void end() noexcept { pending_.fetch_sub(1); }
  [[nodiscard]] bool pending() const noexcept { return pending_.load() != 0; }

  void raise_barrier(cluster_time to) noexcept { raise(barrier_, to); }
  void hold(instant until) noexcept { raise(held_until_, until.count()); }
  // Times are void (another upstream): what they guarded has been dropped.
  void forget() noexcept { barrier_.store(0); }

  // No write under way, and the barrier reached.
  [[nodiscard]] bool is_quiet(const gate& stream) const noexcept {
    return pending_.load() == 0 && (barrier_.load() <= stream.applied_to() || !is_kept(guard::barrier));
  }
  [[nodiscard]] bool is_held(duration length, const gate& stream, instant now) const noexcept {
    const auto until = held_until_.load(std::memory_order_acquire);
    return until != 0 && cache::is_held(instant(until), length, stream, now);
  }

 private:
  std::atomic<std::uint32_t> pending_{0};
  std::atomic<cluster_time> barrier_{0};
  std::atomic<instant::rep> held_until_{0};
};

}  // namespace mongocached::cache
