// Which entry has that key: the hash index of one shard of the local cache. Owns no entry. Not thread-safe.
//
// Extendible hashing, so that growth never moves more than one segment's entries at a time. Use of the hash:
//
//   63                                                          22      6        0
//   | skip: the shard | directory, as many bits as it needs ... | tag  | bucket |
//
// A segment has 64 buckets of one cache line: six entries, a tag of each, and how many entries passed by for want of
// room. A miss reads the directory and one line, and hardly ever an entry.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "cache/entry.hpp"

namespace mongocached::cache {

class entry_index {
 public:
  static constexpr std::size_t segment_buckets = 64;
  static constexpr std::size_t bucket_entries = 6;
  static constexpr std::size_t segment_room = segment_buckets * bucket_entries;

  // The uppermost `skip_bits` of the hash are the same for all keys that come here.
  explicit entry_index(unsigned skip_bits = 0) noexcept : skip_bits_(skip_bits) {}
  ~entry_index();
  entry_index(const entry_index&) = delete;
  entry_index& operator=(const entry_index&) = delete;

  [[nodiscard]] const entry* find(byte_view key, std::uint64_t hash) const noexcept;
  // The key must not be in. False without memory, or if more hashes agree in all bits than a segment holds.
  [[nodiscard]] bool insert(const entry& fresh) noexcept;
  // True if exactly this entry was in.
  bool remove(const entry& old) noexcept;

  // Part of all entries: those of one segment, in `entries[0..count)`. `next` continues the walk, 0: it was the last
  // part. Entries that stay in the index between the calls are seen once, whatever is inserted and removed meanwhile.
  struct part {
    std::array<const entry*, segment_room> entries;
    std::size_t count;
    std::uint64_t next;
  };
  void read_part(std::uint64_t from, part& out) const noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  // Heap bytes held.
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  // Gives back the memory of an index that has become empty.
  void shrink_if_empty() noexcept;

 private:
  struct bucket;
  struct segment;

  [[nodiscard]] std::uint64_t directory_bits(std::uint64_t hash) const noexcept { return hash << skip_bits_; }
  [[nodiscard]] std::size_t slot_of(std::uint64_t hash) const noexcept;
  [[nodiscard]] bool make_room(std::uint64_t hash) noexcept;
  [[nodiscard]] bool split(std::size_t slot) noexcept;
  void free_all() noexcept;
  void count_bytes() noexcept;

  std::vector<segment*> directory_;  // 2^depth_ slots; 2^(depth_ - segment depth) in a row name the same segment
  unsigned depth_ = 0;
  unsigned skip_bits_;
  std::size_t segments_ = 0;
  std::size_t size_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace mongocached::cache
