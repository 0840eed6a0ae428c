#include "daemon/control/driver_runtime.hpp"

#include <mongoc/mongoc.h>

#include <mutex>
#include <string>
#include <utility>

#include "config/secret.hpp"
#include "daemon/control/driver_log_capture.hpp"

namespace mongocached::daemon {
namespace {

// libmongoc has one log handler a process and asks it from every thread; this is the state behind it. A handler once
// set is never taken away: libmongoc reads the pointer without a lock, so changing it under running threads would be a
// race.
struct log_sink {
  std::mutex guard;
  driver_runtime::log_callback callback;
};

log_sink& sink() {
  static log_sink* const the_sink = new log_sink;  // outlives libmongoc's threads, even those that hang at exit
  return *the_sink;
}

thread_local driver_log_capture* capture = nullptr;

driver_log_level level_of(mongoc_log_level_t level) noexcept {
  switch (level) {
    case MONGOC_LOG_LEVEL_ERROR:
    case MONGOC_LOG_LEVEL_CRITICAL:
      return driver_log_level::error;
    case MONGOC_LOG_LEVEL_WARNING:
      return driver_log_level::warning;
    case MONGOC_LOG_LEVEL_MESSAGE:
    case MONGOC_LOG_LEVEL_INFO:
      return driver_log_level::info;
    default:
      return driver_log_level::debug;
  }
}

extern "C" void mongocached_on_driver_log(mongoc_log_level_t level, const char* domain, const char* message,
                                          void* /*data*/) {
  if (capture != nullptr) {
    capture->add(message);
    return;
  }
  const std::lock_guard lock(sink().guard);
  if (sink().callback) sink().callback(level_of(level), domain, config::mask_text(message));
}

// Once a process. There is no mongoc_cleanup to match: it must not run while a connect that hangs keeps one of
// libmongoc's threads alive beyond its topology_monitor, and the process is about to end then anyway.
void start_driver() {
  static std::once_flag once;
  std::call_once(once, [] {
    mongoc_log_set_handler(&mongocached_on_driver_log, nullptr);
    mongoc_init();
  });
}

}  // namespace

driver_log_capture::driver_log_capture() {
  start_driver();
  capture = this;
}

driver_log_capture::~driver_log_capture() {
  capture = nullptr;
}

driver_runtime::driver_runtime(log_callback log) {
  {
    const std::lock_guard lock(sink().guard);
    sink().callback = std::move(log);
  }
  start_driver();
}

driver_runtime::~driver_runtime() {
  const std::lock_guard lock(sink().guard);
  sink().callback = nullptr;
}

}  // namespace mongocached::daemon
