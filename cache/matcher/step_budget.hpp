// What may be spent on judging lists by one write: in memory may lie thousands of lists with thousands of documents
// each, and a write may bring a thousand documents. A step is about a document of a result looked at, or a condition
// of a filter asked. Counted, not timed. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>

namespace mongocached::cache {

class step_budget {
 public:
  explicit constexpr step_budget(std::size_t steps) noexcept : left_(steps) {}

  // Before the work. False: it is spent, and the work is not to be done.
  [[nodiscard]] constexpr bool take(std::size_t steps) noexcept {
    left_ -= std::min(steps, left_);
    return left_ > 0;
  }
  [[nodiscard]] constexpr bool is_spent() const noexcept { return left_ == 0; }
  [[nodiscard]] constexpr std::size_t left() const noexcept { return left_; }

 private:
  std::size_t left_;
};

}  // namespace mongocached::cache
