#include "daemon/hello.hpp"

#include <gtest/gtest.h>

#include "support/message_builders.hpp"

namespace mongocached::daemon {
namespace {

using namespace test_support;  // NOLINT: tests read as JSON

const document upstream{{"setName", "rs0"},
                        {"maxWireVersion", 21},
                        {"minWireVersion", 0},
                        {"saslSupportedMechs", array{"PLAIN"}},
                        {"topologyVersion", document()},
                        {"compression", array{"snappy"}},
                        {"newField", 1},
                        {"$clusterTime", document{{"clusterTime", timestamp{5}}}},
                        {"operationTime", timestamp{5}}};

document reply_to(const document& request, upstream_kind kind = upstream_kind::replica_set, bool tail = false) {
  byte_buffer out;
  const hello_facts facts{.kind = kind, .now_ms = 17, .connection_id = 3, .service_id = {9}, .advertise = {}};
  append_hello_reply(out, request.view(), upstream.view(), facts, tail);
  return document(out);
}

document upstream_hello(const document& request, const protocol::compressor_list& ours = {}) {
  byte_buffer out;
  append_upstream_hello(out, request.view(), ours);
  return document(out);
}

bool has(const document& in, std::string_view field) {
  return in.view().find(field).has_value();
}

TEST(hello, knows_its_three_names_H1) {
  EXPECT_TRUE(is_hello("hello"));
  EXPECT_TRUE(is_hello("isMaster"));
  EXPECT_TRUE(is_hello("ismaster"));
  EXPECT_FALSE(is_hello("Hello"));
}

TEST(hello, answers_by_the_name_it_was_asked_H1) {
  EXPECT_TRUE(has(reply_to(document{{"hello", 1}}), "isWritablePrimary"));
  EXPECT_TRUE(has(reply_to(document{{"isMaster", 1}}), "ismaster"));
  EXPECT_FALSE(has(reply_to(document{{"isMaster", 1}}), "isWritablePrimary"));
}

TEST(hello, passes_on_only_what_is_on_the_allow_list_H1) {
  const auto reply = reply_to(document{{"hello", 1}});
  EXPECT_TRUE(has(reply, "maxWireVersion"));
  for (const auto* never : {"setName", "topologyVersion", "newField", "compression"}) EXPECT_FALSE(has(reply, never));
}

TEST(hello, poses_as_the_only_member_of_a_replica_set_H2) {
  const auto pose = [](const document& server, upstream_kind kind) {
    byte_buffer out;
    hello_facts facts;
    facts.kind = kind;
    facts.advertise = "cache.example:1";
    append_hello_reply(out, document{{"hello", 1}}.view(), server.view(), facts, false);
    return document(out);
  };
  const auto reply = pose(upstream, upstream_kind::replica_set);
  EXPECT_EQ(field_in(reply.view(), "setName").text(), "rs0");
  EXPECT_EQ(field_in(reply.view(), "me").text(), "cache.example:1");
  EXPECT_EQ(field_in(reply.view(), "primary").text(), "cache.example:1");
  EXPECT_EQ(field_in(reply.view(), "isWritablePrimary").truthy(), true);
  EXPECT_EQ(field_in(reply.view(), "secondary").truthy(), false);
  for (const auto* never : {"msg", "topologyVersion", "electionId", "lastWrite"}) EXPECT_FALSE(has(reply, never));
  EXPECT_EQ(field_in(pose(document{{"msg", "isdbgrid"}}, upstream_kind::sharded).view(), "setName").text(),
            "mongocached");
  EXPECT_FALSE(has(pose(document{{"ok", 1}}, upstream_kind::standalone), "setName"));
}

TEST(hello, offers_the_compressors_that_both_speak_in_the_clients_order_H2) {
  const auto chosen = [](const array& offered) {
    const auto reply = reply_to(document{{"hello", 1}, {"compression", offered}});
    const auto list = reply.view().find("compression");
    std::string names;
    if (!list) return names;
    protocol::bson_element name;
    for (protocol::bson_cursor cursor(*list->array()); cursor.next(name);) {
      names += std::string(name.name) + std::string(*name.text()) + ' ';
    }
    return names;
  };
  EXPECT_EQ(chosen(array{"zstd", "lz4", "snappy"}), "0zstd 1snappy ");
  EXPECT_EQ(chosen(array{"zlib", "zlib", "zlib", "zlib", 5, "zstd"}), "0zlib 1zstd ");
  EXPECT_EQ(chosen(array{"lz4", "noop"}), "");
  EXPECT_EQ(chosen(array{}), "");
  EXPECT_FALSE(has(reply_to(document{{"hello", 1}, {"compression", "zlib"}}), "compression"));
}

TEST(hello, poses_as_a_mongos_H1) {
  EXPECT_EQ(field_in(reply_to(document{{"hello", 1}}).view(), "msg").text(), "isdbgrid");
}

TEST(hello, shows_a_standalone_as_a_standalone_H1) {
  EXPECT_FALSE(has(reply_to(document{{"hello", 1}}, upstream_kind::standalone), "msg"));
}

TEST(hello, tells_our_own_time_and_connection_H1) {
  const auto reply = reply_to(document{{"hello", 1}});
  EXPECT_EQ(field_in(reply.view(), "connectionId").integer(), 3);
  EXPECT_TRUE(field_in(reply.view(), "localTime").is(bson_type::date));
}

TEST(hello, gives_a_serviceId_to_a_load_balanced_client_only_H2) {
  EXPECT_TRUE(has(reply_to(document{{"hello", 1}, {"loadBalanced", true}}), "serviceId"));
  EXPECT_FALSE(has(reply_to(document{{"hello", 1}, {"loadBalanced", false}}), "serviceId"));
  EXPECT_FALSE(has(reply_to(document{{"hello", 1}}), "serviceId"));
}

TEST(hello, passes_on_times_where_the_request_travelled) {
  EXPECT_FALSE(has(reply_to(document{{"hello", 1}}), "$clusterTime"));
  const auto travelled = reply_to(document{{"hello", 1}}, upstream_kind::replica_set, true);
  EXPECT_TRUE(has(travelled, "$clusterTime"));
  EXPECT_TRUE(has(travelled, "operationTime"));
}

TEST(hello, tells_the_clusters_time_as_a_mongos_does) {
  const document newest{{"clusterTime", timestamp{7}}};
  byte_buffer out;
  append_hello_reply(out, document{{"hello", 1}}.view(), upstream.view(), {.cluster_time = newest.bytes(), .time = 7},
                     false);
  const document reply(out);
  const auto told = must(field_in(reply.view(), "$clusterTime").document());
  EXPECT_EQ(field_in(told, "clusterTime").timestamp(), 7U);
  EXPECT_EQ(field_in(reply.view(), "operationTime").timestamp(), 7U);
}

TEST(hello, user_fields_are_for_the_upstream_to_answer_H3) {
  EXPECT_TRUE(has_user_fields(document{{"hello", 1}, {"saslSupportedMechs", "a.b"}}.view()));
  EXPECT_TRUE(has_user_fields(document{{"hello", 1}, {"speculativeAuthenticate", document()}}.view()));
  EXPECT_FALSE(has_user_fields(document{{"hello", 1}, {"client", document()}}.view()));
}

TEST(hello, travels_without_what_would_change_the_connection_H3) {
  const auto sent = upstream_hello(document{{"hello", 1},
                                            {"saslSupportedMechs", "a.b"},
                                            {"compression", array{"zlib"}},
                                            {"loadBalanced", true},
                                            {"topologyVersion", document()},
                                            {"maxAwaitTimeMS", 10},
                                            {"$db", "other"}});
  EXPECT_EQ(sent.bytes(), (document{{"hello", 1}, {"saslSupportedMechs", "a.b"}, {"$db", "admin"}}.bytes()));
}

TEST(hello, travels_with_our_compressors_whatever_the_client_speaks_H3) {
  protocol::compressor_list ours;
  ours.add(protocol::compressor::zstd);
  ours.add(protocol::compressor::snappy);
  const document with_ours{{"hello", 1}, {"compression", array{"zstd", "snappy"}}, {"$db", "admin"}};
  EXPECT_EQ(upstream_hello(document{{"hello", 1}, {"compression", array{"zlib"}}}, ours).bytes(), with_ours.bytes());
  EXPECT_EQ(upstream_hello(document{{"hello", 1}}, ours).bytes(), with_ours.bytes());
  byte_buffer out;
  append_plain_hello(out, std::nullopt, ours);
  EXPECT_EQ(out, with_ours.bytes());
}

TEST(hello, opens_a_connection_with_the_clients_own_metadata) {
  const document client{{"application", "x"}};
  byte_buffer out;
  append_plain_hello(out, client.view(), {});
  EXPECT_EQ(out, (document{{"hello", 1}, {"client", client}, {"$db", "admin"}}.bytes()));
}

}  // namespace
}  // namespace mongocached::daemon
