// Which document the next request asks for. Deterministic for a seed; one thread.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <utility>
#include <vector>

namespace mongocached::bench {

enum class key_distribution {
  single,    // always document 0
  uniform,   // each of the key space alike
  zipf,      // document k with a share proportional to 1 / (k + 1)^s
  distinct,  // never the same one twice, over all threads and runs
};

// Cumulative shares of a Zipf distribution; shared by all threads, read only.
[[nodiscard]] inline std::vector<double> zipf_shares(std::uint64_t key_space, double exponent) {
  std::vector<double> shares(key_space);
  double sum = 0;
  for (std::uint64_t k = 0; k < key_space; ++k) shares[k] = sum += std::pow(static_cast<double>(k + 1), -exponent);
  for (double& share : shares) share /= sum;
  return shares;
}

class key_picker {
 public:
  // `distinct` keys are first_distinct, first_distinct + stride, ...
  key_picker(key_distribution distribution, std::uint64_t key_space, std::shared_ptr<const std::vector<double>> shares,
             std::uint64_t seed, std::uint64_t first_distinct, std::uint64_t stride)
      : distribution_(distribution),
        key_space_(key_space),
        shares_(std::move(shares)),
        random_(seed),
        next_(first_distinct),
        stride_(stride) {}

  [[nodiscard]] std::uint64_t next() {
    switch (distribution_) {
      case key_distribution::single:
        return 0;
      case key_distribution::uniform:
        return random_() % key_space_;
      case key_distribution::zipf: {
        const auto at = std::upper_bound(shares_->begin(), shares_->end(), unit());
        return std::min(static_cast<std::uint64_t>(at - shares_->begin()), key_space_ - 1);
      }
      case key_distribution::distinct:
        return std::exchange(next_, next_ + stride_);
    }
    return 0;
  }

  // Uniform in [0, 1).
  [[nodiscard]] double unit() { return static_cast<double>(random_() >> 11) * 0x1.0p-53; }

 private:
  key_distribution distribution_;
  std::uint64_t key_space_;
  std::shared_ptr<const std::vector<double>> shares_;
  std::mt19937_64 random_;
  std::uint64_t next_;
  std::uint64_t stride_;
};

}  // namespace mongocached::bench
