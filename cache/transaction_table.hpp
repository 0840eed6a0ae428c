// What transactions in progress have written (coherence W6): collected command by command, invalidated at the commit
// and at each of its retries. Keyed by (lsid, txnNumber), because a driver may send the commit on another of its
// connections (wire rule U3). Bounded in transactions, in keys and in bytes, for the keys are a client's and are
// collected before any server has seen them; one that was not seen whole, or is larger than a record may be, reaches
// everything. Any thread.
#pragma once

#include <list>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "cache/write_plan.hpp"

namespace mongocached::cache {

class transaction_table {
 public:
  static constexpr std::size_t max_record_bytes = 256UL << 10;

  // `max_bytes` of what the records hold, all together.
  explicit transaction_table(std::size_t limit = 10'000, std::size_t max_bytes = 64UL << 20)
      : limit_(limit), max_bytes_(max_bytes) {}

  // A command inside the transaction. `starts` on its first one; targets may be empty (a read). False: it was not seen
  // whole up to here; what it writes may be committed elsewhere.
  bool collect(byte_view lsid, std::int64_t number, bool starts, std::vector<write_target> targets);
  // What a commit may change. Kept for the commit's retries.
  [[nodiscard]] std::vector<write_target> committed(byte_view lsid, std::int64_t number) const;
  void aborted(byte_view lsid, std::int64_t number);
  // A write was seen of which it cannot be told whether it belongs to one of them: each may have it.
  void lose_sight();
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct record {
    std::string key;
    bool whole = false;  // seen from its start, nothing left out
    std::size_t keys = 0;
    std::size_t bytes = 0;
    std::vector<write_target> targets;
  };
  using records = std::list<record>;

  [[nodiscard]] record& touch(byte_view lsid, std::int64_t number, bool starts);
  void erase(records::iterator at);
  void count(record& at);
  static void add(record& at, write_target target);

  const std::size_t limit_;
  const std::size_t max_bytes_;
  mutable std::mutex mutex_;
  std::size_t bytes_ = 0;
  records order_;  // oldest use first
  std::unordered_map<std::string, records::iterator> by_key_;
};

}  // namespace mongocached::cache
