// The examples of RFC 4013 section 3, and what is refused.
#include "auth/saslprep.hpp"

#include <gtest/gtest.h>

namespace mongocached::auth {
namespace {

TEST(Saslprep, maps_as_the_rfc_says) {
  EXPECT_EQ(saslprep("I\u00ADX"), "IX");
  EXPECT_EQ(saslprep("user"), "user");
  EXPECT_EQ(saslprep("USER"), "USER");
  EXPECT_EQ(saslprep("\u00AA"), "a");
  EXPECT_EQ(saslprep("\u2168"), "IX");
  EXPECT_EQ(saslprep("a\u00A0b"), "a b");
}

TEST(Saslprep, refuses_what_the_rfc_prohibits) {
  EXPECT_FALSE(saslprep("\x07"));
  EXPECT_FALSE(saslprep("\u0627\u0031"));
  EXPECT_FALSE(saslprep("\uE000"));
}

TEST(Saslprep, refuses_what_is_no_utf8) {
  EXPECT_FALSE(saslprep("\xff"));
  EXPECT_FALSE(saslprep("\xc3"));
}

TEST(Saslprep, takes_unassigned_characters_only_in_what_is_compared) {
  EXPECT_TRUE(saslprep("\u0221"));
  EXPECT_FALSE(saslprep("\u0221", true));
}

TEST(Saslprep, room_is_there_for_the_longest_normal_form) {
  std::string text;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    text += "\uFDFA";  // eighteen characters in NFKC
    expected += "صلى الله عليه وسلم";
  }
  EXPECT_EQ(saslprep(text), expected);
}

}  // namespace
}  // namespace mongocached::auth
