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

TEST_F(Admission, before_the_login_little_is_answered) {
  for (const auto* name : {"ping", "buildInfo", "connectionStatus"})
    EXPECT_EQ(verdict(document{{name, 1}, {"$db", "admin"}}, anybody), code::none) << name;
  for (const auto* name : {"find", "insert", "endSessions", "getMore", "listDatabases", "whatever", "Ping"})
    EXPECT_EQ(verdict(document{{name, 1}, {"$db", "admin"}}, anybody), code::unauthorized) << name;
}

TEST_F(Admission, before_the_login_there_are_no_transactions) {
  for (const auto* field : {"txnNumber", "startTransaction", "autocommit"})
    EXPECT_EQ(verdict(document{{"ping", 1}, {field, 1L}, {"$db", "admin"}}, anybody), code::unauthorized) << field;
}

TEST_F(Admission, a_handshake_never_travels_on_a_connection_that_others_share_U2) {
  for (const auto* name : {"hello", "isMaster", "ismaster", "saslStart", "saslContinue", "logout", "authenticate"}) {
    for (const auto& who : {anybody, user, chief})
      EXPECT_EQ(verdict(document{{name, 1}, {"$db", "admin"}}, who), code::unauthorized) << name;
  }
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

TEST_F(Admission, what_the_cluster_keeps_for_itself_is_for_administrators) {
  const auto uuid = binary{4, byte_buffer(16)};
  for (const auto* db : {"admin", "config", "local"}) {
    for (const auto* name : {"find", "insert", "aggregate", "drop", "collStats"})
      EXPECT_EQ(verdict(document{{name, "system.users"}, {"$db", db}}), code::unauthorized) << name << db;
    EXPECT_EQ(verdict(document{{"find", uuid}, {"$db", db}}), code::unauthorized) << db;
    EXPECT_EQ(verdict(document{{"find", "things"}, {"$db", db}}), code::none) << db;
  }
  EXPECT_EQ(verdict(document{{"find", uuid}, {"$db", "shop"}}), code::none);
  EXPECT_EQ(verdict(document{{"splitVector", "admin.system.users"}, {"$db", "shop"}}), code::unauthorized);
  for (const auto* name : {"applyOps", "doTxn"}) {
    EXPECT_EQ(verdict(document{{name, array{}}, {"$db", "shop"}}), code::unauthorized) << name;
    EXPECT_EQ(verdict(document{{name, array{}}, {"$db", "shop"}}, chief), code::none) << name;
  }
}

TEST_F(Admission, no_stage_of_a_pipeline_reaches_it_for_others) {
  const auto run = [this](const value& stage, const char* db, const caller& who = user) {
    return verdict(document{{"aggregate", "x"}, {"pipeline", array{stage}}, {"cursor", document()}, {"$db", db}}, who);
  };
  const document by_name{{"from", "system.users"}, {"pipeline", array{}}, {"as", "u"}};
  const document by_pair{{"from", document{{"db", "admin"}, {"coll", "system.users"}}}, {"as", "u"}};
  const document union_pair{{"coll", "system.users"}, {"db", "admin"}, {"pipeline", array{}}};
  const document union_by_name{{"$unionWith", "system.users"}};
  const document into{{"into", document{{"coll", "system.users"}, {"db", "admin"}}}};
  // Of the database that the command is of.
  for (const auto& stage : {union_by_name, document{{"$lookup", by_name}}, document{{"$graphLookup", by_name}},
                            document{{"$out", "system.users"}}, document{{"$merge", "system.users"}}}) {
    EXPECT_EQ(run(stage, "admin"), code::unauthorized);
    EXPECT_EQ(run(stage, "admin", chief), code::none);
    EXPECT_EQ(run(stage, "shop"), code::none);
  }
  // Of a database that the stage names.
  for (const auto& stage :
       {document{{"$lookup", by_pair}}, document{{"$graphLookup", by_pair}}, document{{"$unionWith", union_pair}},
        document{{"$merge", into}}, document{{"$out", document{{"db", "admin"}, {"coll", "system.users"}}}}}) {
    EXPECT_EQ(run(stage, "shop"), code::unauthorized);
    EXPECT_EQ(run(stage, "shop", chief), code::none);
  }
  // Inside of others.
  const document within{{"coll", "y"}, {"pipeline", array{union_by_name}}};
  const document elsewhere{{"coll", "y"}, {"db", "admin"}, {"pipeline", array{union_by_name}}};
  EXPECT_EQ(run(document{{"$unionWith", within}}, "admin"), code::unauthorized);
  EXPECT_EQ(run(document{{"$unionWith", elsewhere}}, "shop"), code::unauthorized);
  EXPECT_EQ(run(document{{"$facet", document{{"a", array{union_by_name}}}}}, "admin"), code::unauthorized);
  // Of forms that nobody knows yet.
  const document newest{{"input", document{{"pipelines", document{{"a", array{union_by_name}}}}}}};
  EXPECT_EQ(run(document{{"$rankFusion", newest}}, "admin"), code::unauthorized);
  EXPECT_EQ(run(document{{"$newest", "admin.system.users"}}, "shop"), code::unauthorized);
  EXPECT_EQ(run(document{{"$newest", binary{4, byte_buffer(16)}}}, "admin"), code::unauthorized);
  EXPECT_EQ(run(document{{"$match", document{}}, {"$unionWith", "system.users"}}, "admin"), code::unauthorized);
}

TEST_F(Admission, a_pipeline_nested_beyond_what_a_server_takes_is_refused) {
  document stage{{"$unionWith", "y"}};
  for (int i = 0; i < protocol::max_depth; ++i)
    stage = document{{"$unionWith", document{{"coll", "y"}, {"pipeline", array{stage}}}}};
  const document command{{"aggregate", "x"}, {"pipeline", array{stage}}, {"$db", "shop"}};
  EXPECT_EQ(verdict(command), code::unauthorized);
}

TEST_F(Admission, values_that_look_like_such_a_name_are_values) {
  const document literal{{"$match", document{{"ns", "admin.system.users"}}}};
  const document where{{"db", "admin"}, {"name", "system.users"}};
  for (const auto& command :
       {document{{"aggregate", "x"}, {"pipeline", array{literal}}, {"$db", "admin"}},
        document{{"insert", "x"}, {"documents", array{where}}, {"$db", "admin"}},
        document{{"find", "x"}, {"filter", where}, {"comment", "admin.system.users"}, {"$db", "admin"}},
        document{{"dropIndexes", "x"}, {"comment", "system.users"}, {"$db", "admin"}},
        document{
            {"bulkWrite", 1}, {"ops", array{where}}, {"nsInfo", array{document{{"ns", "a.b"}}}}, {"$db", "admin"}}})
    EXPECT_EQ(verdict(command), code::none);
}

TEST_F(Admission, no_other_field_reaches_it_either) {
  const document read{{"find", "system.users"}};
  const document nested{{"aggregate", "x"}, {"pipeline", array{document{{"$unionWith", "system.users"}}}}};
  const document out{{"replace", "system.users"}, {"db", "admin"}};
  const array names{document{{"ns", "shop.c"}}, document{{"ns", "admin.system.users"}}};
  for (const auto& command :
       {document{{"explain", read}, {"$db", "admin"}}, document{{"explain", nested}, {"$db", "admin"}},
        document{{"create", "v"}, {"viewOn", "system.users"}, {"pipeline", array{}}, {"$db", "admin"}},
        document{{"collMod", "v"}, {"viewOn", "system.users"}, {"$db", "admin"}},
        document{{"mapReduce", "x"}, {"out", out}, {"$db", "shop"}},
        document{{"bulkWrite", 1}, {"ops", array{}}, {"nsInfo", names}, {"$db", "admin"}},
        document{{"renameCollection", "admin.system.users"}, {"to", "shop.u"}, {"$db", "admin"}},
        document{{"renameCollection", "admin.things"}, {"to", "shop.u"}, {"$db", "admin"}},
        document{{"renameCollection", "shop.u"}, {"to", "admin.system.users"}, {"$db", "admin"}}}) {
    EXPECT_EQ(verdict(command), code::unauthorized);
    EXPECT_EQ(verdict(command, chief), code::none);
  }
  EXPECT_EQ(verdict(document{{"renameCollection", "shop.u"}, {"to", "shop.v"}, {"$db", "admin"}}), code::none);
}

TEST_F(Admission, what_stands_in_a_sequence_counts_like_what_stands_in_the_body) {
  const auto with = [](const document& body, std::string_view name, const document& one) {
    const auto message = op_msg_message(body, {}, {{std::string(name), {one}}});
    protocol::op_msg parsed;
    EXPECT_EQ(protocol::parse_op_msg(message, parsed), protocol::op_msg_error::none);
    protocol::command_view command;
    EXPECT_EQ(protocol::view_command(parsed, 1, command), protocol::command_error::none);
    const auto refused = check_admission(command, user);
    return refused ? refused->code : code::none;
  };
  const document bulk{{"bulkWrite", 1}, {"$db", "admin"}};
  EXPECT_EQ(with(bulk, "nsInfo", document{{"ns", "admin.system.users"}}), code::unauthorized);
  EXPECT_EQ(with(bulk, "nsInfo", document{{"ns", "shop.things"}}), code::none);
  const document all{{"aggregate", "x"}, {"$db", "admin"}};
  EXPECT_EQ(with(all, "pipeline", document{{"$unionWith", "system.users"}}), code::unauthorized);
  EXPECT_EQ(with(all, "pipeline", document{{"$match", document{{"x", "system.users"}}}}), code::none);
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
