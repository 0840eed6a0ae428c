#include "daemon/json_text.hpp"

#include <gtest/gtest.h>

namespace mongocached::daemon {
namespace {

TEST(JsonText, PlainTextStays) {
  EXPECT_EQ(json_quote(""), "\"\"");
  EXPECT_EQ(json_quote("db.coll /x"), "\"db.coll /x\"");
  EXPECT_EQ(json_quote("Z\xc3\xbcrich \xf0\x9f\x98\x80"), "\"Z\xc3\xbcrich \xf0\x9f\x98\x80\"");
}

TEST(JsonText, WhatWouldEndTheStringOrTheLineIsEscaped) {
  EXPECT_EQ(json_quote("a\"b\\c\n\r\t"), R"("a\"b\\c\n\r\t")");
  EXPECT_EQ(json_quote(std::string("\0\x1b[2J\x7f", 6)), R"("\u0000\u001b[2J\u007f")");
}

TEST(JsonText, UnicodeControlsAreEscaped) {
  EXPECT_EQ(json_quote("\xc2\x9b"), R"("\u009b")");      // C1: control sequence introducer
  EXPECT_EQ(json_quote("\xe2\x80\xa8"), R"("\u2028")");  // line separator
  EXPECT_EQ(json_quote("\xe2\x80\xae"), R"("\u202e")");  // right-to-left override
}

TEST(JsonText, BytesThatAreNoUtf8AreReplaced) {
  const std::string mark = "\xef\xbf\xbd";
  EXPECT_EQ(json_quote("\xff"), "\"" + mark + "\"");
  EXPECT_EQ(json_quote("a\xc3"), "\"a" + mark + "\"");                                 // cut
  EXPECT_EQ(json_quote("\xc0\x80"), "\"" + mark + mark + "\"");                        // overlong NUL
  EXPECT_EQ(json_quote("\xed\xa0\x80"), "\"" + mark + mark + mark + "\"");             // surrogate
  EXPECT_EQ(json_quote("\xe0\x80\xaf"), "\"" + mark + mark + mark + "\"");             // overlong slash
  EXPECT_EQ(json_quote("\xf4\x90\x80\x80"), "\"" + mark + mark + mark + mark + "\"");  // above U+10FFFF
}

}  // namespace
}  // namespace mongocached::daemon
