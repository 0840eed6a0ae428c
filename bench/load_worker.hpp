// One thread of the load generator: its connections, one request at a time on each, driven by one level-triggered
// epoll.
//
// Closed loop: a connection sends its next request as soon as the last one is answered. Open loop: request i is due at
// start + i / rate, goes out on the first connection that is free, and its latency counts from when it was due, so that
// a stall of the server shows in every request it delayed (no coordinated omission).
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "bench/histogram.hpp"
#include "bench/key_picker.hpp"
#include "bench/load_options.hpp"
#include "bench/request_writer.hpp"

namespace mongocached::bench {

using load_clock = std::chrono::steady_clock;

struct load_result {
  histogram latencies;  // nanoseconds
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t tops = 0;
  std::uint64_t unsent = 0;  // open loop: due before the end and never sent, because every connection was waiting
  std::uint64_t all = 0;     // replies of all phases, warm-up included
  std::uint64_t errors = 0;  // of all phases, warm-up included
  std::string first_error;
  double seconds = 0;      // from the first request to the last reply
  double cpu_seconds = 0;  // of this thread meanwhile

  void merge(const load_result& other);
};

class load_worker {
 public:
  // `options` and `shares` outlive the worker. `index` of options.threads.
  load_worker(const load_options& options, std::shared_ptr<const std::vector<double>> shares, unsigned index);
  ~load_worker();

  void connect();   // throws if a connection cannot be made or greeted
  void populate();  // this thread's first connection writes everything
  void warm_up();   // this thread's part of the key space once, then by time
  [[nodiscard]] load_result measure();

 private:
  struct client;
  struct phase;

  void drive(phase& p);
  void start_due(phase& p);
  [[nodiscard]] bool has_free_client() const noexcept {
    return !idle_.empty() && (options_.in_flight == 0 || in_flight_ < options_.in_flight);
  }
  void start(phase& p, client& c, load_clock::time_point intended);
  void receive(phase& p, client& c);
  void receive_once(phase& p, client& c);
  void lose(client& c, const std::string& why);
  void lose_all(const std::string& why);
  void count_error(const std::string& why);

  const load_options& options_;
  unsigned index_;
  tls_context tls_;  // null: plain
  key_picker keys_;
  unique_fd epoll_;
  std::vector<std::unique_ptr<client>> clients_;
  std::deque<client*> idle_;  // they take turns
  std::size_t in_flight_ = 0;
  load_clock::time_point last_reply_;
  load_result result_;
};

}  // namespace mongocached::bench
