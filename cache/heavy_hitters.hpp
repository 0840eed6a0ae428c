// Which of many things come most often, in bounded memory: space-saving (Metwally, Agrawal, El Abbadi 2005).
//
// So many counters, and no more. What has none takes over the smallest, with its count: so a count is never too low,
// and says by how much it may be too high. Whatever came more often than one in `room` is held for certain. Things are
// told apart by their hash alone. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace mongocached::cache {

template <class Thing>
class heavy_hitters {
 public:
  struct counted {
    std::uint64_t hash = 0;
    std::uint64_t count = 0;
    std::uint64_t over = 0;  // at most so many of them were others
    Thing what{};
  };
  struct summary {
    std::vector<counted> held;
    std::uint64_t most_missed = 0;  // how often anything may have come that is not held
  };

  explicit heavy_hitters(std::size_t room) : room_(room) { index_.reserve(room); }

  // `describe(Thing&)` is called where the thing was not held: over whatever stood there before.
  template <class Describe>
  void add(std::uint64_t hash, std::uint64_t weight, Describe describe) {
    if (const auto found = index_.find(hash); found != index_.end()) {
      held_[found->second].count += weight;
      return;
    }
    if (held_.size() < room_) {
      counted fresh{hash, weight, 0, {}};
      describe(fresh.what);
      held_.push_back(std::move(fresh));
      index_.emplace(hash, held_.size() - 1);
      return;
    }
    auto& least = *smallest();
    auto node = index_.extract(least.hash);
    node.key() = hash;
    index_.insert(std::move(node));
    least.hash = hash;
    least.over = least.count;
    least.count += weight;
    describe(least.what);
  }

  [[nodiscard]] summary now() const { return {held_, held_.size() < room_ ? 0 : smallest_count()}; }

 private:
  [[nodiscard]] auto smallest() noexcept { return std::ranges::min_element(held_, {}, &counted::count); }
  [[nodiscard]] std::uint64_t smallest_count() const noexcept {
    return std::ranges::min_element(held_, {}, &counted::count)->count;
  }

  const std::size_t room_;
  std::vector<counted> held_;
  std::unordered_map<std::uint64_t, std::size_t> index_;  // by hash: where in `held_`
};

// What several counted apart, most frequent first: each count is never too low for all of them together.
template <class Thing>
[[nodiscard]] std::vector<typename heavy_hitters<Thing>::counted> merge(
    std::span<const typename heavy_hitters<Thing>::summary> parts) {
  using counted = typename heavy_hitters<Thing>::counted;
  struct sum {
    counted all;
    std::uint64_t missed = 0;  // by those that hold it, if they did not
  };
  std::unordered_map<std::uint64_t, sum> sums;
  std::uint64_t missed = 0;
  for (const auto& part : parts) {
    missed += part.most_missed;
    for (const auto& one : part.held) {
      const auto [at, fresh] = sums.try_emplace(one.hash);
      if (fresh) at->second.all = {one.hash, 0, 0, one.what};
      at->second.all.count += one.count;
      at->second.all.over += one.over;
      at->second.missed += part.most_missed;
    }
  }
  std::vector<counted> out;
  out.reserve(sums.size());
  for (auto& [hash, sum] : sums) {
    sum.all.count += missed - sum.missed;
    sum.all.over += missed - sum.missed;
    out.push_back(std::move(sum.all));
  }
  std::ranges::sort(out, [](const counted& a, const counted& b) {
    return a.count != b.count ? a.count > b.count : a.over != b.over ? a.over < b.over : a.hash < b.hash;
  });
  return out;
}

}  // namespace mongocached::cache
