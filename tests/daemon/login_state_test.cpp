#include "daemon/pooled/login_state.hpp"

#include <gtest/gtest.h>

namespace mongocached::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(LoginState, before_the_first_login_anybody_may_try) {
  login_state state;
  EXPECT_FALSE(state.is_good());
  EXPECT_FALSE(state.is_refused());
  EXPECT_TRUE(state.may_try(seconds(1)));
  EXPECT_TRUE(state.may_try(seconds(1)));
}

TEST(LoginState, after_a_refusal_one_tries_at_a_time) {
  login_state state;
  state.ended(login_outcome::refused, "Authentication failed.");
  EXPECT_TRUE(state.is_refused());
  EXPECT_EQ(state.why(), "Authentication failed.");
  EXPECT_TRUE(state.may_try(seconds(10)));
  EXPECT_FALSE(state.may_try(seconds(10)));
  EXPECT_FALSE(state.may_try(milliseconds(10'999)));
  EXPECT_TRUE(state.may_try(seconds(11)));
}

TEST(LoginState, a_lost_connection_changes_nothing) {
  login_state state;
  state.ended(login_outcome::done, "");
  state.ended(login_outcome::lost, "the connection was lost");
  EXPECT_TRUE(state.is_good());
  state.ended(login_outcome::refused, "no");
  state.ended(login_outcome::lost, "the connection was lost");
  EXPECT_TRUE(state.is_refused());
  EXPECT_EQ(state.why(), "no");
}

TEST(LoginState, a_good_login_ends_it) {
  login_state state;
  state.ended(login_outcome::refused, "no");
  state.ended(login_outcome::done, "");
  EXPECT_TRUE(state.is_good());
  EXPECT_EQ(state.why(), "");
  EXPECT_TRUE(state.may_try(seconds(1)));
}

}  // namespace
}  // namespace mongocached::daemon
