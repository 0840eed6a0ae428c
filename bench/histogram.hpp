// Latencies in a log-linear histogram: 128 buckets to every power of two, so a percentile is off by less than 1 %, at
// constant cost and in constant memory whatever the number of samples. Values are nanoseconds; anything above 2^36 (68
// s) counts as that. One thread writes; merge after it has ended.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mongocached::bench {

class histogram {
 public:
  histogram() : counts_(bucket_count) {}

  void record(std::uint64_t value) noexcept {
    value = std::min(value, ceiling);
    ++counts_[index_of(value)];
    ++total_;
    sum_ += value;
    max_ = std::max(max_, value);
  }

  void merge(const histogram& other) noexcept {
    for (std::size_t i = 0; i < bucket_count; ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    sum_ += other.sum_;
    max_ = std::max(max_, other.max_);
  }

  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  [[nodiscard]] std::uint64_t max() const noexcept { return max_; }
  [[nodiscard]] double mean() const noexcept {
    return total_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(total_);
  }

  // Smallest recorded value (to bucket precision, rounded up) that `percent` of the samples do not exceed; 0 without
  // samples.
  [[nodiscard]] std::uint64_t percentile(double percent) const noexcept {
    if (total_ == 0) return 0;
    const double wanted = std::ceil(percent / 100.0 * static_cast<double>(total_));
    const auto rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, total_);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < bucket_count; ++i) {
      seen += counts_[i];
      if (seen >= rank) return std::min(highest_in(i), max_);
    }
    return max_;
  }

 private:
  static constexpr unsigned precision_bits = 7;
  static constexpr unsigned value_bits = 36;
  static constexpr std::uint64_t ceiling = (std::uint64_t{1} << value_bits) - 1;
  static constexpr std::size_t steps = std::size_t{1} << precision_bits;
  // Values below `steps` have a bucket each; every further power of two is cut into `steps` buckets.
  static constexpr std::size_t bucket_count = (value_bits - precision_bits + 1) * steps;

  [[nodiscard]] static std::size_t index_of(std::uint64_t value) noexcept {
    if (value < steps) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - precision_bits - 1;
    return shift * steps + (value >> shift);
  }
  [[nodiscard]] static std::uint64_t highest_in(std::size_t index) noexcept {
    if (index < 2 * steps) return index;
    const std::size_t shift = index / steps - 1;
    return ((index - shift * steps + 1) << shift) - 1;
  }

  std::vector<std::uint64_t> counts_;
  std::uint64_t total_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace mongocached::bench
