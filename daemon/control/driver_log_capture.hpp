// Collects what libmongoc logs on this thread while it lives, instead of letting the runtime's callback have it:
// libmongoc says through its log which URI options it does not understand. Works before there is a driver_runtime, too.
// Scopes must not nest.
#pragma once

#include <string>
#include <vector>

namespace mongocached::daemon {

class driver_log_capture {
 public:
  driver_log_capture();
  ~driver_log_capture();
  driver_log_capture(const driver_log_capture&) = delete;
  driver_log_capture& operator=(const driver_log_capture&) = delete;

  [[nodiscard]] const std::vector<std::string>& lines() const noexcept { return lines_; }
  void add(const char* line) { lines_.emplace_back(line); }

 private:
  std::vector<std::string> lines_;
};

}  // namespace mongocached::daemon
