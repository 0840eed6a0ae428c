// Tells the service manager how the daemon fares: the notify protocol of sd_notify(3), one datagram a message, without
// libsystemd. Where no manager listens every call does nothing. One thread at a time.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace mongocached::daemon {

class service_notifier {
 public:
  // `address` as in $NOTIFY_SOCKET: a path, or '@' and an abstract name. Empty, or anything else: nobody listens.
  explicit service_notifier(std::string_view address);
  ~service_notifier();
  service_notifier(const service_notifier&) = delete;
  service_notifier& operator=(const service_notifier&) = delete;

  [[nodiscard]] bool enabled() const noexcept { return socket_ >= 0; }

  // Each: whether the message was handed over. A manager that does not read delays the daemon by at most a second.
  bool ready(std::string_view status);                      // also ends reloading()
  bool reloading(std::chrono::microseconds monotonic_now);  // CLOCK_MONOTONIC
  bool stopping(std::string_view status);
  bool status(std::string_view text);  // a sentence; control characters become blanks
  bool watchdog();

 private:
  bool send(const std::string& message);

  std::string address_;  // of the kernel: abstract names begin with NUL
  int socket_ = -1;
};

// How often the manager wants WATCHDOG=1, from $WATCHDOG_USEC and $WATCHDOG_PID (either may be null); empty: it does
// not.
[[nodiscard]] std::optional<std::chrono::microseconds> watchdog_period(const char* usec, const char* pid, long own_pid);

}  // namespace mongocached::daemon
