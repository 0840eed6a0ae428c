#include "cache/read_hint.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>

namespace mongocached::cache {
namespace {

constexpr std::string_view prefix = "mongocached:";
// What is longer is not looked at to its end, and not understood.
constexpr std::size_t longest_word = 64;
constexpr std::string_view white_space = " \t\n\v\f\r";

struct unit {
  std::string_view name;
  std::int64_t nanoseconds;
};

constexpr std::array units{
    unit{"ns", 1},
    unit{"us", 1'000},
    unit{"ms", 1'000'000},
    unit{"s", 1'000'000'000},
    unit{"m", 60'000'000'000},
    unit{"h", 3'600'000'000'000},
    unit{"d", 86'400'000'000'000},
};

std::optional<duration> duration_in(std::string_view text) noexcept {
  std::uint64_t number = 0;
  const auto* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view name(rest, static_cast<std::size_t>(end - rest));
  if (name.empty() && number == 0) return duration{};
  const auto* const found = std::ranges::find(units, name, &unit::name);
  if (found == units.end()) return std::nullopt;
  const auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / found->nanoseconds);
  if (number > most) return std::nullopt;
  return duration{static_cast<std::int64_t>(number) * found->nanoseconds};
}

// `what` is the word behind the prefix.
void take(std::string_view what, read_hint& out) noexcept {
  const bool readable = what.size() <= longest_word;
  if (what == "refresh") {
    out.refresh = true;
  } else if (const auto age = readable && what.starts_with("ttl=") ? duration_in(what.substr(4)) : std::nullopt) {
    out.max_age = std::min(out.max_age, *age);
  } else {
    out.bypass = true;
  }
}

}  // namespace

read_hint hint_in(std::string_view comment) noexcept {
  read_hint out;
  const auto reach = comment.substr(0, hint_reach + prefix.size() - 1);
  for (auto at = reach.find(prefix); at != std::string_view::npos; at = reach.find(prefix, at + prefix.size())) {
    const bool begins_a_word = at == 0 || white_space.find(comment[at - 1]) != std::string_view::npos;
    if (!begins_a_word) continue;
    const auto word = comment.substr(at + prefix.size(), longest_word + 1);
    take(word.substr(0, word.find_first_of(white_space)), out);
  }
  return out;
}

}  // namespace mongocached::cache
