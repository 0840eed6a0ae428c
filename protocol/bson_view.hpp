// A BSON document read in place: no allocation, no copy, nothing trusted.
//
// `bson_view::parse` checks only the frame (length field, size, terminator). Elements are checked one by one as a
// `bson_cursor` passes over them; `validate` walks everything, nested documents included, to a nesting depth of
// `max_depth`. A cursor that met bytes which are no element stops and says so by `failed()`: a caller that acts on a
// document must ask. Views live as long as the bytes they were parsed from. Source of the layout: bsonspec.org,
// version 1.1.
#pragma once

#include <optional>

#include "protocol/bytes.hpp"

namespace mongocached::protocol {

enum class bson_type : std::uint8_t {
  float64 = 0x01,
  string = 0x02,
  document = 0x03,
  array = 0x04,
  binary = 0x05,
  undefined = 0x06,
  object_id = 0x07,
  boolean = 0x08,
  date = 0x09,
  null = 0x0a,
  regex = 0x0b,
  db_pointer = 0x0c,
  code = 0x0d,
  symbol = 0x0e,
  code_with_scope = 0x0f,
  int32 = 0x10,
  timestamp = 0x11,
  int64 = 0x12,
  decimal128 = 0x13,
  max_key = 0x7f,
  min_key = 0xff,
};

// MongoDB's server refuses documents nested deeper than 200 levels (BSONDepth::kDefaultMaxAllowableDepth).
inline constexpr int max_depth = 200;

class bson_view;

// One element. `value` is exactly the element's value bytes as they stand in the document, e.g. for a string the int32
// length, the text and its NUL; `raw` is the whole element: type byte, name, NUL, value.
struct bson_element {
  bson_type type{};
  std::string_view name;
  byte_view value;
  byte_view raw;

  [[nodiscard]] bool is(bson_type t) const noexcept { return type == t; }
  // Text of a string, symbol or code; empty optional for any other type.
  [[nodiscard]] std::optional<std::string_view> text() const noexcept;
  // Sub-document of a document or array.
  [[nodiscard]] std::optional<bson_view> document() const noexcept;
  // The same of one of the two only.
  [[nodiscard]] std::optional<bson_view> object() const noexcept;
  [[nodiscard]] std::optional<bson_view> array() const noexcept;
  // Value of int32, int64, or a double that is integral and in range; empty otherwise.
  [[nodiscard]] std::optional<std::int64_t> integer() const noexcept;
  // MongoDB's notion of a truthy flag: a boolean, or a number other than zero; empty for other types.
  [[nodiscard]] std::optional<bool> truthy() const noexcept;
  [[nodiscard]] std::optional<std::uint64_t> timestamp() const noexcept;
  [[nodiscard]] std::optional<double> number() const noexcept;  // int32, int64, float64
};

class bson_view {
 public:
  bson_view() noexcept;  // the empty document

  // The bytes must be exactly one document: length field equal to size, at least 5, NUL at the end.
  [[nodiscard]] static std::optional<bson_view> parse(byte_view bytes) noexcept;
  // One document at the front of `bytes`, which may go on behind it.
  [[nodiscard]] static std::optional<bson_view> parse_front(byte_view bytes) noexcept;

  [[nodiscard]] byte_view bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
  [[nodiscard]] bool empty() const noexcept { return bytes_.size() <= 5; }
  // First element of that name; empty if absent or if the document breaks off before it.
  [[nodiscard]] std::optional<bson_element> find(std::string_view name) const noexcept;
  // Of the field with this name, if it is a string; else empty.
  [[nodiscard]] std::string_view text_of(std::string_view name) const noexcept;
  // Every element at every level is well-formed.
  [[nodiscard]] bool validate(int depth = max_depth) const noexcept;
  // Views a copy of the same bytes from now on.
  void rebase(byte_view copy) noexcept { bytes_ = copy; }

 private:
  explicit bson_view(byte_view bytes) noexcept : bytes_(bytes) {}
  byte_view bytes_;
};

// for (bson_cursor c(view); c.next(e);) { ... }  if (c.failed()) ...
class bson_cursor {
 public:
  explicit bson_cursor(bson_view view) noexcept
      : at_(view.bytes().data() + 4), end_(view.bytes().data() + view.size() - 1) {}

  // False at the end of the document and at the first byte that is no element.
  [[nodiscard]] bool next(bson_element& out) noexcept;
  [[nodiscard]] bool failed() const noexcept { return failed_; }

 private:
  [[nodiscard]] bool next_of_any_kind(bson_element& out) noexcept;

  const std::uint8_t* at_;
  const std::uint8_t* end_;  // the document's own terminator
  bool failed_ = false;
};

}  // namespace mongocached::protocol
