#include "daemon/session/administrator.hpp"

#include <gtest/gtest.h>

#include "support/message_builders.hpp"

namespace mongocached::daemon {
namespace {

using namespace test_support;  // NOLINT: tests read as JSON

const std::vector<config::user> configured{{"ops", {}, true}, {"app", {}, false}};

document user(const value& name, const value& db = "admin") {
  return document{{"user", name}, {"db", db}};
}
bool names(const array& users) {
  const document status{{"authInfo", document{{"authenticatedUsers", users}}}, {"ok", 1.0}};
  return names_administrator(status.view(), configured);
}

TEST(Administrator, is_who_the_cluster_says_logged_in_by_that_name) {
  EXPECT_TRUE(names({user("ops")}));
  EXPECT_TRUE(names({user("app"), user("ops")}));
}

TEST(Administrator, is_not_who_is_configured_without_the_right) {
  EXPECT_FALSE(names({user("app")}));
}

TEST(Administrator, is_not_the_same_name_in_another_database) {
  EXPECT_FALSE(names({user("ops", "shop")}));
  EXPECT_FALSE(names({user("ops", "$external")}));
}

TEST(Administrator, is_nobody_where_nobody_logged_in) {
  EXPECT_FALSE(names({}));
  EXPECT_FALSE(names({user("")}));
  EXPECT_FALSE(names_administrator(document().view(), configured));
  EXPECT_FALSE(names_administrator(document{{"authInfo", 1}}.view(), configured));
}

TEST(Administrator, is_not_told_by_values_of_other_types) {
  EXPECT_FALSE(names({"ops", 1, user(1), user("ops", 1), document{{"user", "ops"}}}));
}

TEST(Administrator, is_nobody_where_none_is_configured) {
  const document status{{"authInfo", document{{"authenticatedUsers", array{user("ops")}}}}};
  EXPECT_FALSE(names_administrator(status.view(), {}));
}

}  // namespace
}  // namespace mongocached::daemon
