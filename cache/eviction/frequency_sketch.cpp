#include "cache/eviction/frequency_sketch.hpp"

#include <algorithm>
#include <bit>
#include <new>

namespace mongocached::cache {

namespace {

constexpr std::size_t objects_a_block = 6;
constexpr std::size_t first_blocks = 32;
// One block is halved every so many counts, in turn: the whole table about every seven requests an object that it has
// room for. One sweep of everything would age the same, but stall whoever is due.
constexpr unsigned counts_a_halving = 40;

// Row r of a key: a word of its own pair in the block, and one of the word's sixteen counters.
struct place {
  unsigned word;
  unsigned shift;
};
place place_of(std::uint64_t hash, unsigned row) noexcept {
  const auto bits = static_cast<unsigned>(hash >> (8 * row)) & 0xffU;
  return {row * 2 + (bits & 1U), ((bits >> 1U) & 15U) * 4};
}

}  // namespace

void frequency_sketch::reserve(std::size_t objects) noexcept {
  const std::size_t held = blocks_ == nullptr ? 0 : (block_mask_ + 1) * objects_a_block;
  if (objects <= held) return;
  const std::size_t wanted = std::max(first_blocks, std::bit_ceil(objects / objects_a_block + 1));
  auto* fresh = new (std::nothrow) block[wanted]{};
  if (fresh == nullptr) return;
  blocks_.reset(fresh);
  block_mask_ = wanted - 1;
  hand_ = 0;
}

void frequency_sketch::count(std::uint64_t hash) noexcept {
  if (blocks_ == nullptr) return;
  block& mine = blocks_[(hash >> 32) & block_mask_];
  bool added = false;
  for (unsigned row = 0; row < rows; ++row) {
    const auto [word, shift] = place_of(hash, row);
    if (((mine.words[word] >> shift) & 15U) == 15U) continue;
    mine.words[word] += std::uint64_t{1} << shift;
    added = true;
  }
  if (added && ++counted_ >= counts_a_halving) halve_next();
}

unsigned frequency_sketch::estimate(std::uint64_t hash) const noexcept {
  if (blocks_ == nullptr) return 0;
  const block& mine = blocks_[(hash >> 32) & block_mask_];
  unsigned least = 15;
  for (unsigned row = 0; row < rows; ++row) {
    const auto [word, shift] = place_of(hash, row);
    least = std::min(least, static_cast<unsigned>(mine.words[word] >> shift) & 15U);
  }
  return least;
}

void frequency_sketch::halve_next() noexcept {
  counted_ = 0;
  hand_ = (hand_ + 1) & block_mask_;
  for (std::uint64_t& word : blocks_[hand_].words) word = (word >> 1U) & 0x7777777777777777ULL;
}

}  // namespace mongocached::cache
