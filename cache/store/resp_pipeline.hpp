// The order of things on one Redis connection, without the connection: requests whose replies are awaited, first in,
// first out.
//
// A request is one or more commands appended to output() and then submit(); its handler is called once with all their
// replies, or with `timeout`, or with `closed`. Replies come in order and carry no name, so that a timed-out request
// keeps its place: its replies are dropped when they come - or, if it asked for `late` ones, handed to the same handler
// a second time. Pure: bytes and time are passed in. Not thread-safe. Handlers may submit, close() or discard(), but
// not destroy the pipeline.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "cache/store/resp.hpp"
#include "cache/time.hpp"

namespace mongocached::cache {

enum class reply_outcome : std::uint8_t { reply, timeout, closed };

struct reply {
  reply_outcome outcome = reply_outcome::closed;
  bool late = false;             // the handler has been told `timeout` before
  duration elapsed{};            // since submit()
  std::span<resp_value> values;  // one a command; the handler may move out of them
};

using reply_handler = std::function<void(const reply&)>;

struct pipeline_settings {
  duration timeout = std::chrono::milliseconds(20);
  std::size_t max_pending = 100'000;    // requests
  std::size_t max_output = 64'000'000;  // bytes not written yet
  resp_limits limits;
  // For a connection that is to SUBSCRIBE: arrays "message", channel, message come here, at any time and in no
  // request's place. Views are good until it returns; it may do what a handler may. Empty: such arrays are replies like
  // any other.
  std::function<void(byte_view channel, byte_view message)> on_message;
};

class resp_pipeline {
 public:
  explicit resp_pipeline(const pipeline_settings& settings);

  [[nodiscard]] byte_buffer& output() noexcept { return output_; }
  // Nothing may be submitted while true.
  [[nodiscard]] bool full() const noexcept;
  void submit(instant now, unsigned replies, reply_handler done, bool late = false);

  // Bytes from the peer. False: close the connection, error() says why.
  [[nodiscard]] bool feed(byte_view bytes, instant now);
  [[nodiscard]] const std::string& error() const noexcept { return error_; }

  // Called every tick() while busy: answers `timeout` where one is due before the next tick.
  void expire(instant now);
  [[nodiscard]] duration tick() const noexcept { return settings_.timeout / 4; }
  [[nodiscard]] bool busy() const noexcept { return !pending_.empty(); }
  // No reply for ten timeouts although one is awaited: close the connection.
  [[nodiscard]] bool stuck(instant now) const noexcept;

  // The connection is gone: answers `closed` to everyone still waiting (late ones too) and starts afresh.
  void close();
  // As close(), but handlers are destroyed without a call.
  void discard();

 private:
  struct pending {
    instant started;
    unsigned replies;
    bool late;
    bool expired;
    reply_handler done;
  };

  bool take_replies(instant now);
  [[nodiscard]] bool is_message(const resp_value& value) const noexcept;
  void restart();

  pipeline_settings settings_;
  byte_buffer output_;
  std::deque<pending> pending_;
  std::size_t expired_ = 0;  // how many at the front have been told `timeout`
  std::unique_ptr<resp_reader> reader_;
  std::vector<resp_value> collected_;  // replies of the front request
  instant last_reply_{};
  std::uint64_t era_ = 0;  // of the connection; a handler may have ended it
  std::string error_;
};

}  // namespace mongocached::cache
