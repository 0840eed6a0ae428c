// The local side of coherence.md for one process: what a hit, a fill and a write must ask and tell. Composes the
// namespace table, the flight table and the in-process cache; pure (time is passed in), any thread.
#pragma once

#include <atomic>
#include <span>

#include "cache/flight_table.hpp"
#include "cache/invalidation.hpp"
#include "cache/write_plan.hpp"

namespace mongocached::cache {

struct coherence_options {
  std::size_t max_namespaces = 10'000;
  std::size_t threads = 1;
  // How long a key or namespace is left alone after a write of unknown outcome (W5 while there is no stream to tell).
  duration hold = std::chrono::seconds(60);
};

class coherence {
 public:
  coherence(local_cache& local, const coherence_options& options)
      : options_(options), local_(local), namespaces_(options.max_namespaces, options.threads), flights_(local) {}

  [[nodiscard]] namespace_table& namespaces() noexcept { return namespaces_; }
  [[nodiscard]] flight_table& flights() noexcept { return flights_; }
  [[nodiscard]] local_cache& local() noexcept { return local_; }

  // R1: a write of unknown extent is under way (or its outcome unknown): nothing is looked up or stored.
  [[nodiscard]] bool blocked(instant now) const noexcept {
    return pending_everywhere_.load(std::memory_order_acquire) != 0 ||
           now.count() < held_everywhere_until_.load(std::memory_order_acquire);
  }
  // L1 look-up: of this generation, not expired.
  [[nodiscard]] entry_ref find(const namespace_state& ns, key_kind kind, key_view key, instant now) noexcept;
  // The newest fence that a read of this key must reach (R4: F and G).
  [[nodiscard]] cluster_time fence(const namespace_state& ns, key_kind kind, std::uint64_t hash) const noexcept;

  // Newest operationTime that the primary was seen to send.
  void saw_operation_time(cluster_time t) noexcept;
  [[nodiscard]] cluster_time newest_operation_time() const noexcept { return newest_.load(std::memory_order_relaxed); }

  // Everything cached becomes unreachable at once: election, new epoch, flush. Flights in progress will not be stored.
  // Returns how many entries were dropped from memory.
  std::uint64_t void_everything();
  // Administrator's invalidation of a whole namespace; entries that were dropped from memory.
  std::uint64_t void_namespace(namespace_state& ns);
  // The same for one document and the namespace's lists; `ns` may be null.
  std::uint64_t void_document(namespace_state* ns, key_view key, cluster_time fence);

 private:
  friend class pending_write;
  void mark(const write_target& target);
  void invalidate(const write_target& target, cluster_time at);
  void unmark(const write_target& target, instant held_until);
  void renew(namespace_state& ns, key_kind kind) noexcept;
  void renew_wide(const write_target& target);
  [[nodiscard]] namespace_state* state_of(const write_target& target);

  const coherence_options options_;
  local_cache& local_;
  namespace_table namespaces_;
  flight_table flights_;
  std::atomic<std::uint32_t> pending_everywhere_{0};
  std::atomic<instant::rep> held_everywhere_until_{0};
  std::atomic<cluster_time> newest_{0};
};

// W1 for one command: marked when made; settled once, on whatever outcome. One that is destroyed unsettled counts as a
// write of unknown outcome. Not thread-safe itself.
class pending_write {
 public:
  // `tentative`: a command that is not known to be a write. Nothing is dropped until its outcome, but nothing is looked
  // up meanwhile.
  pending_write(coherence& owner, std::vector<write_target> targets, bool tentative = false);
  ~pending_write();
  pending_write(const pending_write&) = delete;
  pending_write& operator=(const pending_write&) = delete;

  // Invalidates in memory: the outcome is known, the server's operationTime was `at` (0: none given, the newest seen is
  // taken).
  void invalidate(cluster_time at);
  // The outcome is not known: the server may still be carrying it out (W5).
  void invalidate_unknown(instant now);
  // Nothing was changed (a command that the server does not know).
  void forget() { invalidated_ = true; }
  // W1's last step, behind the invalidation in Redis.
  void unmark();

  [[nodiscard]] const std::vector<write_target>& targets() const noexcept { return targets_; }
  // What Redis has to be told after invalidate().
  [[nodiscard]] std::vector<invalidation> for_redis() const;

 private:
  coherence& owner_;
  const std::vector<write_target> targets_;
  const bool tentative_;
  bool invalidated_ = false;
  bool unmarked_ = false;
  cluster_time fence_ = 0;
  instant held_until_{};
};

}  // namespace mongocached::cache
