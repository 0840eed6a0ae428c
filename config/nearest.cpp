#include "config/nearest.hpp"

#include <algorithm>
#include <cctype>
#include <limits>
#include <vector>

namespace mongocached::config {
namespace {

// Past this length nothing is like one of our names, and the distance is quadratic.
constexpr std::size_t longest = 128;

char lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0U : 1U)});
      const bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

std::string nearest(std::string_view name, std::span<const std::string> known) {
  name = name.substr(0, longest);
  auto least = std::numeric_limits<std::size_t>::max();
  std::string out;
  for (const auto& candidate : known) {
    const auto d = distance(name, candidate);
    if (d >= least) continue;
    least = d;
    out = candidate;
  }
  return out;
}

}  // namespace mongocached::config
