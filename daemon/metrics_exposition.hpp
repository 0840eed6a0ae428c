// The text of GET /metrics: all threads' blocks summed, and gauges as they are passed in. Every name and label value of
// the interface page is there from the first scrape on, as zero. prometheus-cpp stays out of this header.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/control/cluster_watch.hpp"
#include "daemon/metrics.hpp"
#include "daemon/process_stats.hpp"

namespace mongocached::daemon {

struct cache_gauges {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::uint64_t limit_bytes = 0;
  std::uint64_t evictions = 0;
  std::uint64_t expired = 0;
  std::uint64_t refused = 0;
  std::uint64_t list_key_bytes = 0;
};

struct redis_gauges {
  bool up = false;  // false, too, where none is configured
  std::uint64_t commands = 0;
  std::uint64_t errors = 0;  // error replies, timeouts, lost connections
  bool subscribed = false;
  bool configured = false;
};

struct stream_gauges {
  bool up = false;
  std::optional<stream_state> state{};  // none: no collection's mode asks for the stream
  double lag_seconds = 0;               // since the newest position; not a number: not known
  std::uint64_t events = 0;
};

struct load_gauges {
  std::uint64_t buffered_bytes = 0;
  std::uint64_t buffered_limit_bytes = 0;
  std::uint64_t in_flight = 0;
};

struct certificate_gauge {
  const char* side;     // "listen", "upstream"
  double ends_seconds;  // since 1970
};

struct exposition_input {
  std::string version;
  std::span<const thread_metrics* const> blocks;  // of data threads and of any other thread that counts
  cache_gauges cache;
  redis_gauges redis;
  stream_gauges stream;
  load_gauges load;
  std::vector<certificate_gauge> certificates;  // those that we show; without TLS none
  bool upstream_up = false;
  std::uint64_t log_lines_dropped = 0;
  process_stats process;
};

// Prometheus text format 0.0.4.
[[nodiscard]] std::string expose(const exposition_input& input);

}  // namespace mongocached::daemon
