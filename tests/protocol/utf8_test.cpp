#include "protocol/utf8.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace mongocached::protocol {
namespace {

TEST(utf8, well_formed_characters_are_read) {
  struct sample {
    std::string_view text;
    char32_t code;
    std::size_t size;
  };
  for (const auto& [text, code, size] : {sample{"a", 'a', 1}, sample{"\u00e9x", 0xe9, 2}, sample{"\u20ac", 0x20ac, 3},
                                         sample{"\U0001f600", 0x1f600, 4}, sample{"\U0010ffff", 0x10ffff, 4}}) {
    const auto next = decode_utf8(text);
    EXPECT_TRUE(next.code == code) << text;
    EXPECT_EQ(next.size, size);
  }
}

TEST(utf8, what_is_malformed_has_no_size) {
  for (const std::string_view text : {"\x80", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x80\x80", "\xed\xa0\x80",
                                      "\xe2\x82", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
    EXPECT_EQ(decode_utf8(text).size, 0U);
  }
}

TEST(utf8, controls_are_those_that_change_what_is_around_them) {
  for (const char32_t code : {0x00, 0x0a, 0x1b, 0x7f, 0x85, 0x200e, 0x2028, 0x202e, 0x2066, 0xfeff}) {
    EXPECT_TRUE(is_control(code)) << static_cast<std::uint32_t>(code);
  }
  for (const char32_t code : {0x20, 0x7e, 0xa0, 0x20ac, 0x1f600})
    EXPECT_FALSE(is_control(code)) << static_cast<std::uint32_t>(code);
}

}  // namespace
}  // namespace mongocached::protocol
