// Documents and whole wire messages for tests, written the way one reads them:
//
//   const auto find = op_msg_message({{"find", "things"}, {"filter", document{{"_id", 1}}}, {"$db", "shop"}});
//
// Built with bson_builder only, so that modules which do not link libbson can use it.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/bson_builder.hpp"
#include "protocol/reply.hpp"

namespace mongocached::test_support {

using protocol::bson_type;
using protocol::bson_view;
using protocol::byte_buffer;
using protocol::byte_view;

struct value;

// An owned document. Give it to a field, or take its view (which lives as long as the document).
class document {
 public:
  using field = std::pair<std::string_view, value>;

  document();
  document(std::initializer_list<field> fields);
  explicit document(byte_buffer bytes) : bytes_(std::move(bytes)) {}

  [[nodiscard]] const byte_buffer& bytes() const { return bytes_; }
  [[nodiscard]] bson_view view() const { return bson_view::parse(bytes_).value_or(bson_view{}); }

 private:
  byte_buffer bytes_;
};

class array {
 public:
  array(std::initializer_list<value> items);
  explicit array(byte_buffer bytes) : bytes_(std::move(bytes)) {}
  [[nodiscard]] const byte_buffer& bytes() const { return bytes_; }

 private:
  byte_buffer bytes_;
};

struct null_value {};
struct date {
  std::int64_t milliseconds;
};
struct timestamp {
  std::uint64_t value;
};
struct object_id {
  std::uint8_t bytes[12];
};
struct binary {
  std::uint8_t subtype;
  byte_buffer bytes;
};
// A value given by its bytes, for types without a helper and for malformed values.
struct raw_value {
  bson_type type;
  byte_buffer bytes;
};

struct value {
  bson_type type;
  byte_buffer bytes;

  value(int number) : value(bson_type::int32, static_cast<std::int32_t>(number)) {}         // NOLINT: reads as JSON
  value(long number) : value(bson_type::int64, static_cast<std::int64_t>(number)) {}        // NOLINT
  value(long long number) : value(bson_type::int64, static_cast<std::int64_t>(number)) {}   // NOLINT
  value(double number) : value(bson_type::float64, number) {}                               // NOLINT
  value(bool flag) : value(bson_type::boolean, static_cast<std::uint8_t>(flag ? 1 : 0)) {}  // NOLINT
  value(date at) : value(bson_type::date, at.milliseconds) {}                               // NOLINT
  value(timestamp at) : value(bson_type::timestamp, at.value) {}                            // NOLINT
  value(object_id id) : value(bson_type::object_id, id) {}                                  // NOLINT
  value(null_value) : type(bson_type::null) {}                                              // NOLINT
  value(const document& inner) : type(bson_type::document), bytes(inner.bytes()) {}         // NOLINT
  value(const array& inner) : type(bson_type::array), bytes(inner.bytes()) {}               // NOLINT
  value(raw_value raw) : type(raw.type), bytes(std::move(raw.bytes)) {}                     // NOLINT
  value(const char* text) : value(std::string_view(text)) {}                                // NOLINT
  value(const std::string& text) : value(std::string_view(text)) {}                         // NOLINT
  value(std::string_view text) : value(bson_type::string, static_cast<std::int32_t>(text.size() + 1)) {  // NOLINT
    bytes.insert(bytes.end(), text.begin(), text.end());
    bytes.push_back(0);
  }
  value(const binary& data) : value(bson_type::binary, static_cast<std::int32_t>(data.bytes.size())) {  // NOLINT
    bytes.push_back(data.subtype);
    bytes.insert(bytes.end(), data.bytes.begin(), data.bytes.end());
  }

 private:
  template <class T>
  value(bson_type t, T plain) : type(t), bytes(sizeof plain) {
    std::memcpy(bytes.data(), &plain, sizeof plain);
  }
};

inline document::document() : document(std::initializer_list<field>{}) {}

inline document::document(std::initializer_list<field> fields) {
  protocol::bson_builder builder(bytes_);
  for (const auto& [name, content] : fields) builder.append_value(content.type, name, content.bytes);
}

inline array::array(std::initializer_list<value> items) {
  protocol::bson_builder builder(bytes_);
  std::size_t index = 0;
  for (const auto& item : items) builder.append_value(item.type, std::to_string(index++), item.bytes);
}

struct message_options {
  std::int32_t request_id = 1;
  std::int32_t response_to = 0;
  std::uint32_t flags = 0;
};

struct sequence {
  std::string_view name;
  std::vector<document> documents;
};

// Corrects the length field after a test changed the message's size.
inline void fix_length(byte_buffer& message) {
  protocol::store_le(message.data(), static_cast<std::int32_t>(message.size()));
}

inline void append_sequence(byte_buffer& message, const sequence& section) {
  message.push_back(1);
  const auto start = message.size();
  message.resize(start + 4);
  message.insert(message.end(), section.name.begin(), section.name.end());
  message.push_back(0);
  for (const auto& item : section.documents) message.insert(message.end(), item.bytes().begin(), item.bytes().end());
  protocol::store_le(message.data() + start, static_cast<std::int32_t>(message.size() - start));
  fix_length(message);
}

// A whole OP_MSG: kind-0 section, then the kind-1 sections in the order given.
inline byte_buffer op_msg_message(const document& body, message_options options = {},
                                  const std::vector<sequence>& sequences = {}) {
  byte_buffer message;
  protocol::append_op_msg(message, options.request_id, options.response_to, options.flags, body.view());
  for (const auto& section : sequences) append_sequence(message, section);
  return message;
}

// The same message with checksumPresent and the checksum behind it.
inline byte_buffer with_checksum(byte_buffer message) {
  message[protocol::header_size] |= protocol::op_msg_flags::checksum_present;
  message.resize(message.size() + 4);
  fix_length(message);
  const auto covered = byte_view(message).first(message.size() - 4);
  protocol::store_le(message.data() + message.size() - 4, protocol::crc32c(covered));
  return message;
}

inline byte_buffer op_query_message(const document& query, message_options options = {},
                                    std::string_view collection = "admin.$cmd") {
  byte_buffer message(protocol::header_size + 4);
  protocol::write_header(message.data(), {.length = 0,
                                          .request_id = options.request_id,
                                          .response_to = options.response_to,
                                          .code = protocol::opcode::query});
  protocol::store_le(message.data() + protocol::header_size, options.flags);
  message.insert(message.end(), collection.begin(), collection.end());
  message.push_back(0);
  message.insert(message.end(), {0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff});  // skip 0, return -1
  message.insert(message.end(), query.bytes().begin(), query.bytes().end());
  fix_length(message);
  return message;
}

// The value that a test takes for granted. Where there is none the test fails by the exception.
template <class T>
T must(std::optional<T> wanted) {
  if (!wanted) throw std::logic_error("a value that the test relies on is absent");
  return *std::move(wanted);
}

inline protocol::bson_element field_in(bson_view document, std::string_view name) {
  return must(document.find(name));
}

// A copy on the heap of exactly that size, so that AddressSanitizer sees a read one byte too far.
class exact_copy {
 public:
  explicit exact_copy(byte_view bytes) : data_(new std::uint8_t[bytes.size()]), size_(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), data_.get());
  }
  [[nodiscard]] byte_view view() const { return {data_.get(), size_}; }
  [[nodiscard]] std::uint8_t* data() { return data_.get(); }

 private:
  std::unique_ptr<std::uint8_t[]> data_;
  std::size_t size_;
};

}  // namespace mongocached::test_support
