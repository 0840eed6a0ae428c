// What the kernel says about this process, for the process_* metrics. Linux.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mongocached::daemon {

struct process_stats {
  double cpu_seconds = 0;  // user and system, all threads
  std::uint64_t virtual_memory_bytes = 0;
  std::uint64_t resident_memory_bytes = 0;
  double start_time_seconds = 0;  // since the epoch
  std::uint64_t open_fds = 0;
  std::uint64_t max_fds = 0;
  std::uint64_t threads = 0;
};

// What cannot be read stays 0.
[[nodiscard]] process_stats read_process_stats();

// The fields of one line of /proc/PID/stat (proc(5)): CPU, memory, threads, and the start as seconds since boot in
// start_time_seconds. Empty where the line is not one.
[[nodiscard]] std::optional<process_stats> parse_process_stat(std::string_view line, std::int64_t ticks_a_second,
                                                              std::int64_t page_size);

}  // namespace mongocached::daemon
