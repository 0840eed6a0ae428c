#include "daemon/log.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <optional>
#include <thread>
#include <vector>

namespace mongocached::daemon {
namespace {

using config::log_format;
using config::log_level;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Standard error goes to a file while this lives.
class captured_stderr {
 public:
  captured_stderr() : file_(std::tmpfile()), before_(::dup(STDERR_FILENO)) {
    std::fflush(stderr);
    ::dup2(::fileno(file_), STDERR_FILENO);
  }
  ~captured_stderr() {
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    std::fclose(file_);
  }
  captured_stderr(const captured_stderr&) = delete;
  captured_stderr& operator=(const captured_stderr&) = delete;

  std::vector<std::string> lines() {
    std::rewind(file_);
    std::vector<std::string> out(1);
    for (int c = std::fgetc(file_); c != EOF; c = std::fgetc(file_)) {
      if (c == '\n') {
        out.emplace_back();
      } else {
        out.back() += static_cast<char>(c);
      }
    }
    out.pop_back();
    return out;
  }

 private:
  std::FILE* file_;
  int before_;
};

TEST(Log, WritesOneLineAnEvent) {
  captured_stderr captured;
  std::optional<logger> log(std::in_place, log_level::info, log_format::text);
  log->info("listener", "accepting clients", {{"address", "127.0.0.1:27017"}, {"threads", 4}});
  log->error("session", "bad {} frame %s", {{"peer", "a\nb"}});
  log.reset();
  const auto lines = captured.lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[0], EndsWith("info  listener: accepting clients address=127.0.0.1:27017 threads=4"));
  EXPECT_THAT(lines[1], EndsWith("error session: bad {} frame %s peer=\"a\\nb\""));
}

TEST(Log, JsonIsOneObjectALine) {
  captured_stderr captured;
  std::optional<logger> log(std::in_place, log_level::info, log_format::json);
  log->warn("stream", "behind", {{"lag", 1.5}});
  log.reset();
  const auto lines = captured.lines();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], StartsWith("{\"time\":\""));
  EXPECT_THAT(lines[0], EndsWith(R"("level":"warn","module":"stream","event":"behind","lag":1.500000})"));
}

TEST(Log, LevelIsSetWhileRunning) {
  captured_stderr captured;
  std::optional<logger> log(std::in_place, log_level::warn, log_format::text);
  log->info("m", "one");
  EXPECT_FALSE(log->enabled(log_level::info));
  log->set_level(log_level::debug);
  EXPECT_TRUE(log->enabled(log_level::debug));
  EXPECT_FALSE(log->enabled(log_level::trace));
  log->debug("m", "two");
  log.reset();
  const auto lines = captured.lines();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], HasSubstr("two"));
}

TEST(Log, ThreadsDoNotMixTheirLines) {
  captured_stderr captured;
  std::optional<logger> log(std::in_place, log_level::info, log_format::text);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&log, t] {
      for (int i = 0; i < 100; ++i)
        log->info("m", "from a thread", {{"text", std::string(50, static_cast<char>('a' + t))}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  log.reset();
  const auto lines = captured.lines();
  EXPECT_EQ(lines.size(), 400U);
  EXPECT_THAT(lines, ::testing::Each(::testing::ContainsRegex("info  m: from a thread text=(a+|b+|c+|d+)$")));
}

// Standard error is a pipe while this lives, of which nobody reads.
class stuck_stderr {
 public:
  stuck_stderr() : before_(::dup(STDERR_FILENO)) {
    if (::pipe(ends_) != 0) std::abort();
    ::fcntl(ends_[1], F_SETPIPE_SZ, 4096);
    ::dup2(ends_[1], STDERR_FILENO);
    ::close(ends_[1]);
  }
  ~stuck_stderr() {
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    ::close(ends_[0]);
  }
  stuck_stderr(const stuck_stderr&) = delete;
  stuck_stderr& operator=(const stuck_stderr&) = delete;

  std::string until(const std::string& mark) {
    std::string out;
    std::array<char, 4096> block{};
    while (out.find(mark) == std::string::npos) {
      const ssize_t got = ::read(ends_[0], block.data(), block.size());
      if (got <= 0) break;
      out.append(block.data(), static_cast<std::size_t>(got));
    }
    return out;
  }

 private:
  int before_;
  int ends_[2]{};
};

// The thread that logged once waited for whoever reads the log.
TEST(Log, WhoStopsReadingHoldsUpNeitherWhoLogsNorTheEnd) {
  stuck_stderr stuck;
  std::optional<logger> log(std::in_place, log_level::info, log_format::text);
  constexpr int lines = 10'000;
  const auto all = std::async(std::launch::async, [&log] {
    for (int i = 1; i <= lines; ++i) log->info("m", "line", {{"number", i}});
  });
  const bool held_up = all.wait_for(std::chrono::seconds(20)) != std::future_status::ready;
  EXPECT_FALSE(held_up);
  const std::uint64_t dropped = held_up ? 0 : log->lines_dropped();
  EXPECT_GT(dropped, 1000U);
  EXPECT_LT(dropped, lines);
  if (!held_up) log.reset();
  const auto written = stuck.until("number=10000\n");  // also lets go of whoever hangs
  EXPECT_EQ(static_cast<std::uint64_t>(std::ranges::count(written, '\n')), lines - dropped);
}

}  // namespace
}  // namespace mongocached::daemon
