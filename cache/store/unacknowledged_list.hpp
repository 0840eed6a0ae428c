// The invalidations of one store that Redis has not acknowledged although their callers have gone on (coherence W7).
//
// Bounded: when it overflows, one new epoch takes the place of them all, and of those that come before that one is
// sent. Each item counts in a process-wide gauge, which is never zero while anything is owed. Pure. Not thread-safe but
// for the gauge.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>

#include "cache/store/shared_store.hpp"

namespace mongocached::cache {

struct owed_invalidation {
  invalidation what;
  std::function<void(store_status)> done;  // empty: the caller has been answered
  bool kept = false;                       // it has been given to the list, which may have dropped it for a new epoch
  std::uint64_t id = 0;                    // on the list
};

class unacknowledged_list {
 public:
  unacknowledged_list(std::atomic<std::uint64_t>& gauge, std::size_t ceiling) : gauge_(gauge), ceiling_(ceiling) {}
  unacknowledged_list(const unacknowledged_list&) = delete;
  unacknowledged_list& operator=(const unacknowledged_list&) = delete;
  // What is still owed stays in the gauge: nobody will send it any more, so Redis must not be trusted.
  ~unacknowledged_list() = default;

  // `sent`: it is on its way and its acknowledgement may yet come.
  void add(const std::shared_ptr<owed_invalidation>& item, bool sent);
  // True: it was owed, and is no more.
  bool acknowledged(const owed_invalidation& item);
  void not_sent(const owed_invalidation& item);
  // The oldest that is not on its way, from now on taken to be; null: none.
  [[nodiscard]] std::shared_ptr<owed_invalidation> take_unsent();

  [[nodiscard]] bool has_unsent() const noexcept { return in_flight_ < items_.size(); }
  [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }
  [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }

 private:
  struct entry {
    std::shared_ptr<owed_invalidation> item;
    bool sent;
  };
  void insert(const std::shared_ptr<owed_invalidation>& item, bool sent);

  std::atomic<std::uint64_t>& gauge_;
  std::size_t ceiling_;
  std::map<std::uint64_t, entry> items_;  // by id, so by age
  std::size_t in_flight_ = 0;
  std::uint64_t last_id_ = 0;
  std::uint64_t first_unsent_ = 1;  // none below
};

}  // namespace mongocached::cache
