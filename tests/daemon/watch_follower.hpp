// Follows a cluster_watch for a test: each kind of news in a queue of its own, and waits with a deadline for what the
// test expects.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>

#include "daemon/control/cluster_watch.hpp"

namespace mongocached::daemon::testing {

inline upstream_uri parse(const std::string& text) {
  std::string error;
  auto uri = parse_upstream_uri(text, error);
  if (!uri) throw std::runtime_error(error);
  return *uri;
}

struct seen_batch {
  std::vector<std::int64_t> deleted;  // ids
  protocol::byte_buffer token;
  cache::cluster_time position = 0;
};

// Follows a watch: each kind of news in a queue of its own.
class follower {
 public:
  static watch_options quick() {
    watch_options options;
    options.sample_period = std::chrono::milliseconds(20);
    options.await = std::chrono::milliseconds(100);
    options.retry_refused = std::chrono::milliseconds(50);
    return options;
  }

  explicit follower(const std::string& uri, protocol::byte_buffer begin = {}, const watch_options& options = quick())
      : begin_(std::move(begin)) {
    watch_events events;
    events.begin = [this] {
      const std::lock_guard lock(guard_);
      ++begins_;
      return begin_;
    };
    events.state = [this](stream_state s, const std::string& reason) {
      put(states_, std::pair(s, reason));
      const std::lock_guard lock(guard_);
      last_ = std::string(name_of(s)) + ": " + reason;
    };
    events.batch = [this](const stream_batch& b) { take(b); };
    events.sample = [this](const cluster_sample& s) { put(samples_, s); };
    events.no_sample = [this](const std::string& reason) { put(gaps_, reason); };
    watch_ = std::make_unique<cluster_watch>(parse(uri), options, std::move(events));
  }

  // The reason of the first `wanted` state among those not yet looked at.
  std::string state(stream_state wanted) {
    return find(states_, [=](const auto& s) { return s.first == wanted; }).second;
  }

  template <class Predicate>
  seen_batch batch(Predicate wanted) {
    return find(batches_, wanted);
  }
  seen_batch batch_at(cache::cluster_time position) {
    return batch([=](const seen_batch& b) { return b.position == position; });
  }
  seen_batch batch_with_events() {
    return batch([](const seen_batch& b) { return !b.deleted.empty(); });
  }
  template <class Predicate>
  cluster_sample sample(Predicate wanted) {
    return find(samples_, wanted);
  }
  std::string gap() {
    return find(gaps_, [](const std::string&) { return true; });
  }
  int begins() {
    const std::lock_guard lock(guard_);
    return begins_;
  }
  void begin_with(protocol::byte_buffer position) {
    const std::lock_guard lock(guard_);
    begin_ = std::move(position);
  }
  void fail_next_batch() {
    const std::lock_guard lock(guard_);
    fail_next_ = true;
  }
  cluster_watch& watch() { return *watch_; }

 private:
  template <class T>
  void put(std::deque<T>& queue, T what) {
    const std::lock_guard lock(guard_);
    queue.push_back(std::move(what));
    changed_.notify_all();
  }

  void take(const stream_batch& b) {
    seen_batch seen{{}, protocol::byte_buffer(b.token.begin(), b.token.end()), b.position};
    for (const auto& raw : b.events) {
      const auto event = cache::read_change_event(raw);
      EXPECT_EQ(event.what, cache::change_kind::deleted);
      seen.deleted.push_back(event.id ? event.id->integer().value_or(-1) : -1);
    }
    {
      const std::lock_guard lock(guard_);
      if (fail_next_ && !seen.deleted.empty()) {
        fail_next_ = false;
        throw std::runtime_error("cannot apply");
      }
    }
    put(batches_, std::move(seen));
  }

  template <class T, class Predicate>
  T find(std::deque<T>& queue, Predicate wanted) {
    std::unique_lock lock(guard_);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (true) {
      while (!queue.empty()) {
        T next = std::move(queue.front());
        queue.pop_front();
        if (wanted(next)) return next;
      }
      if (changed_.wait_until(lock, deadline) == std::cv_status::timeout) {
        throw std::runtime_error("what the test waits for did not come; last: " + last_);
      }
    }
  }

  std::mutex guard_;
  std::condition_variable changed_;
  protocol::byte_buffer begin_;
  int begins_ = 0;
  std::string last_;  // state and reason
  bool fail_next_ = false;
  std::deque<std::pair<stream_state, std::string>> states_;
  std::deque<seen_batch> batches_;
  std::deque<cluster_sample> samples_;
  std::deque<std::string> gaps_;
  std::unique_ptr<cluster_watch> watch_;  // last: its threads end before what they use
};

}  // namespace mongocached::daemon::testing
