// What the tests of cache/'s decisions share: commands parsed from messages, odd BSON values, and a logical value that
// can be written in every BSON form that means the same.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "cache/read_plan.hpp"
#include "cache/write_plan.hpp"
#include "support/message_builders.hpp"

namespace mongocached::cache {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;
using protocol::command_view;
using test_support::array;
using test_support::binary;
using test_support::date;
using test_support::document;
using test_support::message_options;
using test_support::null_value;
using test_support::object_id;
using test_support::raw_value;
using test_support::sequence;
using test_support::timestamp;
using test_support::value;

// A message and its view; neither copied nor moved, for the view points into the message.
class parsed_command {
 public:
  explicit parsed_command(const document& body, message_options options = {},
                          const std::vector<sequence>& sequences = {})
      : bytes_(op_msg_message(body, options, sequences)) {
    protocol::op_msg message;
    EXPECT_EQ(protocol::parse_op_msg(bytes_, message), protocol::op_msg_error::none);
    EXPECT_EQ(protocol::view_command(message, options.request_id, view_), protocol::command_error::none);
  }
  parsed_command(const parsed_command&) = delete;
  parsed_command& operator=(const parsed_command&) = delete;
  [[nodiscard]] const command_view& view() const { return view_; }

 private:
  byte_buffer bytes_;
  command_view view_;
};

// The document with a field more at its end.
inline document with(const document& base, std::string_view name, const value& content) {
  byte_buffer bytes;
  {
    protocol::bson_builder builder(bytes);
    bson_element element;
    for (bson_cursor cursor(base.view()); cursor.next(element);) builder.append(element);
    builder.append_value(content.type, name, content.bytes);
  }
  return document(std::move(bytes));
}

inline value decimal(std::uint64_t coefficient, int exponent, bool negative = false) {
  byte_buffer bytes(16);
  const auto high = (static_cast<std::uint64_t>(negative) << 63) | (static_cast<std::uint64_t>(exponent + 6176) << 49);
  protocol::store_le(bytes.data(), coefficient);
  protocol::store_le(bytes.data() + 8, high);
  return raw_value{bson_type::decimal128, bytes};
}

inline value decimal_bits(std::uint64_t high, std::uint64_t low) {
  byte_buffer bytes(16);
  protocol::store_le(bytes.data(), low);
  protocol::store_le(bytes.data() + 8, high);
  return raw_value{bson_type::decimal128, bytes};
}

inline value regex(std::string_view pattern) {
  byte_buffer bytes(pattern.begin(), pattern.end());
  bytes.insert(bytes.end(), {0, 0});
  return raw_value{bson_type::regex, bytes};
}

inline value text_of_type(bson_type type, std::string_view text) {
  return raw_value{type, value(text).bytes};
}

inline const object_id some_object_id{{0x65, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}};

// A document {v: content}, kept alive, and its element.
class owned_element {
 public:
  explicit owned_element(const value& content) : holder_({{"v", content}}) {}
  [[nodiscard]] bson_element get() const { return holder_.view().find("v").value(); }

 private:
  document holder_;
};

inline std::string key_text(key_view key) {
  return std::string(protocol::as_text(key.bytes));
}

// By name, for messages.
inline const char* name_of(read_shape shape) {
  constexpr std::array names{"forward", "by_id", "by_ids", "list"};
  return names[static_cast<std::size_t>(shape)];
}

// "by_id", "list", or "forward: reason".
inline std::string outcome(const read_plan& plan) {
  std::string out = name_of(plan.shape);
  if (plan.shape == read_shape::forward) out += std::string(": ") + name_of(plan.reason);
  if (plan.shape != read_shape::forward && plan.reason != bypass_reason::none) out += " with a reason";
  return out;
}

}  // namespace mongocached::cache
