#include "cache/entry_index.hpp"

#include <new>

namespace mongocached::cache {

namespace {

constexpr std::size_t split_at = entry_index::segment_room * 5 / 6;
constexpr std::size_t line = 64;
// An aligned allocation costs a chunk header and up to a line of alignment.
constexpr std::size_t alignment_cost = line + 16;

std::size_t home_of(std::uint64_t hash) noexcept {
  return hash % entry_index::segment_buckets;
}

// Never 0, the mark of an empty place.
std::uint16_t tag_of(std::uint64_t hash) noexcept {
  return static_cast<std::uint16_t>((hash >> 6U) | 1U);
}

// Odd, so that every bucket is reached; of the key's own, so that full neighbourhoods do not spread.
std::size_t stride_of(std::uint64_t hash) noexcept {
  return (hash >> 6U) | 1U;
}

}  // namespace

struct alignas(line) entry_index::bucket {
  const entry* entries[bucket_entries];
  std::uint16_t tags[bucket_entries];
  std::uint16_t passed;
};

struct entry_index::segment {
  bucket buckets[segment_buckets];
  unsigned depth;  // so many directory bits are the same for all its entries
  std::size_t count;

  void place(const entry& fresh) noexcept {
    std::size_t at = home_of(fresh.hash());
    for (;; at = (at + stride_of(fresh.hash())) % segment_buckets) {
      bucket& here = buckets[at];
      for (std::size_t way = 0; way < bucket_entries; ++way) {
        if (here.tags[way] != 0) continue;
        here.tags[way] = tag_of(fresh.hash());
        here.entries[way] = &fresh;
        ++count;
        return;
      }
      ++here.passed;
    }
  }
};

entry_index::~entry_index() {
  free_all();
}

void entry_index::free_all() noexcept {
  for (std::size_t slot = 0; slot < directory_.size();) {
    segment* const held = directory_[slot];
    slot += std::size_t{1} << (depth_ - held->depth);
    delete held;
  }
  std::vector<segment*>().swap(directory_);  // assignment would keep the memory
  depth_ = 0;
  segments_ = size_ = 0;
  count_bytes();
}

void entry_index::shrink_if_empty() noexcept {
  if (size_ == 0) free_all();
}

void entry_index::count_bytes() noexcept {
  bytes_ = segments_ * (sizeof(segment) + alignment_cost) + directory_.capacity() * sizeof(segment*);
}

std::size_t entry_index::slot_of(std::uint64_t hash) const noexcept {
  return directory_bits(hash) >> 1U >> (63 - depth_);  // in two steps: a shift by 64 is undefined
}

const entry* entry_index::find(byte_view key, std::uint64_t hash) const noexcept {
  if (directory_.empty()) return nullptr;
  const segment& in = *directory_[slot_of(hash)];
  const std::uint16_t tag = tag_of(hash);
  std::size_t at = home_of(hash);
  for (std::size_t tried = 0; tried < segment_buckets; ++tried) {
    const bucket& here = in.buckets[at];
    for (std::size_t way = 0; way < bucket_entries; ++way) {
      if (here.tags[way] != tag) continue;
      const entry& candidate = *here.entries[way];
      if (candidate.hash() == hash && protocol::equal(candidate.key(), key)) return &candidate;
    }
    if (here.passed == 0) return nullptr;
    at = (at + stride_of(hash)) % segment_buckets;
  }
  return nullptr;
}

bool entry_index::insert(const entry& fresh) noexcept {
  if (!make_room(fresh.hash())) return false;
  directory_[slot_of(fresh.hash())]->place(fresh);
  ++size_;
  return true;
}

bool entry_index::remove(const entry& old) noexcept {
  if (directory_.empty()) return false;
  const std::uint64_t hash = old.hash();
  segment& in = *directory_[slot_of(hash)];
  const std::uint16_t tag = tag_of(hash);
  std::size_t at = home_of(hash);
  for (std::size_t tried = 0; tried < segment_buckets; ++tried) {
    bucket& here = in.buckets[at];
    for (std::size_t way = 0; way < bucket_entries; ++way) {
      if (here.tags[way] != tag || here.entries[way] != &old) continue;
      here.tags[way] = 0;
      here.entries[way] = nullptr;
      --in.count;
      --size_;
      // It passed by these on its way in.
      for (std::size_t back = home_of(hash); back != at; back = (back + stride_of(hash)) % segment_buckets) {
        --in.buckets[back].passed;
      }
      return true;
    }
    if (here.passed == 0) return false;
    at = (at + stride_of(hash)) % segment_buckets;
  }
  return false;
}

bool entry_index::make_room(std::uint64_t hash) noexcept {
  if (directory_.empty()) {
    auto* first = new (std::nothrow) segment{};
    if (first == nullptr) return false;
    try {
      directory_.push_back(first);
    } catch (const std::bad_alloc&) {
      delete first;
      return false;
    }
    segments_ = 1;
    count_bytes();
  }
  // Past split_at it is only slower, so that a failed split matters first when the segment is full.
  while (directory_[slot_of(hash)]->count >= split_at) {
    if (!split(slot_of(hash))) return directory_[slot_of(hash)]->count < segment_room;
  }
  return true;
}

bool entry_index::split(std::size_t slot) noexcept {
  segment& old = *directory_[slot];
  // Hashes that agree in improbably many bits would double the directory for nothing.
  constexpr std::size_t most_slots_a_segment = 16;
  const bool widen = old.depth == depth_;
  if (widen && directory_.size() * 2 > most_slots_a_segment * (segments_ + 1)) return false;
  auto* sibling = new (std::nothrow) segment{};
  if (sibling == nullptr) return false;
  if (widen) {
    try {
      std::vector<segment*> wider;
      wider.reserve(directory_.size() * 2);
      for (segment* named : directory_) wider.insert(wider.end(), {named, named});
      directory_.swap(wider);
    } catch (const std::bad_alloc&) {
      delete sibling;
      return false;
    }
    ++depth_;
    slot *= 2;
  }
  part moved{};
  for (const bucket& from : old.buckets) {
    for (const entry* held : from.entries) {
      if (held != nullptr) moved.entries[moved.count++] = held;
    }
  }
  const unsigned depth = old.depth + 1;
  old = segment{};
  old.depth = sibling->depth = depth;
  for (std::size_t at = 0; at < moved.count; ++at) {
    const bool upper = ((directory_bits(moved.entries[at]->hash()) >> (64 - depth)) & 1U) != 0;
    (upper ? *sibling : old).place(*moved.entries[at]);
  }
  const std::size_t half = std::size_t{1} << (depth_ - depth);
  const std::size_t first = slot / (2 * half) * (2 * half) + half;
  for (std::size_t at = first; at < first + half; ++at) directory_[at] = sibling;
  ++segments_;
  count_bytes();
  return true;
}

// The cursor is a position in the space of directory bits. Segments are ranges of it that only ever split (or vanish
// all at once), so that what lies behind the cursor stays there.
void entry_index::read_part(std::uint64_t from, part& out) const noexcept {
  out.count = 0;
  out.next = 0;
  if (directory_.empty()) return;
  const segment& in = *directory_[from >> 1U >> (63 - depth_)];
  for (const bucket& here : in.buckets) {
    for (const entry* held : here.entries) {
      if (held != nullptr) out.entries[out.count++] = held;
    }
  }
  if (in.depth == 0) return;
  const std::uint64_t width = std::uint64_t{1} << (64 - in.depth);
  out.next = (from / width + 1) * width;  // wraps to 0 behind the last
}

}  // namespace mongocached::cache
