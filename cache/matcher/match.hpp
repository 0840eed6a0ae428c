// What the matcher answers, and how answers combine: Kleene's three values (coherence M).
//
// `unknown` is an honest answer, never an error: the caller treats it as "matches". Pure values, any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mongocached::cache {

enum class match : std::uint8_t { no, yes, unknown };

[[nodiscard]] constexpr match to_match(bool value) noexcept {
  return value ? match::yes : match::no;
}

[[nodiscard]] constexpr match either(match a, match b) noexcept {
  if (a == match::yes || b == match::yes) return match::yes;
  return a == match::unknown || b == match::unknown ? match::unknown : match::no;
}

[[nodiscard]] constexpr match both(match a, match b) noexcept {
  if (a == match::no || b == match::no) return match::no;
  return a == match::unknown || b == match::unknown ? match::unknown : match::yes;
}

[[nodiscard]] constexpr match negated(match a) noexcept {
  if (a == match::unknown) return match::unknown;
  return a == match::yes ? match::no : match::yes;
}

// Documents and filters nested deeper than this are not looked into. Counts documents and arrays; a bare document is 1.
inline constexpr int max_match_depth = 64;

// How much work one question may cause: a filter and a document that a client chose can ask for their product in
// comparisons, and a path of numeric components for more. Units: elements passed over, and 64 bytes compared. Once
// spent, everything is unknown.
class work_budget {
 public:
  static constexpr std::size_t default_steps = 200'000;

  explicit work_budget(std::size_t steps = default_steps) noexcept : left_(steps) {}
  // False from the moment on when more was asked for than there is.
  [[nodiscard]] bool spend(std::size_t steps) noexcept {
    if (steps > left_) left_ = 0;
    if (left_ == 0) return false;
    left_ -= steps;
    return true;
  }

 private:
  std::size_t left_;
};

}  // namespace mongocached::cache
