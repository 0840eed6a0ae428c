#include "daemon/log.hpp"

#include <pthread.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "daemon/control/releasable_thread.hpp"
#include "daemon/log_line.hpp"

namespace mongocached::daemon {
namespace {

constexpr std::size_t max_queued_lines = 4096;

spdlog::level::level_enum level_of(config::log_level level) noexcept {
  switch (level) {
    case config::log_level::trace:
      return spdlog::level::trace;
    case config::log_level::debug:
      return spdlog::level::debug;
    case config::log_level::info:
      return spdlog::level::info;
    case config::log_level::warn:
      return spdlog::level::warn;
    case config::log_level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

bool standard_error_is_the_journal() {
  struct stat about {};
  return ::fstat(STDERR_FILENO, &about) == 0 &&
         is_journal_stream(std::getenv("JOURNAL_STREAM"), about.st_dev, about.st_ino);
}

// Its destructor waits until all is written, and for ever where nobody reads.
std::shared_ptr<spdlog::details::thread_pool> make_writer() {
  return std::make_shared<spdlog::details::thread_pool>(max_queued_lines, 1,
                                                        [] { ::pthread_setname_np(::pthread_self(), "log"); });
}

}  // namespace

class logger::sink {
 public:
  sink(config::log_level level, config::log_format format)
      : format_(format),
        journal_(standard_error_is_the_journal()),
        out_(std::make_shared<spdlog::async_logger>(  // not registered: no global
            "mongocached", std::make_shared<spdlog::sinks::stderr_sink_mt>(), writer_,
            spdlog::async_overflow_policy::overrun_oldest)) {
    out_->set_pattern("%v");
    out_->set_level(level_of(level));
  }
  ~sink() {
    const releasable_thread last_lines("log-end", [writer = std::move(writer_)]() mutable { writer.reset(); });
  }
  sink(const sink&) = delete;
  sink& operator=(const sink&) = delete;

  [[nodiscard]] bool enabled(config::log_level level) const noexcept { return out_->should_log(level_of(level)); }
  void set_level(config::log_level level) noexcept { out_->set_level(level_of(level)); }

  [[nodiscard]] std::uint64_t lines_dropped() const { return writer_->overrun_counter(); }

  void write(const log_event& event) {
    const auto now = std::chrono::system_clock::now();
    std::string line(journal_ ? journal_prefix(event.level) : "");
    line += format_ == config::log_format::json ? json_line(event, now) : text_line(event, journal_ ? nullptr : &now);
    out_->log(level_of(event.level), spdlog::string_view_t(line));
  }

 private:
  const config::log_format format_;
  const bool journal_;
  std::shared_ptr<spdlog::details::thread_pool> writer_ = make_writer();
  const std::shared_ptr<spdlog::async_logger> out_;
};

logger::logger(config::log_level level, config::log_format format) : sink_(std::make_unique<sink>(level, format)) {}

logger::~logger() = default;

bool logger::enabled(config::log_level level) const noexcept {
  return sink_->enabled(level);
}

void logger::set_level(config::log_level level) noexcept {
  sink_->set_level(level);
}

std::uint64_t logger::lines_dropped() const {
  return sink_->lines_dropped();
}

void logger::write(config::log_level level, std::string_view module, std::string_view event, fields with) {
  if (!enabled(level)) return;
  sink_->write({level, module, event, {with.begin(), with.size()}});
}

}  // namespace mongocached::daemon
