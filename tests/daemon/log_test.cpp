#include "daemon/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
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
  logger log(log_level::info, log_format::text);
  log.info("listener", "accepting clients", {{"address", "127.0.0.1:27017"}, {"threads", 4}});
  log.error("session", "bad {} frame %s", {{"peer", "a\nb"}});
  const auto lines = captured.lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[0], EndsWith("info  listener: accepting clients address=127.0.0.1:27017 threads=4"));
  EXPECT_THAT(lines[1], EndsWith("error session: bad {} frame %s peer=\"a\\nb\""));
}

TEST(Log, JsonIsOneObjectALine) {
  captured_stderr captured;
  logger log(log_level::info, log_format::json);
  log.warn("stream", "behind", {{"lag", 1.5}});
  const auto lines = captured.lines();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], StartsWith("{\"time\":\""));
  EXPECT_THAT(lines[0], EndsWith(R"("level":"warn","module":"stream","event":"behind","lag":1.500000})"));
}

TEST(Log, LevelIsSetWhileRunning) {
  captured_stderr captured;
  logger log(log_level::warn, log_format::text);
  log.info("m", "one");
  EXPECT_FALSE(log.enabled(log_level::info));
  log.set_level(log_level::debug);
  EXPECT_TRUE(log.enabled(log_level::debug));
  EXPECT_FALSE(log.enabled(log_level::trace));
  log.debug("m", "two");
  const auto lines = captured.lines();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], HasSubstr("two"));
}

TEST(Log, ThreadsDoNotMixTheirLines) {
  captured_stderr captured;
  logger log(log_level::info, log_format::text);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&log, t] {
      for (int i = 0; i < 100; ++i)
        log.info("m", "from a thread", {{"text", std::string(50, static_cast<char>('a' + t))}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto lines = captured.lines();
  EXPECT_EQ(lines.size(), 400U);
  EXPECT_THAT(lines, ::testing::Each(::testing::ContainsRegex("info  m: from a thread text=(a+|b+|c+|d+)$")));
}

}  // namespace
}  // namespace mongocached::daemon
