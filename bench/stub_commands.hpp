// What the stub upstream answers: the commands that drivers and a caching proxy send to a one-member replica set, as
// far as a benchmark needs them. It stores nothing: a look-up by _id finds a document of that _id, whatever it is.
//
// Its clock stands still but for writes (so that nothing but the benchmark's own writes moves it), and its change
// stream delivers empty batches with the current time as high-water mark: a proxy that follows the stream is always up
// to date. Writes are not delivered as events; a proxy knows of those that passed through it.
#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "bench/find_reply.hpp"

namespace mongocached::bench {

struct stub_request;

// Shared by the threads of one stub.
struct stub_state {
  explicit stub_state(std::size_t reply_size) : find_reply(reply_size), operation_time(first_operation_time()) {}

  find_reply_writer find_reply;
  std::atomic<std::uint64_t> operation_time;
  std::string host;  // HOST:PORT, the member's own name
};

inline constexpr std::string_view stub_set_name = "stub";

// Answers of one thread's connections; holds no connection state.
class stub_commands {
 public:
  explicit stub_commands(stub_state& state) : state_(state) {}

  // Appends the reply to a whole message. Returns how many milliseconds it must be held back (a change stream's
  // getMore), with nothing appended: answer_later() builds it then. Bytes that are no command are answered with an
  // error.
  [[nodiscard]] std::optional<int> answer(protocol::byte_buffer& out, protocol::byte_view message);
  void answer_later(protocol::byte_buffer& out, std::int32_t request_id);

 private:
  void find(protocol::byte_buffer& out, const stub_request& r);
  void write(protocol::byte_buffer& out, const stub_request& r);
  void aggregate(protocol::byte_buffer& out, const stub_request& r);
  void list_collections(protocol::byte_buffer& out, const stub_request& r);
  void hello(protocol::bson_builder& reply, const stub_request& r);
  [[nodiscard]] bool simple(protocol::byte_buffer& out, const stub_request& r);

  template <class AppendFields>
  void reply(protocol::byte_buffer& out, std::int32_t request_id, AppendFields append_fields);
  void error(protocol::byte_buffer& out, std::int32_t request_id, std::int32_t code, std::string_view code_name,
             std::string_view text);
  void append_resume_token(protocol::bson_builder& cursor);

  [[nodiscard]] std::uint64_t now() const noexcept { return state_.operation_time.load(std::memory_order_relaxed); }

  stub_state& state_;
  std::string ns_;  // scratch: "db.collection" of the request at hand
  std::int32_t connection_ids_ = 0;
};

}  // namespace mongocached::bench
