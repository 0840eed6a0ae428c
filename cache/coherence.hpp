// The local side of coherence.md for one process: what a hit, a fill, a write, a change event and a sample must ask and
// tell. Composes the namespace table, the flight table, the gate and the in-process cache; pure (time is passed in),
// any thread.
//
// While the process *follows* the change stream, a write whose effect it cannot tell sets a barrier: nothing it may
// have changed is looked up until the stream has told (W3, W4). Without a stream it drops whatever the write may have
// changed (a new generation).
#pragma once

#include <atomic>
#include <span>

#include "cache/event_log.hpp"
#include "cache/flight_table.hpp"
#include "cache/gate.hpp"
#include "cache/invalidation.hpp"
#include "cache/settlement.hpp"
#include "cache/write_plan.hpp"

namespace mongocached::cache {

struct coherence_options {
  std::size_t max_namespaces = 10'000;
  std::size_t threads = 1;
  // How long a key or namespace is left alone after a write of unknown outcome, if no stream tells before (W5).
  duration hold = std::chrono::seconds(60);
};

// What a collection's mode promises its readers.
enum class promise : std::uint8_t { bounded, strict, ttl };
[[nodiscard]] const char* name_of(promise mode) noexcept;

struct reader {
  entry_level level = entry_level::local;
  cluster_time after = 0;  // afterClusterTime
  // H, taken before the entry was looked for: what was told since may be missing in it.
  cluster_time applied = 0;
  promise mode = promise::ttl;
  duration max_lag{};
  // Of the read that an answer comes from, whatever time it was given to live: as the reader asks (read_hint.hpp), and
  // as the settings say of what is there and of what is not.
  duration max_age = duration::max();
  duration ttl = duration::max();
  duration negative_ttl = duration::max();
};

// What another process says that it invalidated (coherence "Between proxies"): drops entries sooner, and no more.
struct pushed_invalidation {
  std::string_view ns;
  std::span<const byte_view> keys;
  bool documents = false;
  bool lists = false;
  cluster_time fence = 0;
};

class coherence {
 public:
  coherence(local_cache& local, const coherence_options& options)
      : options_(options),
        local_(local),
        namespaces_(options.max_namespaces, options.threads, local.stats().limit_bytes / 4),
        flights_(local, stream_, everywhere_, options.hold) {}

  [[nodiscard]] namespace_table& namespaces() noexcept { return namespaces_; }
  [[nodiscard]] flight_table& flights() noexcept { return flights_; }
  [[nodiscard]] local_cache& local() noexcept { return local_; }
  [[nodiscard]] const gate& stream() const noexcept { return stream_; }
  [[nodiscard]] const settlement& settled() const noexcept { return settled_; }

  // Readers.

  // R1: a write of unknown extent is under way (or its outcome unknown): nothing is looked up or stored.
  [[nodiscard]] bool blocked(instant now) const noexcept {
    return !everywhere_.is_quiet(stream_) || everywhere_.is_held(options_.hold, stream_, now);
  }
  // G1: what the mode promises can be kept now.
  [[nodiscard]] bool is_open(const reader& who, instant now) const noexcept {
    return who.mode == promise::ttl || stream_.is_open(now, who.max_lag);
  }
  // L1 look-up: of this generation, not expired, no write pending on the whole namespace (R1).
  [[nodiscard]] entry_ref find(const namespace_state& ns, key_kind kind, key_view key, instant now) noexcept;
  // The same without counting as use and dropping nothing, whatever writes are pending: for who only asks.
  [[nodiscard]] entry_ref peek(const namespace_state& ns, key_kind kind, key_view key, instant now) noexcept;
  // R2, S1: is the entry good enough for this reader?
  [[nodiscard]] bool may_answer(const entry_meta& entry, const reader& who, instant now) const noexcept;
  // F(key), G(ns) and, of a list, N(ns): the least L that a read of this key must have (R4).
  [[nodiscard]] cluster_time fence(const namespace_state& ns, key_kind kind, std::uint64_t hash) const noexcept;
  // R3, for an entry that another process read: what this one knows of writes does not speak against it. A list whose
  // L is below N may still be judged by the recent events; then its L rises to H. `newest` is N as Redis knows it.
  [[nodiscard]] bool may_adopt(const namespace_state& ns, key_kind kind, const entry& stored, cluster_time newest,
                               cluster_time& lower) const;

  // Newest operationTime that the primary was seen to send.
  void saw_operation_time(cluster_time t) noexcept;
  [[nodiscard]] cluster_time newest_operation_time() const noexcept { return newest_.load(std::memory_order_relaxed); }
  // operationTime of a majority read, not behind a mongos: what it was computed from, a majority has.
  void saw_majority(cluster_time t) noexcept;
  // A majority has everything up to here: as reads, the primary's samples and the stream have told.
  [[nodiscard]] cluster_time known_majority() const noexcept;

  // The stream (coherence_stream.cpp).

  // Whether writes rely on the stream. Changing it voids everything.
  void follow(bool on);
  [[nodiscard]] bool follows() const noexcept { return term_.load(std::memory_order_acquire) != 0; }
  // The stream was resumed where an earlier process left a mark.
  void resumed(cluster_time mark);
  // C1: one event. Adds to `redis` what Redis has to be told.
  void apply(const change_event& event, protocol::bson_view raw, std::vector<invalidation>& redis);
  void pushed(const pushed_invalidation& what);
  // C2: every event up to `position` has been applied.
  void applied(cluster_time position);
  // G1, S1. False: the primary's time is behind what the stream told (a restored or rolled-back upstream): everything
  // is void, and so is the stream's position.
  [[nodiscard]] bool sampled(const primary_sample& sample);
  // S1: the connection to the primary was lost, and it may come back with less. What is not settled falls, with all
  // flights.
  void void_unsettled();
  // Events were missed (`same_upstream`: that is all, and times go on), or another upstream stands where the old one
  // was: nothing that was cached holds (C3).
  void void_history(bool same_upstream = false);

