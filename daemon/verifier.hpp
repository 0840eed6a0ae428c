// The built-in verifier: a small share of the hits is compared with what the upstream says, in the background, so that
// "never wrong" is measured where the program runs and not only in its tests.
//
// A difference is no alarm yet: the document may have been written since. Once the change stream covers the moment of
// the second reading, an entry that nothing has invalidated and that still differs is wrong: `mismatch`, logged as an
// error, and dropped here and in Redis. `stale`: it was written before the answer was given, within what the mode
// promises; how old it was at most goes to mongocached_staleness_seconds. `unclear`: written since, or the upstream
// gave no answer.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "daemon/metrics.hpp"
#include "daemon/process.hpp"

namespace mongocached::daemon {

// A hit as it was served.
struct served_hit {
  std::string db;
  protocol::byte_buffer command;  // the find to ask again: without session, times and read preference
  protocol::byte_buffer batch;    // the documents that the client was given; a BSON array
  std::vector<cache::entry_ref> entries;
  cache::namespace_state* ns = nullptr;
  cache::key_kind kind = cache::key_kind::document;
  cache::reader who;
  cache::instant at{};            // when it was served
  cache::instant covered{};       // until when everything was known then (cache::gate)
  cache::cluster_time known = 0;  // newest operationTime seen until then
};

// Copies what asking again takes; empty if the reply cannot be read.
[[nodiscard]] std::optional<served_hit> remember_hit(const protocol::command_view& command, protocol::byte_view reply,
                                                     std::span<const cache::entry_ref> entries);

// The judgement alone, apart from threads and sockets. Blocks in `ask` and `wait`.
class hit_judge {
 public:
  // What the upstream says now: a BSON array; empty: no answer.
  using upstream = std::function<std::optional<protocol::byte_buffer>(const served_hit&)>;
  // Returns once the stream covers this moment; false: not within a few seconds, or it never will.
  using stream = std::function<bool(cache::instant)>;

  hit_judge(cache::coherence& state, upstream ask, stream wait, std::function<cache::instant()> now)
      : state_(state), ask_(std::move(ask)), wait_(std::move(wait)), now_(std::move(now)) {}

  struct verdict {
    verification result = verification::unclear;
    cache::duration staleness{};  // of `stale` and `mismatch`: at most
  };
  [[nodiscard]] verdict judge(const served_hit& hit);

 private:
  [[nodiscard]] bool is_overtaken(const served_hit& hit) const;
  [[nodiscard]] verdict judge_overtaken(const served_hit& hit) const;
  void drop(const served_hit& hit);

  cache::coherence& state_;
  const upstream ask_;
  const stream wait_;
  const std::function<cache::instant()> now_;
};

class verifier {
 public:
  // `tell_redis` drops there what was found to be wrong; called on the verifier's thread, must not block.
  verifier(process& shared, const upstream_uri& upstream, std::function<void(cache::invalidation)> tell_redis);
  ~verifier();
  verifier(const verifier&) = delete;
  verifier& operator=(const verifier&) = delete;

  // Any thread; never blocks. Beyond a few that wait, a hit is not verified.
  void verify(served_hit hit);
  [[nodiscard]] const thread_metrics& metrics() const noexcept;
  // Nothing more is verified; returns at once. The owner's thread, as stop().
  void ask_to_stop();
  // Waits for the thread, at most a second from ask_to_stop() on; one that waits for the upstream longer is left to end
  // by itself.
  void stop();

 private:
  class work;
  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace mongocached::daemon
