#include "cache/store/resp.hpp"

#include <hiredis/read.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <new>

namespace mongocached::cache {
namespace {

// "*3\r\n", "$12\r\n".
struct header_line {
  header_line(char type, std::size_t count) noexcept {
    text[0] = type;
    char* end = std::to_chars(text.data() + 1, text.data() + text.size() - 2, count).ptr;
    *end++ = '\r';
    *end++ = '\n';
    size = static_cast<std::size_t>(end - text.data());
  }
  std::array<char, 24> text;
  std::size_t size;
};

}  // namespace

resp_command::resp_command(byte_buffer& out, std::size_t arguments) : out_(out) {
  const header_line line('*', arguments);
  const auto bytes = protocol::as_bytes({line.text.data(), line.size});
  out.insert(out.end(), bytes.begin(), bytes.end());
}

resp_command& resp_command::arg(std::string_view text) {
  const header_line line('$', text.size());
  const auto at = out_.size();
  out_.resize(at + line.size + text.size() + 2);
  auto* to = out_.data() + at;
  std::memcpy(to, line.text.data(), line.size);
  to += line.size;
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  std::memcpy(to + text.size(), "\r\n", 2);
  return *this;
}

resp_command& resp_command::arg(std::int64_t number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  return arg(std::string_view(digits, static_cast<std::size_t>(end - digits)));
}

void append_command(byte_buffer& out, std::span<const std::string_view> arguments) {
  resp_command command(out, arguments.size());
  for (const auto argument : arguments) command.arg(argument);
}

// hiredis walks the bytes and calls back for each value; the tree is built in `root`, which it never owns. A callback
// that answers null ends the reply with an error. No exception may pass through hiredis, which is C.
struct resp_reader::parser {
  explicit parser(const resp_limits& limits) : limits_(limits) {
    static redisReplyObjectFunctions functions = {create_string, create_array, create_integer, create_nil, free_object};
    reader_ = redisReaderCreateWithFunctions(&functions);
    if (reader_ == nullptr) throw std::bad_alloc();
    reader_->privdata = this;
    reader_->maxbuf = 262'144;  // kept between replies
  }
  ~parser() { redisReaderFree(reader_); }
  parser(const parser&) = delete;
  parser& operator=(const parser&) = delete;

  // The place for the value that `task` describes, or null.
  static resp_value* place(const redisReadTask* task, resp_type type, std::size_t size) noexcept {
    auto& self = *static_cast<parser*>(task->privdata);
    self.bytes_ += size;
    if (++self.elements_ > self.limits_.elements || self.bytes_ > self.limits_.total) return nullptr;
    try {
      resp_value* value = &self.root_;
      if (task->parent != nullptr) value = &static_cast<resp_value*>(task->parent->obj)->elements.emplace_back();
      value->type = type;
      return value;
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
  }

  static void* create_string(const redisReadTask* task, char* text, size_t size) noexcept {
    const auto type = task->type == REDIS_REPLY_STATUS  ? resp_type::status
                      : task->type == REDIS_REPLY_ERROR ? resp_type::error
                                                        : resp_type::bulk;
    if (size > static_cast<parser*>(task->privdata)->limits_.bulk) return nullptr;
    auto* value = place(task, type, size);
    if (value == nullptr) return nullptr;
    try {
      const auto bytes = protocol::as_bytes({text, size});
      value->bytes.assign(bytes.begin(), bytes.end());
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
    return value;
  }

  static void* create_array(const redisReadTask* task, int count) noexcept {
    const auto& limits = static_cast<parser*>(task->privdata)->limits_;
    int depth = 1;
    for (const auto* at = task->parent; at != nullptr; at = at->parent) ++depth;
    if (depth > limits.depth || static_cast<std::size_t>(count) > limits.elements) return nullptr;
    auto* value = place(task, resp_type::array, 0);
    if (value == nullptr) return nullptr;
    try {
      value->elements.reserve(std::min<std::size_t>(static_cast<std::size_t>(count), 64));
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
    return value;
  }

  static void* create_integer(const redisReadTask* task, long long number) noexcept {
    auto* value = place(task, resp_type::integer, 0);
    if (value != nullptr) value->integer = number;
    return value;
  }

  static void* create_nil(const redisReadTask* task) noexcept { return place(task, resp_type::nil, 0); }
  static void free_object(void*) noexcept {}

  // hiredis buffers whatever length a peer announces, and a line without an end; called when it wants more bytes.
  [[nodiscard]] bool within_limits() const noexcept {
    if (reader_->ridx < 0) return true;
    const auto waiting = reader_->len - reader_->pos;
    if (reader_->rstack[reader_->ridx].type != REDIS_REPLY_STRING) return waiting <= limits_.line;
    const std::string_view head(reader_->buf + reader_->pos, std::min<std::size_t>(waiting, 24));
    std::size_t size = 0;
    const auto [end, error] = std::from_chars(head.data(), head.data() + head.size(), size);
    if (error == std::errc::result_out_of_range) return false;
    if (end == head.data() + head.size()) return head.size() < 24;  // still reading the length
    return error != std::errc() ? head.size() < 24 : size <= limits_.bulk;
  }

  resp_limits limits_;
  redisReader* reader_ = nullptr;
  resp_value root_;
  std::size_t elements_ = 0;
  std::size_t bytes_ = 0;
};

resp_reader::resp_reader(const resp_limits& limits) : parser_(std::make_unique<parser>(limits)) {}
resp_reader::~resp_reader() = default;

void resp_reader::feed(byte_view bytes) {
  if (!error_.empty() || bytes.empty()) return;
  if (redisReaderFeed(parser_->reader_, reinterpret_cast<const char*>(bytes.data()), bytes.size()) != REDIS_OK) {
    error_ = "no memory for a reply";
  }
}

resp_reader::progress resp_reader::next(resp_value& out) {
  if (!error_.empty()) return progress::broken;
  void* reply = nullptr;
  if (redisReaderGetReply(parser_->reader_, &reply) != REDIS_OK) {
    error_ = parser_->reader_->err == REDIS_ERR_OOM ? "a reply beyond the limits" : "a malformed reply";
    return progress::broken;
  }
  if (reply == nullptr) {
    if (parser_->within_limits()) return progress::more;
    error_ = "a reply beyond the limits";
    return progress::broken;
  }
  out = std::move(parser_->root_);
  parser_->root_ = resp_value{};
  parser_->elements_ = 0;
  parser_->bytes_ = 0;
  return progress::value;
}

}  // namespace mongocached::cache
