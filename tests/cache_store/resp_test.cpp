#include "cache/store/resp.hpp"

#include <gtest/gtest.h>

#include <random>

namespace mongocached::cache {
namespace {

using progress = resp_reader::progress;
using protocol::as_bytes;

std::string text_of(const byte_buffer& bytes) {
  return {bytes.begin(), bytes.end()};
}

// One line that shows a value whole.
std::string show(const resp_value& value) {
  switch (value.type) {
    case resp_type::nil:
      return "nil";
    case resp_type::status:
      return "+" + text_of(value.bytes);
    case resp_type::error:
      return "-" + text_of(value.bytes);
    case resp_type::integer:
      return ":" + std::to_string(value.integer);
    case resp_type::bulk:
      return "$" + text_of(value.bytes);
    case resp_type::array:
      break;
  }
  std::string out = "[";
  for (const auto& element : value.elements) out += show(element) + ",";
  return out + "]";
}

std::vector<std::string> take_all(resp_reader& reader) {
  std::vector<std::string> out;
  resp_value value;
  for (;;) {
    switch (reader.next(value)) {
      case progress::more:
        return out;
      case progress::broken:
        out.push_back("broken: " + std::string(reader.error()));
        return out;
      case progress::value:
        out.push_back(show(value));
    }
  }
}

const std::string conversation =
    "+OK\r\n-ERR no\r\n:-42\r\n$-1\r\n$0\r\n\r\n$5\r\na\r\nb\n\r\n*0\r\n*-1\r\n"
    "*3\r\n$3\r\nabc\r\n*2\r\n:1\r\n*1\r\n$1\r\nx\r\n$-1\r\n:9223372036854775807\r\n";
const std::vector<std::string> meaning = {
    "+OK", "-ERR no", ":-42", "nil", "$", "$a\r\nb\n", "[]", "nil", "[$abc,[:1,[$x,],],nil,]", ":9223372036854775807"};

TEST(RespCommand, IsAnArrayOfBulkStrings) {
  byte_buffer out;
  append_command(out, std::array<std::string_view, 3>{"SET", "", "a\r\nb"});
  resp_command(out, 2).arg("X").arg(std::int64_t{-7});
  EXPECT_EQ(text_of(out), "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\na\r\nb\r\n*2\r\n$1\r\nX\r\n$2\r\n-7\r\n");
}

TEST(RespReader, ReadsEveryType) {
  resp_reader reader;
  reader.feed(as_bytes(conversation));
  EXPECT_EQ(take_all(reader), meaning);
}

TEST(RespReader, InputMayBeSplitAnywhere) {
  for (std::size_t cut = 0; cut <= conversation.size(); ++cut) {
    resp_reader reader;
    reader.feed(as_bytes(conversation.substr(0, cut)));
    auto found = take_all(reader);
    reader.feed(as_bytes(conversation.substr(cut)));
    const auto rest = take_all(reader);
    found.insert(found.end(), rest.begin(), rest.end());
    ASSERT_EQ(found, meaning) << "cut at " << cut;
  }
}

TEST(RespReader, InputMayComeByteByByte) {
  resp_reader reader;
  std::vector<std::string> found;
  for (const char c : conversation) {
    reader.feed(as_bytes({&c, 1}));
    const auto some = take_all(reader);
    found.insert(found.end(), some.begin(), some.end());
  }
  EXPECT_EQ(found, meaning);
}

TEST(RespReader, AValueCanBeMovedOutAndTheReaderGoesOn) {
  resp_reader reader;
  reader.feed(as_bytes("*1\r\n$2\r\nab\r\n*1\r\n$2\r\ncd\r\n"));
  resp_value first;
  resp_value second;
  ASSERT_EQ(reader.next(first), progress::value);
  ASSERT_EQ(reader.next(second), progress::value);
  EXPECT_EQ(show(first), "[$ab,]");
  EXPECT_EQ(show(second), "[$cd,]");
}

resp_limits tight() {
  resp_limits out;
  out.bulk = 64;
  out.line = 32;
  out.elements = 8;
  out.total = 128;
  out.depth = 2;
  return out;
}

bool breaks(const std::string& bytes, std::size_t step) {
  resp_reader reader(tight());
  resp_value value;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    reader.feed(as_bytes(std::string_view(bytes).substr(at, step)));
    for (;;) {
      const auto now = reader.next(value);
      if (now == progress::more) break;
      if (now == progress::broken) {
        EXPECT_EQ(reader.next(value), progress::broken);
        EXPECT_FALSE(reader.error().empty());
        return true;
      }
    }
  }
  return false;
}

TEST(RespReader, RefusesWhatGoesBeyondItsLimits) {
  const std::string long_line(40, 'x');
  for (const auto& bytes : {
           std::string("$65\r\n") + std::string(65, 'x') + "\r\n",  // too long a string, complete
           std::string("$65\r\n"),                                  // and only announced
           std::string("$9223372036854775807\r\n"), std::string("$99999999999999999999999999\r\n"), "+" + long_line,
           "-" + long_line, ":" + std::string(40, '1'), "*" + std::string(40, '1'),
           std::string("$") + std::string(40, '0'), std::string("*9\r\n"), std::string("*2147483647\r\n"),
           std::string("*1\r\n*1\r\n*1\r\n:1\r\n"),                                      // too deep
           std::string("*4\r\n*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n*4\r\n:1\r\n:1\r\n:1\r\n"),  // too many in all
           std::string("*3\r\n$60\r\n") + std::string(60, 'x') + "\r\n$60\r\n" + std::string(60, 'x') + "\r\n$60\r\n" +
               std::string(60, 'x') + "\r\n",  // too much in all
       }) {
    EXPECT_TRUE(breaks(bytes, bytes.size())) << bytes;
    EXPECT_TRUE(breaks(bytes, 1)) << bytes;
  }
}

TEST(RespReader, TakesWhatJustFits) {
  for (const auto& bytes :
       {std::string("$64\r\n") + std::string(64, 'x') + "\r\n", std::string("*2\r\n*2\r\n:1\r\n:2\r\n:3\r\n"),
        "+" + std::string(20, 'x') + "\r\n", std::string("$-1\r\n")}) {
    EXPECT_FALSE(breaks(bytes, bytes.size())) << bytes;
    EXPECT_FALSE(breaks(bytes, 1)) << bytes;
  }
}

TEST(RespReader, RefusesWhatIsNotItsProtocol) {
  for (const std::string bytes :
       {"HTTP/1.1 400 Bad Request\r\n", "\r\n\r\n", "$-2\r\n", "*-2\r\n", "%1\r\n", ">2\r\n", "$x\r\n\r\n", "*x\r\n"}) {
    EXPECT_TRUE(breaks(bytes, bytes.size())) << bytes;
  }
}

TEST(RespReader, NoiseNeverDoesMoreThanBreakIt) {
  std::mt19937 random(7);
  const std::string alphabet = "+-:$*0123456789\r\nx";
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes;
    const auto size = random() % 60;
    for (unsigned i = 0; i < size; ++i)
      bytes += random() % 8 ? alphabet[random() % alphabet.size()] : "\r\n"[random() % 2];
    resp_reader reader(tight());
    reader.feed(as_bytes(bytes));
    (void)take_all(reader);
  }
}

}  // namespace
}  // namespace mongocached::cache
