// Commands by name: what each of them reaches, and the labels of metrics.
#include "write_plan_support.hpp"

namespace mongocached::cache {
namespace {

document aggregate(const value& stages) {
  return with(on_shop("aggregate"), "pipeline", stages);
}

TEST(command_table, an_aggregate_writes_where_it_says) {
  const document match{{"$match", document{{"a", 1}}}};
  const auto with_stage = [&](const value& stage) { return plan_of(aggregate(array{match, stage})); };
  EXPECT_EQ(plan_of(aggregate(array{match})), "read");
  EXPECT_EQ(plan_of(aggregate(array{})), "read");
  EXPECT_EQ(with_stage(document{{"$out", "sums"}}), "write; collection shop.sums ddl");
  EXPECT_EQ(with_stage(document{{"$out", document{{"db", "stats"}, {"coll", "sums"}}}}),
            "write; collection stats.sums ddl");
  EXPECT_EQ(with_stage(document{{"$merge", "sums"}}), "write; collection shop.sums");
  EXPECT_EQ(with_stage(document{{"$merge", document{{"into", "sums"}}}}), "write; collection shop.sums");
  EXPECT_EQ(
      with_stage(document{{"$merge", document{{"into", document{{"db", "stats"}, {"coll", "sums"}}}, {"on", "_id"}}}}),
      "write; collection stats.sums");
  EXPECT_EQ(with_stage(document{{"$merge", document{{"into", document{{"coll", "sums"}}}}}}),
            "write; collection shop.sums");
}

TEST(command_table, an_aggregate_not_understood_reaches_everything) {
  const std::string all = "authorization; everything ddl";
  EXPECT_EQ(plan_of(on_shop("aggregate")), all);
  EXPECT_EQ(plan_of(aggregate("x")), all);
  EXPECT_EQ(plan_of(aggregate(array{1})), all);
  EXPECT_EQ(plan_of(with(aggregate(array{}), "pipeline", array{})), all);
  EXPECT_EQ(plan_of(aggregate(array{}), {{"pipeline", {document{{"$out", "a"}}}}}), all);
  EXPECT_EQ(plan_of(aggregate(array{document{{"$out", document{{"s3", document{}}}}}})), all);
  EXPECT_EQ(plan_of(aggregate(array{document{{"$merge", document{{"into", 1}}}}})), "authorization; everything");
}

// With batchSize 0 nothing is written before the first getMore.

TEST(command_table, an_aggregate_that_writes_later_says_so) {
  const auto body = [](const value& size) {
    return with(aggregate(array{document{{"$out", "sums"}}}), "cursor", document{{"batchSize", size}});
  };
  EXPECT_EQ(plan_of(body(0)), "write; collection shop.sums ddl; deferred");
  EXPECT_EQ(plan_of(body(0.5)), "write; collection shop.sums ddl; deferred");
  EXPECT_EQ(plan_of(body(decimal(0, 0))), "write; collection shop.sums ddl; deferred");
  EXPECT_EQ(plan_of(body(1)), "write; collection shop.sums ddl");
  EXPECT_EQ(plan_of(with(aggregate(array{}), "cursor", document{{"batchSize", 0}})), "read");
}

TEST(command_table, map_reduce) {
  const auto body = [](const value& output) { return plan_of(with(on_shop("mapReduce"), "out", output)); };
  EXPECT_EQ(body(document{{"inline", 1}}), "read");
  EXPECT_EQ(body(document{{"normal", "sums"}, {"inline", 1}}), "authorization; everything ddl");
  EXPECT_EQ(body(document{{"inline", 1}, {"merge", "sums"}}), "write; collection shop.sums ddl");
  EXPECT_EQ(body("sums"), "write; collection shop.sums ddl");
  EXPECT_EQ(body(document{{"merge", "sums"}}), "write; collection shop.sums ddl");
  EXPECT_EQ(body(document{{"replace", "sums"}, {"db", "stats"}}), "write; collection stats.sums ddl");
  EXPECT_EQ(body(document{{"x", 1}}), "authorization; everything ddl");
  EXPECT_EQ(plan_of(on_shop("mapreduce")), "authorization; everything ddl");
}

TEST(command_table, ddl_reaches_what_it_names) {
  for (const auto* name : {"create", "drop", "collMod", "convertToCapped", "createIndexes", "dropIndexes", "reIndex"}) {
    EXPECT_EQ(plan_of(on_shop(name)), "write; collection shop.things ddl") << name;
  }
  for (const auto* name : {"shardCollection", "reshardCollection", "refineCollectionShardKey", "moveCollection",
                           "unshardCollection", "abortReshardCollection", "commitReshardCollection"}) {
    EXPECT_EQ(plan_of(on_admin(name, "shop.things")), "write; collection shop.things ddl") << name;
    EXPECT_EQ(plan_of(on_admin(name, "things")), "authorization; everything ddl") << name;
  }
  EXPECT_EQ(plan_of(on_shop("dropDatabase", 1)), "write; database shop ddl");
  EXPECT_EQ(plan_of(on_shop("cloneCollectionAsCapped")), "write; database shop ddl");
  EXPECT_EQ(plan_of(on_admin("movePrimary", "shop")), "write; database shop ddl");
  EXPECT_EQ(plan_of(on_admin("enableSharding", "shop")), "write; database shop ddl");
  EXPECT_EQ(plan_of(on_shop("drop", 1)), "write; database shop ddl");
  for (const auto* name : {"applyOps", "eval", "copydb", "setFeatureCompatibilityVersion", "addShard"}) {
    EXPECT_EQ(plan_of(on_admin(name)), "authorization; everything ddl") << name;
  }
  EXPECT_EQ(plan_of(with(on_shop("validate"), "repair", true)), "write; collection shop.things ddl");
}

TEST(command_table, a_rename_reaches_both_names) {
  const auto rename = with(with(on_admin("renameCollection", "shop.things"), "to", "blog.posts"), "dropTarget", true);
  EXPECT_EQ(plan_of(rename), "write; collection shop.things ddl; collection blog.posts ddl");
  EXPECT_EQ(plan_of(on_admin("renameCollection", "shop.things")), "authorization; everything ddl");
  EXPECT_EQ(plan_of(with(on_admin("renameCollection", 1), "to", "blog.posts")), "authorization; everything ddl");
}

TEST(command_table, user_and_role_commands) {
  for (const auto* name :
       {"createUser", "updateUser", "dropUser", "dropAllUsersFromDatabase", "grantRolesToUser", "revokeRolesFromUser",
        "createRole", "updateRole", "dropRole", "dropAllRolesFromDatabase", "grantPrivilegesToRole",
        "revokePrivilegesFromRole", "grantRolesToRole", "revokeRolesFromRole", "invalidateUserCache"}) {
    EXPECT_EQ(plan_of(on_shop(name, "u")), "authorization") << name;
    EXPECT_FALSE(is_known_read(name));
  }
}

TEST(command_table, harmless_commands) {
  for (const auto* name : {"find",
                           "getMore",
                           "count",
                           "distinct",
                           "explain",
                           "listCollections",
                           "listDatabases",
                           "listIndexes",
                           "collStats",
                           "dbStats",
                           "usersInfo",
                           "connectionStatus",
                           "currentOp",
                           "serverStatus",
                           "hostInfo",
                           "buildInfo",
                           "buildinfo",
                           "getParameter",
                           "replSetGetStatus",
                           "getDefaultRWConcern",
                           "dbHash",
                           "whatsmyuri",
                           "listSearchIndexes"}) {
    EXPECT_EQ(plan_of(on_shop(name)), "read") << name;
    EXPECT_TRUE(is_known_read(name)) << name;
  }
  for (const auto* name : {"ping",
                           "hello",
                           "isMaster",
                           "ismaster",
                           "saslStart",
                           "saslContinue",
                           "logout",
                           "startSession",
                           "endSessions",
                           "refreshSessions",
                           "killCursors",
                           "killSessions",
                           "abortTransaction",
                           "killOp",
                           "getLastError",
                           "setParameter",
                           "replSetStepDown",
                           "fsync",
                           "shutdown",
                           "moveChunk",
                           "profile"}) {
    EXPECT_EQ(plan_of(on_shop(name, 1)), "session") << name;
    EXPECT_TRUE(is_known_read(name)) << name;
  }
  EXPECT_EQ(plan_of(on_shop("validate")), "read");
  for (const auto* name :
       {"aggregate", "mapReduce", "insert", "bulkWrite", "commitTransaction", "drop", "validate", "", "FIND", "x"}) {
    EXPECT_FALSE(is_known_read(name)) << name;
  }
}

TEST(command_table, an_unknown_command_may_change_its_database_or_anything) {
  EXPECT_EQ(plan_of(on_shop("frobnicate")), "write; database shop ddl; unknown");
  EXPECT_EQ(plan_of(on_shop("Insert")), "write; database shop ddl; unknown");
  EXPECT_EQ(plan_of(on_admin("frobnicate")), "authorization; everything ddl; unknown");
  EXPECT_EQ(plan_of(document{{"frobnicate", "things"}}), "authorization; everything ddl; unknown");
}

TEST(command_table, labels_are_a_closed_list) {
  const std::vector<std::pair<const char*, const char*>> samples{{"find", "find"},
                                                                 {"findandmodify", "findAndModify"},
                                                                 {"isMaster", "hello"},
                                                                 {"saslContinue", "sasl"},
                                                                 {"delete", "delete"},
                                                                 {"drop", "ddl"},
                                                                 {"createUser", "authorization"},
                                                                 {"serverStatus", "other"},
                                                                 {"made up", "other"},
                                                                 {"", "other"},
                                                                 {"abortTransaction", "abortTransaction"},
                                                                 {"createIndexes", "createIndexes"},
                                                                 {"listDatabases", "listDatabases"},
                                                                 {"endSessions", "endSessions"},
                                                                 {"mongocached", "mongocached"}};
  for (const auto& [command, label] : samples)
    EXPECT_STREQ(command_label_name(command_label(command)), label) << command;
  EXPECT_STREQ(command_label_name(command_label_count()), "other");
  for (std::size_t i = 0; i < command_label_count(); ++i) EXPECT_STRNE(command_label_name(i), "");
}

}  // namespace
}  // namespace mongocached::cache
