// The command line, parsed and nothing more: values are judged by config::load(), which sees flags, environment and
// file together.
//
// Pure: reads no environment, prints nothing, never exits. Whoever calls prints `output` to standard output, `faults`
// to standard error, one a line, and leaves with `exit_status` where there is one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.hpp"

namespace mongocached::daemon {

inline constexpr int exit_clean = 0;
inline constexpr int exit_failed = 1;     // could not start or run
inline constexpr int exit_bad_usage = 2;  // bad usage or configuration

struct command_line {
  config::string_map flags;                // for config::options: "listen.address" -> value
  std::optional<std::string> config_file;  // --config
  bool check_config = false;
  bool print_config = false;
  std::optional<std::string> health_check;  // --health-check: the path to ask the side port for

  // --help and --version: 0; faults: exit_bad_usage, or exit_failed of a health check; none: go on.
  std::optional<int> exit_status;
  std::string output;  // what --help or --version print
  std::vector<std::string> faults;
};

// `version` is what --version prints behind the name. Passwords in misplaced arguments do not reach `faults`.
[[nodiscard]] command_line parse_command_line(int argc, const char* const* argv, std::string_view version);

}  // namespace mongocached::daemon