  // Everything cached becomes unreachable at once: election, new epoch, flush. Flights in progress will not be stored.
  // Returns how many entries were dropped from memory.
  std::uint64_t void_everything();
  // Administrator's invalidation of a whole namespace; entries that were dropped from memory.
  std::uint64_t void_namespace(namespace_state& ns);
  // The same for one document and the namespace's lists; `ns` may be null.
  std::uint64_t void_document(namespace_state* ns, key_view key, cluster_time fence);

 private:
  friend class pending_write;
  // What a write under way marks for one target; its end is told the same.
  struct marked {
    namespace_state* ns = nullptr;  // null: nothing of the target is cached, or more than one namespace is marked
    bool everywhere = false;
    bool judged = false;  // the lists were (W3)
  };
  [[nodiscard]] marked mark(const write_target& target, std::uint64_t term);
  void judge_lists(namespace_state& ns, const write_target& target);
  void judge_lists(namespace_state& ns, const change_event& event);
  [[nodiscard]] static bool tells_whole_documents(const write_target& target) noexcept;
  void invalidate_lists(namespace_state& ns, cluster_time at, bool by_stream, bool judged);
  void invalidate(const write_target& target, cluster_time at, std::uint64_t term, const marked& as,
                  bool as_told = true);
  void unmark(const write_target& target, instant held_until, const marked& as);
  void renew(namespace_state& ns, key_kind kind) noexcept;
  void renew_wide(const write_target& target, cluster_time at);
  [[nodiscard]] marked place_of(const write_target& target);
  // `term` is that of when the write began: what the stream told before it was followed, nobody heard.
  [[nodiscard]] bool relies_on_stream(const write_target& target, std::uint64_t term) const noexcept {
    return term != 0 && term == term_.load(std::memory_order_acquire) && !target.ddl && target.waits_for_stream;
  }

  void apply_document(const change_event& event, invalidation& redis);
  void apply_without_key(const change_event& event, invalidation& redis);
  void apply_drop(std::string_view db, cluster_time at, std::vector<invalidation>& redis);
  void apply_ddl(std::string_view db, std::string_view collection, cluster_time at, std::vector<invalidation>& redis);

  static constexpr std::size_t steps_a_batch = 5 * list_registry::steps_a_write;

  const coherence_options options_;
  local_cache& local_;
  gate stream_;
  write_scope everywhere_;
  settlement settled_;
  event_log events_;
  namespace_table namespaces_;
  flight_table flights_;
  std::atomic<std::uint64_t> term_{0};  // of following without a gap; 0: the stream is not followed
  std::atomic<std::uint64_t> last_term_{0};
  std::atomic<bool> log_begun_{false};
  std::atomic<std::size_t> batch_steps_{steps_a_batch};  // left for the events of this batch
  std::atomic<cluster_time> newest_{0};
  std::atomic<cluster_time> majority_read_{0};
  std::atomic<cluster_time> wide_fence_{0};  // of writes that reached a database or everything, and wait for no stream
  std::atomic<cluster_time> applied_before_sample_{0};
};

// W1 for one command: marked when made; settled once, on whatever outcome. One that is destroyed unsettled counts as a
// write of unknown outcome. Not thread-safe itself.
class pending_write {
 public:
  // `tentative`: a command that is not known to be a write. Nothing is dropped until its outcome, but nothing is looked
  // up meanwhile. From `begun` on runs the hold of one that is destroyed unsettled.
  pending_write(coherence& owner, std::vector<write_target> targets, bool tentative = false, instant begun = {});
  ~pending_write();
  pending_write(const pending_write&) = delete;
  pending_write& operator=(const pending_write&) = delete;

  // Invalidates in memory: the outcome is known, the server's operationTime was `at` (0: none given, the newest seen is
  // taken). `as_told`: all of it was done as the command says.
  void invalidate(cluster_time at, bool as_told = true);
  // The outcome is not known: the server may still be carrying it out (W5).
  void invalidate_unknown(instant now);
  // Nothing was changed (a command that the server does not know, or that it refused).
  void forget() { invalidated_ = true; }
  // W1's last step, behind the invalidation in Redis.
  void unmark();

  [[nodiscard]] const std::vector<write_target>& targets() const noexcept { return targets_; }
  // After invalidate(): the fence that it set, and how long its keys are held.
  [[nodiscard]] cluster_time fence() const noexcept { return fence_; }
  [[nodiscard]] duration hold() const noexcept { return held_until_ == instant{} ? duration{} : owner_.options_.hold; }
  // What Redis has to be told after invalidate(). `strict`: some collection's mode lets no other process answer from
  // Redis once the write is acknowledged.
  [[nodiscard]] std::vector<invalidation> for_redis(bool strict = false) const;

 private:
  coherence& owner_;
  const std::vector<write_target> targets_;
  const bool tentative_;
  const std::uint64_t term_;
  const instant begun_;
  std::vector<coherence::marked> marked_;  // one a target; none of a tentative write
  bool invalidated_ = false;
  bool unmarked_ = false;
  cluster_time fence_ = 0;
  instant held_until_{};
};

}  // namespace mongocached::cache
