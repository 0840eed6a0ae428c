// Appends BSON to a buffer that the caller owns and may reuse, so that steady work allocates nothing.
//
//   bson_builder b(buffer);
//   b.append_int32("ok", 1);
//   { auto cursor = b.open_document("cursor"); ... }   // closes itself
//   b.finish();                                         // or the destructor
//
// Names and texts must hold no NUL in names; sizes are the caller's to bound (a document may not pass 2^31 - 1 bytes).
// One thread.
#pragma once

#include "protocol/bson_view.hpp"

namespace mongocached::protocol {

class bson_builder {
 public:
  // Starts a document at the end of `out`. `out` must outlive the builder and not be touched beside it.
  explicit bson_builder(byte_buffer& out);
  bson_builder(bson_builder&& other) noexcept;
  bson_builder(const bson_builder&) = delete;
  bson_builder& operator=(const bson_builder&) = delete;
  bson_builder& operator=(bson_builder&&) = delete;
  ~bson_builder() { finish(); }

  void append_double(std::string_view name, double value);
  void append_string(std::string_view name, std::string_view value);
  void append_bool(std::string_view name, bool value);
  void append_int32(std::string_view name, std::int32_t value);
  void append_int64(std::string_view name, std::int64_t value);
  void append_date(std::string_view name, std::int64_t milliseconds_since_epoch);
  void append_timestamp(std::string_view name, std::uint64_t value);
  void append_object_id(std::string_view name, std::span<const std::uint8_t, 12> value);
  void append_binary(std::string_view name, std::uint8_t subtype, byte_view value);
  void append_document(std::string_view name, bson_view value);
  void append_array(std::string_view name, bson_view value);
  // The element as it stands, or the same value under another name.
  void append(const bson_element& element);
  // All elements of a document, unread.
  void append_all(bson_view document);
  void append_as(std::string_view name, const bson_element& element);
  void append_value(bson_type type, std::string_view name, byte_view value);

  [[nodiscard]] bson_builder open_document(std::string_view name);
  [[nodiscard]] bson_builder open_array(std::string_view name);

  // Writes the terminator and the length. Further calls do nothing.
  void finish();

 private:
  byte_buffer* out_;
  std::size_t start_;
};

}  // namespace mongocached::protocol
