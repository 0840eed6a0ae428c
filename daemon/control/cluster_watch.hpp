// What the cluster tells of itself: its change stream, and samples of the primary's time (coherence C1, C2, G1, S1).
//
// Two threads of its own with libmongoc's blocking calls, under the proxy's own user (upstream.uri). The stream is
// driven by `aggregate` and `getMore` rather than by libmongoc's change stream object, because the rules need to know
// when a getMore was sent, where a batch ended and when the stream was opened anew. libmongoc stays out of this header.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "cache/change_event.hpp"
#include "daemon/control/upstream_uri.hpp"

namespace mongocached::daemon {

struct stream_batch {
  std::span<const protocol::bson_view> events;  // validated BSON
  protocol::byte_view token;                    // resumes behind this batch; BSON document
  cache::cluster_time position = 0;             // H once the whole batch is applied (cache::stream_position)
};

enum class stream_state : std::uint8_t {
  opened,        // unbroken since the position that begin() gave, or since the one of before
  lost,          // will be resumed behind the last batch that was applied
  history_lost,  // events were missed, or the token is none: begin() is asked for another position
  refused,       // this server has no change streams; asked again once a minute
  denied,        // upstream.uri names no user, or one who cannot log in or may not; asked again within 10 s
};
[[nodiscard]] const char* name_of(stream_state s) noexcept;

struct cluster_sample {
  cache::instant sent{};                   // before the question was sent
  cache::cluster_time operation_time = 0;  // of the reply; 0: the server gives none
  cache::cluster_time majority = 0;        // lastWrite.majorityOpTime.ts; 0: none (mongos)
  std::string election;                    // electionId and setVersion as one opaque name; empty: none (mongos)
  std::string server;                      // who answered: "host:port"; empty behind mongos
  bool mongos = false;
};

// A callback that throws counts as failed: a batch is then not applied, and comes again.
struct watch_events {
  // Stream thread. The resume token to begin with; empty: from now on. Asked before the first opening and after
  // history_lost or restart().
  std::function<protocol::byte_buffer()> begin;
  // Stream thread. Told when the state or its reason changes; the reason, for `opened` how the stream is asked for,
  // holds no password.
  std::function<void(stream_state, const std::string& reason)> state;
  // Stream thread. The next batch is asked for when it returns: the back-pressure. Also for empty batches.
  // The position of a batch without events may be 0: nothing is known yet. Views live until it returns.
  std::function<void(const stream_batch&)> batch;
  // Sampling thread. A sample answered by a server that is not the primary is none.
  std::function<void(const cluster_sample&)> sample;
  std::function<void(const std::string& reason)> no_sample;
};

struct watch_options {
  std::chrono::milliseconds sample_period{125};     // max_lag / 8
  std::chrono::milliseconds await{250};             // maxAwaitTimeMS of the stream, <= max_lag / 4
  std::uint64_t max_document = 1 << 20;             // documents above it are left out of events ($bsonSize)
  std::chrono::milliseconds connect_timeout{5000};  // where the URI names none
  std::chrono::milliseconds retry_refused{60'000};
};

class cluster_watch {
 public:
  cluster_watch(const upstream_uri& uri, const watch_options& options, watch_events events);
  // Ends within about the await time, and within a second of ask_to_stop() whatever the network does: a call to a
  // server that went silent, or a look-up that hangs, is left to end by itself. Waits for a call-back in progress; none
  // follows.
  ~cluster_watch();
  cluster_watch(const cluster_watch&) = delete;
  cluster_watch& operator=(const cluster_watch&) = delete;

  // Both threads are to end; not waited for. The owner's thread.
  void ask_to_stop();

  // What is known is void (a restored or rolled-back upstream): the stream is opened anew where begin() says. Any
  // thread, callbacks too; not waited for. No batch of before comes after the one that is being applied now.
  void restart();

  // Other periods and another max_document, from now on; the await time of a getMore under way stays. The stream goes
  // on unbroken. The rest of `options` stays as it was. Any thread; not waited for.
  void renew(const watch_options& options);

 private:
  class followed;
  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace mongocached::daemon
