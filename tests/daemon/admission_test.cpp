#include "daemon/pooled/admission.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/message_builders.hpp"

namespace mongocached::daemon {
namespace {

using namespace test_support;  // NOLINT: tests read as JSON
using code = protocol::error_code;
using ::testing::ElementsAre;

const caller anybody{};
const caller user{.logged_in = true, .admin = false};
const caller chief{.logged_in = true, .admin = true};

class Admission : public ::testing::Test {
 protected:
  protocol::command_view view(const document& command) {
    message_ = op_msg_message(command);
    protocol::op_msg parsed;
    EXPECT_EQ(protocol::parse_op_msg(message_, parsed), protocol::op_msg_error::none);
    protocol::command_view out;
    EXPECT_EQ(protocol::view_command(parsed, 1, out), protocol::command_error::none);
    return out;
  }
  code verdict(const document& command, const caller& who = user) {
    const auto refused = check_admission(view(command), who);
    return refused ? refused->code : code::none;
  }
  static document id(std::uint8_t number) { return document{{"id", binary{4, byte_buffer(16, number)}}}; }

 private:
  byte_buffer message_;
};

TEST_F(Admission, before_the_login_there_is_the_handshake_and_nothing_else) {
  for (const auto* name : {"hello", "ping", "buildInfo", "connectionStatus", "saslStart", "logout"})
    EXPECT_EQ(verdict(document{{name, 1}, {"$db", "admin"}}, anybody), code::none) << name;
  for (const auto* name : {"find", "insert", "endSessions", "getMore", "listDatabases", "whatever", "Ping"})
    EXPECT_EQ(verdict(document{{name, 1}, {"$db", "admin"}}, anybody), code::unauthorized) << name;
}

TEST_F(Admission, nobody_speaks_for_others) {
  for (const auto* field : {"$audit", "$impersonatedUsers", "$impersonatedRoles", "$client", "$tenant", "$configTime",
                            "$newThing", "mayBypassWriteBlocking", "maxTimeMSOpOnly"}) {
    EXPECT_EQ(verdict(document{{"find", "c"}, {field, 1}, {"$db", "shop"}}, chief), code::unauthorized) << field;
  }
  EXPECT_EQ(verdict(document{{"find", "c"},
                             {"comment", "x"},
                             {"$readPreference", document{{"mode", "primary"}}},
                             {"$clusterTime", document()},
                             {"$db", "shop"}}),
            code::none);
}

TEST_F(Admission, an_lsid_is_an_id_and_nothing_else) {
  const auto with = [this](const document& lsid) {
    return verdict(document{{"find", "c"}, {"lsid", lsid}, {"$db", "shop"}}, chief);
  };
  EXPECT_EQ(with(id(1)), code::none);
  EXPECT_EQ(with(document()), code::unauthorized);
  EXPECT_EQ(with(document{{"id", binary{4, byte_buffer(15)}}}), code::unauthorized);
  EXPECT_EQ(with(document{{"id", binary{0, byte_buffer(16)}}}), code::unauthorized);
  EXPECT_EQ(with(document{{"id", binary{4, byte_buffer(16)}}, {"uid", binary{0, byte_buffer(32)}}}),
            code::unauthorized);
  EXPECT_EQ(with(document{{"uid", binary{0, byte_buffer(32)}}, {"id", binary{4, byte_buffer(16)}}}),
            code::unauthorized);
}

TEST_F(Admission, what_ownership_goes_by_stands_there_once) {
  EXPECT_EQ(verdict(document{{"find", "c"}, {"lsid", id(1)}, {"lsid", id(2)}, {"$db", "shop"}}), code::failed_to_parse);
  EXPECT_EQ(verdict(document{{"find", "c"}, {"$db", "shop"}, {"$db", "admin"}}), code::failed_to_parse);
}

TEST_F(Admission, users_and_roles_are_for_administrators) {
  for (const auto* name : {"createUser", "dropUser", "grantRolesToUser", "usersInfo", "killAllSessions"}) {
    EXPECT_EQ(verdict(document{{name, "x"}, {"$db", "shop"}}), code::unauthorized) << name;
    EXPECT_EQ(verdict(document{{name, "x"}, {"$db", "shop"}}, chief), code::none) << name;
  }
  EXPECT_EQ(verdict(document{{"find", "system.users"}, {"$db", "admin"}}), code::unauthorized);
  EXPECT_EQ(verdict(document{{"find", "system.users"}, {"$db", "shop"}}), code::none);
}

TEST_F(Admission, sessions_are_named_by_their_id) {
  const auto end = view(document{{"endSessions", array{id(1), id(2)}}, {"$db", "admin"}});
  EXPECT_FALSE(check_admission(end, user));
  const std::string first(16, '\1');
  const std::string second(16, '\2');
  EXPECT_THAT(*sessions_named(end), ElementsAre(first, second));
  EXPECT_EQ(verdict(document{{"killSessions", array{}}, {"$db", "admin"}}), code::unauthorized);
  EXPECT_EQ(verdict(document{{"killSessions", array{}}, {"$db", "admin"}}, chief), code::none);
  EXPECT_EQ(verdict(document{{"endSessions", array{document{{"uid", 1}}}}, {"$db", "admin"}}), code::unauthorized);
  EXPECT_EQ(verdict(document{{"endSessions", 1}, {"$db", "admin"}}), code::unauthorized);
}

TEST_F(Admission, cursors_are_named_with_their_namespace) {
  const auto more = cursors_named(view(document{{"getMore", 5L}, {"collection", "c"}, {"$db", "shop"}}));
  ASSERT_TRUE(more);
  EXPECT_EQ(more->ns, "shop.c");
  EXPECT_THAT(more->ids, ElementsAre(5));
  const auto kill = cursors_named(view(document{{"killCursors", "c"}, {"cursors", array{5L, 6L}}, {"$db", "shop"}}));
  ASSERT_TRUE(kill);
  EXPECT_EQ(kill->ns, "shop.c");
  EXPECT_THAT(kill->ids, ElementsAre(5, 6));
  EXPECT_FALSE(cursors_named(view(document{{"getMore", 5L}, {"$db", "shop"}})));
  EXPECT_FALSE(cursors_named(view(document{{"getMore", "5"}, {"collection", "c"}, {"$db", "shop"}})));
  EXPECT_FALSE(cursors_named(view(document{{"killCursors", "c"}, {"cursors", array{}}, {"$db", "shop"}})));
  EXPECT_FALSE(cursors_named(view(document{{"killCursors", "c"}, {"cursors", array{"5"}}, {"$db", "shop"}})));
}

}  // namespace
}  // namespace mongocached::daemon
