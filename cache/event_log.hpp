// The stream's recent events, kept so that a list which was read a while ago can still be judged (coherence R3): it is
// as good as new if none of the events since its L may have changed it.
//
// Bounded in bytes: the oldest events go, and lists from before them cannot be judged any more. Events come in the
// order of their times, but for repetitions after a resume, which are left out. Any thread.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "cache/change_event.hpp"
#include "cache/list_registry.hpp"

namespace mongocached::cache {

class event_log {
 public:
  explicit event_log(std::size_t max_bytes = 8UL << 20) : max_bytes_(max_bytes) {}

  // `raw` is the event's own BSON.
  void add(const change_event& event, protocol::bson_view raw);
  // All events behind `from` are going to be added; what was known before is void.
  void begin(cluster_time from);
  // Nothing is known to be whole.
  void clear();
  // Every event on the list's namespace behind its L is here, and none of them may have changed it.
  [[nodiscard]] bool leaves_alone(const entry& list) const;

 private:
  struct record {
    cluster_time time;
    std::string ns;  // empty: may concern any
    byte_buffer raw;
  };
  // More events than this since its L: the list is not judged.
  static constexpr std::size_t max_judged = 200;

  const std::size_t max_bytes_;
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<const record>> records_;
  std::size_t bytes_ = 0;
  cluster_time newest_ = 0;
  bool whole_ = false;
  cluster_time whole_from_ = 0;
};

// What an event means to the lists of its namespace.
[[nodiscard]] list_write list_write_of(const change_event& event) noexcept;

}  // namespace mongocached::cache
