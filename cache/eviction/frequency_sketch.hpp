// How often keys were asked for lately, in four bits each: a count-min sketch that halves itself (TinyLFU, Einziger et
// al. 2017).
//
// One 64-byte block a key, so that counting touches one cache line. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace mongocached::cache {

class frequency_sketch {
 public:
  // Makes room for that many objects; what was counted is forgotten when it has to grow.
  void reserve(std::size_t objects) noexcept;
  void count(std::uint64_t hash) noexcept;
  // 0..15, an estimate that is never too low but for the halving. 0 before the first reserve.
  [[nodiscard]] unsigned estimate(std::uint64_t hash) const noexcept;
  [[nodiscard]] std::size_t bytes() const noexcept {
    return blocks_ == nullptr ? 0 : (block_mask_ + 1) * sizeof(block);
  }

 private:
  struct alignas(64) block {
    std::uint64_t words[8];
  };
  static constexpr unsigned rows = 4;

  void halve_next() noexcept;

  std::unique_ptr<block[]> blocks_;
  std::size_t block_mask_ = 0;
  std::size_t hand_ = 0;  // the block halved last
  unsigned counted_ = 0;  // since then
};

}  // namespace mongocached::cache
