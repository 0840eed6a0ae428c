// What a read looks like without its values, for people who ask which queries are not cached:
//
//   find {filter: {year: {$gte: ?}, cast: {$in: [?]}}, sort: {rating: ?}, projection: {title: ?}, limit}
//   aggregate {pipeline: [$match, $group], allowDiskUse}
//
// No value that a client sent ever stands in it: not in the filter, nor a sort's direction, an index's name or the text
// of a comment. Names of fields do, made safe: UTF-8 without control characters, quoted where they hold more than
// letters, digits and `_$.-`, cut (`...`) when long. Arrays show what is different in their first members, aggregates
// their stages, other arguments that they are there. Left out is what says nothing about the query (lsid, maxTimeMS,
// ...). Any bytes will do as a command; the work is bounded and nothing is allocated.
#pragma once

#include <array>

#include "protocol/command_view.hpp"

namespace mongocached::cache {

// Text of at most N bytes; what does not fit is cut and ends in `...`.
template <std::size_t N>
class bounded_text {
 public:
  [[nodiscard]] std::string_view text() const noexcept { return {bytes_.data(), size_}; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool is_full() const noexcept { return full_; }

  // All of it or nothing.
  void append(std::string_view piece) noexcept {
    if (full_) return;
    full_ = piece.size() > N - ellipsis.size() - size_;
    if (full_) return put(ellipsis);
    put(piece);
  }
  // Takes back what was appended since; not once it is full.
  void shorten(std::size_t size) noexcept {
    if (!full_) size_ = size;
  }

 private:
  void put(std::string_view piece) noexcept {
    piece.copy(bytes_.data() + size_, piece.size());
    size_ += piece.size();
  }

  static constexpr std::string_view ellipsis = "...";
  std::array<char, N> bytes_;  // not zeroed: only what was appended is looked at
  std::size_t size_ = 0;
  bool full_ = false;
};

class query_shape {
 public:
  static constexpr std::size_t longest_text = 512;
  static constexpr std::size_t longest_namespace = 256;
  static constexpr std::size_t longest_name = 64;  // of a field
  static constexpr std::size_t most_elements = 256;
  static constexpr std::size_t most_members = 16;  // of an array
  static constexpr int deepest = 10;

  explicit query_shape(const protocol::command_view& command) noexcept;

  // Of a command that has none: empty.
  [[nodiscard]] std::string_view text() const noexcept { return text_.text(); }
  [[nodiscard]] std::string_view ns() const noexcept { return namespace_.text(); }
  // Of both; the same for the life of the process.
  [[nodiscard]] std::uint64_t hash() const noexcept;

 private:
  bounded_text<longest_text> text_;
  bounded_text<longest_namespace> namespace_;
};

// find, aggregate, count and distinct of a database of the user's.
[[nodiscard]] bool has_shape(const protocol::command_view& command) noexcept;

}  // namespace mongocached::cache
