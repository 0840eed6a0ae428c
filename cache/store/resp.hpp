// The Redis protocol (RESP2): commands out, replies in. The only place that knows hiredis.
//
// Replies come from a peer that may be anything: sizes, counts and depth are bounded, and after the first violation the
// reader is `broken` for good; its connection must be closed.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/bytes.hpp"

namespace mongocached::cache {

using protocol::byte_buffer;
using protocol::byte_view;

// Appends one command, argument by argument: exactly `arguments` calls of arg() must follow the constructor.
class resp_command {
 public:
  resp_command(byte_buffer& out, std::size_t arguments);
  resp_command& arg(std::string_view text);
  resp_command& arg(byte_view bytes) { return arg(protocol::as_text(bytes)); }
  resp_command& arg(std::int64_t number);

 private:
  byte_buffer& out_;
};

void append_command(byte_buffer& out, std::span<const std::string_view> arguments);

enum class resp_type : std::uint8_t { nil, status, error, integer, bulk, array };

struct resp_value {
  resp_type type = resp_type::nil;
  std::int64_t integer = 0;
  byte_buffer bytes;                 // status, error, bulk
  std::vector<resp_value> elements;  // array

  [[nodiscard]] std::string_view text() const noexcept { return protocol::as_text(bytes); }
  [[nodiscard]] bool is_error() const noexcept { return type == resp_type::error; }
};

struct resp_limits {
  std::size_t bulk = 48'000'000;    // one string; also what a MongoDB message may be
  std::size_t line = 65'536;        // a status, an error, a number
  std::size_t elements = 262'144;   // of one reply, nested ones included
  std::size_t total = 256'000'000;  // bytes of one reply
  int depth = 4;                    // arrays in arrays; never above 7
};

class resp_reader {
 public:
  enum class progress : std::uint8_t { value, more, broken };

  explicit resp_reader(const resp_limits& limits = {});
  ~resp_reader();
  resp_reader(const resp_reader&) = delete;
  resp_reader& operator=(const resp_reader&) = delete;

  // Takes a copy. Best fed in slices of some kilobytes, next() being called until `more` between them: what is left is
  // moved after each reply.
  void feed(byte_view bytes);
  [[nodiscard]] progress next(resp_value& out);
  // Of a broken reader: why.
  [[nodiscard]] std::string_view error() const noexcept { return error_; }

 private:
  struct parser;
  std::unique_ptr<parser> parser_;
  std::string error_;
};

}  // namespace mongocached::cache
