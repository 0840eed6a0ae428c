// Asks the cluster for its fingerprint (cluster_identity), under the proxy's own user, until there is an answer.
//
// A thread of its own with libmongoc's blocking calls, and connections only while a question is open. libmongoc stays
// out of this header.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "daemon/control/upstream_uri.hpp"

namespace mongocached::daemon {

struct fingerprint_answer {
  std::uint64_t question = 0;  // the newest when the cluster was asked
  std::string fingerprint;     // "": the cluster has none, or refuses it to this user
  std::string why_none;
};

// Called on the inquiry's thread, never after the destructor has returned. Must be quick, must not throw, must not
// destroy the inquiry; may call ask(). No text holds a password.
struct inquiry_events {
  std::function<void(const fingerprint_answer&)> answered;
  // No answer yet; told when the reason changes.
  std::function<void(const std::string& reason)> delayed;
};

struct inquiry_options {
  std::chrono::milliseconds connect_timeout{5000};  // where the URI names none
  std::chrono::milliseconds shortest_pause{100};
  std::chrono::milliseconds longest_pause{5000};
  // A password that is wrong is not shown to the server more often.
  std::chrono::milliseconds refused_pause{5000};
};

class fingerprint_inquiry {
 public:
  fingerprint_inquiry(const upstream_uri& uri, const inquiry_options& options, inquiry_events events);
  // Ends within a second whatever the network does: a call that still hangs is left to end by itself.
  ~fingerprint_inquiry();
  fingerprint_inquiry(const fingerprint_inquiry&) = delete;
  fingerprint_inquiry& operator=(const fingerprint_inquiry&) = delete;

  // From now on nobody is told anything, and the time that the destructor waits runs.
  void ask_to_stop();

  // Asks, and again if a question is open that was sent before. Returns the question's number, which grows.
  // Thread-safe, never blocks.
  std::uint64_t ask();

 private:
  class impl;
  std::shared_ptr<impl> impl_;
};

}  // namespace mongocached::daemon
