#include "daemon/process_stats.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <ctime>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

namespace mongocached::daemon {
namespace {

std::string read_file(const char* path) {
  const std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

double seconds_of(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Seconds since the epoch at which the machine was started; asked once, so that it does not move when the clock is set.
// By clocks: a service that sees only processes in /proc (ProcSubset=pid) has no /proc/stat.
double boot_time() {
  static const double at = seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME);
  return at;
}

std::uint64_t count_open_fds() {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir("/proc/self/fd"), &::closedir);
  if (!dir) return 0;
  std::uint64_t entries = 0;
  while (::readdir(dir.get()) != nullptr) ++entries;
  return entries > 3 ? entries - 3 : 0;  // ".", ".." and the one that reads the directory
}

}  // namespace

std::optional<process_stats> parse_process_stat(std::string_view line, std::int64_t ticks_a_second,
                                                std::int64_t page_size) {
  // The second field is the program's name in parentheses and may hold anything, parentheses too: count from the last
  // one.
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string_view::npos || ticks_a_second <= 0) return std::nullopt;
  std::string_view rest = line.substr(name_end + 1);
  constexpr std::size_t first_field = 3;  // numbered as in proc(5)
  constexpr std::size_t last_field = 24;
  std::array<std::int64_t, last_field + 1> fields{};
  for (std::size_t field = first_field; field <= last_field; ++field) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const std::size_t end = std::min(rest.find_first_of(" \n"), rest.size());
    if (end == 0) return std::nullopt;
    const std::string_view text = rest.substr(0, end);
    rest.remove_prefix(end);
    if (field == first_field) continue;  // a letter, the state
    if (std::from_chars(text.data(), text.data() + text.size(), fields[field]).ec == std::errc::invalid_argument) {
      return std::nullopt;
    }
  }
  const double tick = 1.0 / static_cast<double>(ticks_a_second);
  process_stats stats;
  stats.cpu_seconds = static_cast<double>(fields[14] + fields[15]) * tick;  // utime, stime
  stats.threads = static_cast<std::uint64_t>(fields[20]);
  stats.start_time_seconds = static_cast<double>(fields[22]) * tick;
  stats.virtual_memory_bytes = static_cast<std::uint64_t>(fields[23]);
  stats.resident_memory_bytes = static_cast<std::uint64_t>(fields[24] * page_size);
  return stats;
}

process_stats read_process_stats() {
  process_stats stats =
      parse_process_stat(read_file("/proc/self/stat"), ::sysconf(_SC_CLK_TCK), ::sysconf(_SC_PAGESIZE))
          .value_or(process_stats{});
  stats.start_time_seconds += boot_time();
  stats.open_fds = count_open_fds();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.max_fds = limit.rlim_cur;
  return stats;
}

}  // namespace mongocached::daemon
