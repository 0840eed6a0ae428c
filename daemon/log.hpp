// The log: one line an event, as text or as JSON, to standard error. spdlog stays out of this header. Any thread.
//
//   log.info("listener", "accepting clients", {{"address", address}, {"threads", n}});
//
// Lines are written by a thread of the log's own: who stops reading them stops nobody. What waits for it is bounded,
// the oldest lines go first, and they are counted.
//
// Values are escaped (no control characters, so that a peer cannot forge lines). Who calls keeps secrets out.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include "config/settings.hpp"

namespace mongocached::daemon {

struct log_field {
  template <class T>
    requires std::is_arithmetic_v<T>
  log_field(std::string_view field, T number) : name(field), value(std::to_string(number)), is_number(true) {}
  log_field(std::string_view field, bool truth) : name(field), value(truth ? "true" : "false"), is_number(true) {}
  log_field(std::string_view field, std::string_view text) : name(field), value(text) {}
  log_field(std::string_view field, const char* text) : name(field), value(text) {}
  log_field(std::string_view field, const std::string& text) : name(field), value(text) {}

  std::string_view name;
  std::string value;
  bool is_number = false;  // or a boolean: written without quotes in JSON
};

class logger {
 public:
  using fields = std::initializer_list<log_field>;

  logger(config::log_level level, config::log_format format);
  ~logger();  // lines that wait are still written, unless that takes a second
  logger(const logger&) = delete;
  logger& operator=(const logger&) = delete;

  [[nodiscard]] bool enabled(config::log_level level) const noexcept;
  void set_level(config::log_level level) noexcept;
  [[nodiscard]] std::uint64_t lines_dropped() const;
  void write(config::log_level level, std::string_view module, std::string_view event, fields with = {});

  void trace(std::string_view module, std::string_view event, fields with = {}) {
    write(config::log_level::trace, module, event, with);
  }
  void debug(std::string_view module, std::string_view event, fields with = {}) {
    write(config::log_level::debug, module, event, with);
  }
  void info(std::string_view module, std::string_view event, fields with = {}) {
    write(config::log_level::info, module, event, with);
  }
  void warn(std::string_view module, std::string_view event, fields with = {}) {
    write(config::log_level::warn, module, event, with);
  }
  void error(std::string_view module, std::string_view event, fields with = {}) {
    write(config::log_level::error, module, event, with);
  }

 private:
  class sink;
  std::unique_ptr<sink> sink_;
};

}  // namespace mongocached::daemon
