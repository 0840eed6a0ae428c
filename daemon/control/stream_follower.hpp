// The stream's thread of cluster_watch: opens the change stream, applies batch after batch, and gets over what fails
// (coherence C1, C2, G2). Included by cluster_watch.cpp alone.
#pragma once

#include <condition_variable>
#include <mutex>
#include <random>

#include "cache/stream_position.hpp"
#include "daemon/backoff.hpp"
#include "daemon/control/cluster_link.hpp"
#include "daemon/control/stream_commands.hpp"

namespace mongocached::daemon {

class stream_follower {
 public:
  stream_follower(cluster_source& source, const watch_options& options, const watch_events& events)
      : events_(events),
        retry_refused_(options.retry_refused),
        await_(options.await),
        max_document_(options.max_document),
        link_(source) {}

  void run() noexcept;  // until stop()
  void stop();          // any thread
  void restart();       // any thread
  // Any thread. What is part of the stream's command has it opened anew where it stands: nothing is missed.
  void renew(const watch_options& options);

 private:
  // Why following ended.
  struct ending {
    stream_trouble trouble = stream_trouble::lost;
    std::string reason;
    bool interrupted = false;  // stop(), restart() or renew(): no trouble
  };

  ending follow();
  std::optional<ending> prepare(hello_reply& hello);
  std::optional<ending> read_on();
  std::optional<ending> apply(const cursor_batch& batch, bool opening = false);
  void note_opened(const cursor_batch& first, const hello_reply& hello);
  void get_over(ending end);
  void simplify_request(ending end);
  void report(stream_state state, const std::string& reason) noexcept;
  void start_anew();
  ending failure(const link_error& error) const;

  [[nodiscard]] bool interrupted();
  [[nodiscard]] bool stopping();
  bool take_restart();
  std::uint64_t take_max_document();
  std::chrono::milliseconds await_time();
  void wait(std::chrono::milliseconds time);
  void back_off();
  void back_off_denied();

  const watch_events& events_;
  const std::chrono::milliseconds retry_refused_;

  std::mutex guard_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool restarting_ = false;
  bool reopening_ = false;  // with another command, where it stands
  std::chrono::milliseconds await_;
  std::uint64_t max_document_;

  // The thread's own.
  cluster_link link_;
  link_reply reply_;
  stream_request request_ = stream_request::expanded;
  std::int32_t wire_version_ = -1;
  bool begun_ = false;         // begin() was asked for start_
  bool opened_ = false;        // since begin()
  bool time_accepted_ = true;  // the server knows startAtOperationTime
  stream_start start_;         // where the next opening goes on
  cache::stream_position position_;
  std::int64_t cursor_ = 0;
  bool behind_events_ = false;  // the batch before this one held events, or opened the stream
  std::optional<stream_state> reported_;
  std::string reported_reason_;
  backoff backoff_{std::chrono::milliseconds(50), std::chrono::milliseconds(2000)};
  // A password that is wrong is not shown to the server more often.
  backoff denied_backoff_{std::chrono::milliseconds(500), std::chrono::milliseconds(10'000)};
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace mongocached::daemon
