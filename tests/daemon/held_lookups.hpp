// Look-ups of host names that a test holds back and answers.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

#include "daemon/name_lookup.hpp"

namespace mongocached::daemon::testing {

inline name_lookup::answer found(const char* address) {
  return {{}, {asio::ip::make_address(address)}};
}

// The system's part: every look-up hangs until the test answers it. Shared with the threads, which may outlive a test.
class held_lookups {
 public:
  name_lookup::answer resolve(const std::string& host) {
    std::unique_lock lock(guard_);
    ++begun_[host];
    changed_.notify_all();
    changed_.wait(lock, [&] { return released_ || !answers_[host].empty(); });
    if (answers_[host].empty()) return {asio::error::operation_aborted, {}};
    auto out = std::move(answers_[host].front());
    answers_[host].pop_front();
    return out;
  }
  // The next one of this host, or the one that hangs.
  void give(const std::string& host, name_lookup::answer what) {
    const std::scoped_lock lock(guard_);
    answers_[host].push_back(std::move(what));
    changed_.notify_all();
  }
  void wait_until_begun(const std::string& host, int times = 1) {
    std::unique_lock lock(guard_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(10), [&] { return begun_[host] >= times; })) << host;
  }
  int begun(const std::string& host) {
    const std::scoped_lock lock(guard_);
    return begun_[host];
  }
  void release() {
    const std::scoped_lock lock(guard_);
    released_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex guard_;
  std::condition_variable changed_;
  std::map<std::string, int> begun_;
  std::map<std::string, std::deque<name_lookup::answer>> answers_;
  bool released_ = false;
};

}  // namespace mongocached::daemon::testing
