// libmongoc's process-wide part: its initialization and its log. One object, made by main before anything else of
// daemon/control and destroyed after it. libmongoc stays out of this header.
#pragma once

#include <functional>
#include <string_view>

namespace mongocached::daemon {

enum class driver_log_level : unsigned char { error, warning, info, debug };

class driver_runtime {
 public:
  // Receives libmongoc's own messages, from any of its threads; credentials in URIs are masked.
  using log_callback = std::function<void(driver_log_level level, std::string_view domain, std::string_view message)>;

  explicit driver_runtime(log_callback log);
  ~driver_runtime();  // no message arrives afterwards
  driver_runtime(const driver_runtime&) = delete;
  driver_runtime& operator=(const driver_runtime&) = delete;
};

}  // namespace mongocached::daemon
