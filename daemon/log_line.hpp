// How one event looks as a line: pure, so that what a peer may smuggle into a log is tested without one.
//
//   text  2026-01-31T12:00:00.000Z info  listener: accepting clients address=127.0.0.1:27017 threads=4
//   json  {"time":"2026-01-31T12:00:00.000Z","level":"info","module":"listener","event":"accepting clients",...}
//
// A value that is more than plain ASCII without blanks is written as a JSON string in both.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "daemon/log.hpp"

namespace mongocached::daemon {

struct log_event {
  config::log_level level = config::log_level::info;
  std::string_view module;
  std::string_view event;
  std::span<const log_field> fields;
};

// Without the newline. Without a time where who reads the log adds it (the journal).
[[nodiscard]] std::string text_line(const log_event& event, const std::chrono::system_clock::time_point* time);
[[nodiscard]] std::string json_line(const log_event& event, std::chrono::system_clock::time_point time);

// "<6>" and the like, which the journal takes for the priority (sd-daemon(3)).
[[nodiscard]] std::string_view journal_prefix(config::log_level level) noexcept;

// Whether a stream with these numbers is the journal's, by $JOURNAL_STREAM ("device:inode", systemd.exec(5)).
[[nodiscard]] bool is_journal_stream(const char* journal_stream, std::uint64_t device, std::uint64_t inode);

}  // namespace mongocached::daemon
