// Cursors whose next batch writes: an aggregate with $out or $merge and batchSize 0 opens its cursor first and writes
// at the first getMore. Bounded: past the limit every getMore of an unknown cursor counts as a write of everything. Any
// thread.
#pragma once

#include <atomic>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "cache/write_plan.hpp"

namespace mongocached::cache {

class writing_cursors {
 public:
  explicit writing_cursors(std::size_t limit = 1000) : limit_(limit) {}

  void opened(std::int64_t cursor, const std::vector<write_target>& targets);
  // A batch said that there is no more.
  void exhausted(std::int64_t cursor);
  // What a getMore on it may change; empty: nothing. The cursor is remembered: it may write at any batch.
  [[nodiscard]] std::vector<write_target> targets(std::int64_t cursor) const;

 private:
  const std::size_t limit_;
  std::atomic<bool> any_{false};  // almost always false: a getMore takes no lock
  mutable std::mutex mutex_;
  std::unordered_map<std::int64_t, std::vector<write_target>> open_;
  bool overflowed_ = false;
};

}  // namespace mongocached::cache
