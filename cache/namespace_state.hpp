// What is known of one namespace: may it be cached (coherence K1), which generation its entries must carry, which
// writes are under way, which lists memory holds. One object a namespace for the life of the process, shared by all
// threads.
//
// Generations (G(ns), and coherence W4 "no stream"): an entry of a namespace is valid only while its generation equals
// the namespace's. They are drawn from one counter, so that no value is ever used twice. A namespace-wide write begins
// in its scope before it changes the generation and ends there after it changed it again; a fill reads the generation
// first and the scope second.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cache/key.hpp"
#include "cache/list_registry.hpp"
#include "cache/write_scope.hpp"

namespace mongocached::cache {

enum class cacheability : std::uint8_t {
  unknown,        // never asked, or asked too long ago, or DDL since
  plain,          // a plain collection: everything
  ids_only,       // its options could not be read: only look-ups by _id without strings
  not_cacheable,  // a view, time series, capped, a default collation
  missing,        // there is no such collection (it may come at any write)
};
[[nodiscard]] const char* name_of(cacheability c) noexcept;

class namespace_state {
 public:
  namespace_state(std::string name, std::uint64_t first_generation, std::size_t threads, list_key_budget& list_keys);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::string_view db() const noexcept { return std::string_view(name_).substr(0, dot_); }
  [[nodiscard]] std::string_view collection() const noexcept { return std::string_view(name_).substr(dot_ + 1); }

  [[nodiscard]] std::uint64_t generation(key_kind kind) const noexcept { return of(kind).generation.load(); }
  void set_generation(key_kind kind, std::uint64_t value) noexcept { of(kind).generation.store(value); }
  // G(ns): newest DDL, or write of unknown keys where no stream tells them.
  [[nodiscard]] cluster_time fence(key_kind kind) const noexcept { return of(kind).fence.load(); }
  void raise_fence(key_kind kind, cluster_time to) noexcept { raise(of(kind).fence, to); }
  void forget_times() noexcept;

  // Writes that may change any entry of that kind.
  [[nodiscard]] write_scope& writes(key_kind kind) noexcept { return of(kind).writes; }
  [[nodiscard]] const write_scope& writes(key_kind kind) const noexcept { return of(kind).writes; }
  // Writes under way whose effect on the lists was judged: none is stored meanwhile.
  void begin_judged_write() noexcept { judged_writes_.fetch_add(1); }
  void end_judged_write() noexcept { judged_writes_.fetch_sub(1); }
  [[nodiscard]] bool judged_write_pending() const noexcept { return judged_writes_.load() != 0; }
  [[nodiscard]] list_registry& lists() noexcept { return registry_; }
  [[nodiscard]] const list_registry& lists() const noexcept { return registry_; }

  // K1, as read at `checked`; unknown once `lifetime` has passed.
  [[nodiscard]] cacheability may_cache(instant now) const noexcept;
  // The same without regard to age.
  [[nodiscard]] cacheability last_known() const noexcept { return cacheability_.load(std::memory_order_acquire); }
  void set_cacheability(cacheability c, instant good_until, std::uint64_t ddl_seen) noexcept;
  // Number of times that DDL (or a creation) voided what K1 said: a look-up under way since before is void too.
  [[nodiscard]] std::uint64_t ddl_count() const noexcept { return ddl_.load(); }
  void void_cacheability() noexcept;

  // Statistics, a slot a thread: written without contention, summed by who reports.
  struct alignas(64) thread_counts {
    std::atomic<std::uint64_t> hits{0};
    std::atomic<std::uint64_t> misses{0};
  };
  [[nodiscard]] thread_counts& counts(std::size_t thread) noexcept { return counts_[thread]; }
  [[nodiscard]] std::uint64_t hits() const noexcept;
  [[nodiscard]] std::uint64_t misses() const noexcept;

 private:
  struct side {
    std::atomic<std::uint64_t> generation{0};
    std::atomic<cluster_time> fence{0};
    write_scope writes;
  };
  [[nodiscard]] side& of(key_kind kind) noexcept { return kind == key_kind::document ? documents_ : lists_; }
  [[nodiscard]] const side& of(key_kind kind) const noexcept {
    return kind == key_kind::document ? documents_ : lists_;
  }

  const std::string name_;
  const std::size_t dot_;
  side documents_;
  side lists_;
  std::atomic<std::uint32_t> judged_writes_{0};
  list_registry registry_;
  std::atomic<cacheability> cacheability_{cacheability::unknown};
  std::atomic<instant::rep> good_until_{0};
  std::atomic<std::uint64_t> ddl_{0};
  const std::size_t threads_;
  const std::unique_ptr<thread_counts[]> counts_;
};

// All namespaces met so far; bounded, because names come from clients. Any thread.
class namespace_table {
 public:
  namespace_table(std::size_t limit, std::size_t threads, std::uint64_t list_key_bytes = most_list_key_bytes)
      : limit_(limit), threads_(threads), list_keys_(std::min(list_key_bytes, most_list_key_bytes)) {}

  // Null once the limit is reached and the name is new.
  [[nodiscard]] namespace_state* find_or_add(std::string_view db, std::string_view collection);
  [[nodiscard]] namespace_state* find(std::string_view name) const;
  // The limit is reached: a new name is not tracked.
  [[nodiscard]] bool is_full() const;
  // Never used before in this process.
  [[nodiscard]] std::uint64_t next_generation() noexcept { return ++last_generation_; }
  // N of a namespace that nobody has met yet: an event of this time has passed.
  void saw_event(cluster_time t) noexcept { raise(newest_event_, t); }
  void forget_times();
  [[nodiscard]] std::vector<namespace_state*> all() const;
  [[nodiscard]] std::vector<namespace_state*> of_database(std::string_view db) const;

  // What keys of lists take beside the cache.
  static constexpr std::uint64_t most_list_key_bytes = 64UL << 20;
  [[nodiscard]] const list_key_budget& list_keys() const noexcept { return list_keys_; }
  // To be called now and then, by one thread: what eviction took in namespaces that nobody writes to or fills keeps the
  // memory from the others. Goes on where it stopped, some tens of thousands of keys at a time, and only once half of
  // the memory is taken.
  void forget_evicted_lists(local_cache& local);

 private:
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  const std::size_t limit_;
  const std::size_t threads_;
  list_key_budget list_keys_;
  std::size_t next_swept_ = 0;
  std::atomic<std::uint64_t> last_generation_{0};
  std::atomic<cluster_time> newest_event_{0};
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, std::unique_ptr<namespace_state>, text_hash, std::equal_to<>> states_;
};

}  // namespace mongocached::cache
