#include "daemon/log_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace mongocached::daemon {
namespace {

using config::log_level;
using std::chrono::system_clock;

const system_clock::time_point noon{std::chrono::milliseconds(1'767'182'400'042)};  // 2025-12-31T12:00:00.042Z

std::string text(std::initializer_list<log_field> fields, std::string_view event = "accepting clients") {
  return text_line({log_level::info, "listener", event, {fields.begin(), fields.size()}}, nullptr);
}

std::string json(std::initializer_list<log_field> fields, std::string_view event = "accepting clients") {
  return json_line({log_level::warn, "listener", event, {fields.begin(), fields.size()}}, noon);
}

TEST(LogLine, Text) {
  const log_event event{log_level::info, "listener", "accepting clients", {}};
  EXPECT_EQ(text_line(event, &noon), "2025-12-31T12:00:00.042Z info  listener: accepting clients");
  EXPECT_EQ(text({{"address", "127.0.0.1:27017"}, {"threads", 4}, {"tls", true}}),
            "info  listener: accepting clients address=127.0.0.1:27017 threads=4 tls=true");
}

TEST(LogLine, Json) {
  EXPECT_EQ(json({{"address", "::1"}, {"threads", 4}, {"tls", false}, {"share", 0.5}}),
            R"({"time":"2025-12-31T12:00:00.042Z","level":"warn","module":"listener","event":"accepting clients",)"
            R"("address":"::1","threads":4,"tls":false,"share":0.500000})");
}

TEST(LogLine, ValueThatWouldForgeALineOrAFieldIsQuoted) {
  EXPECT_EQ(text({{"peer", "x\ninfo  listener: all is well"}}),
            R"(info  listener: accepting clients peer="x\ninfo  listener: all is well")");
  EXPECT_EQ(text({{"name", "a level=error"}}), R"(info  listener: accepting clients name="a level=error")");
  EXPECT_EQ(text({{"name", "a=b"}}), R"(info  listener: accepting clients name="a=b")");
  EXPECT_EQ(text({{"name", ""}}), R"(info  listener: accepting clients name="")");
  EXPECT_EQ(text({{"name", "\"q\""}}), R"(info  listener: accepting clients name="\"q\"")");
  EXPECT_EQ(text({{"name", "\x1b[31m\xff"}}), "info  listener: accepting clients name=\"\\u001b[31m\xef\xbf\xbd\"");
  EXPECT_EQ(
      json({{"name", "a\"}\n{\"b"}}),
      R"({"time":"2025-12-31T12:00:00.042Z","level":"warn","module":"listener","event":"accepting clients","name":"a\"}\n{\"b"})");
}

TEST(LogLine, LongValueIsCut) {
  const std::string name(200'000, '\x01');
  EXPECT_LT(text({{"command", name}}).size(), 8000U);
  EXPECT_LT(json({{"command", name}}).size(), 8000U);
  EXPECT_THAT(text({{"command", std::string(2000, 'x')}}), ::testing::EndsWith("xxx..."));
}

TEST(LogLine, EventThatWouldForgeALineIsQuoted) {
  EXPECT_EQ(text({}, "a\nb"), R"(info  listener: "a\nb")");
}

TEST(LogLine, NumberThatJsonDoesNotHaveIsAString) {
  EXPECT_THAT(json({{"lag", std::numeric_limits<double>::quiet_NaN()}}), ::testing::EndsWith(R"(,"lag":"nan"})"));
  EXPECT_THAT(json({{"lag", -std::numeric_limits<double>::infinity()}}), ::testing::EndsWith(R"(,"lag":"-inf"})"));
  EXPECT_THAT(json({{"lag", -1}}), ::testing::EndsWith(R"(,"lag":-1})"));
}

TEST(LogLine, JournalStreamIsRecognized) {
  EXPECT_TRUE(is_journal_stream("8:12345", 8, 12345));
  for (const char* const other : {"", "8", "8:", ":12345", "8:1234", "9:12345", "8:12345x", "8 12345"}) {
    EXPECT_FALSE(is_journal_stream(other, 8, 12345)) << other;
  }
  EXPECT_FALSE(is_journal_stream(nullptr, 8, 12345));
}

TEST(LogLine, JournalPriorities) {
  EXPECT_EQ(journal_prefix(log_level::error), "<3>");
  EXPECT_EQ(journal_prefix(log_level::warn), "<4>");
  EXPECT_EQ(journal_prefix(log_level::info), "<6>");
  EXPECT_EQ(journal_prefix(log_level::debug), "<7>");
}

}  // namespace
}  // namespace mongocached::daemon
