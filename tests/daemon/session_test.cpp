// Framing, the handshake and the relay.
#include "daemon/session/session.hpp"

#include <gtest/gtest.h>
#include <malloc.h>

#include "session_world.hpp"

namespace mongocached::daemon {
namespace {

class Session : public session_world {
 protected:
  loopback_client client{port()};

  static byte_buffer header_of(std::int32_t length, std::int32_t opcode = 2013) {
    byte_buffer out(protocol::header_size);
    protocol::store_le(out.data(), length);
    protocol::store_le(out.data() + 12, opcode);
    return out;
  }
  void expect_closed(byte_view bytes, disconnect why) {
    client.send(bytes);
    EXPECT_TRUE(client.is_closed_by_peer());
    EXPECT_EQ(closed(why), 1U);
  }
};

TEST_F(Session, a_reply_that_comes_in_parts_arrives_whole) {
  for (const std::size_t first : {1UL, protocol::header_size + 2, 60UL}) {
    upstream.on("find", [this, first](const asked& q) {
      auto out = answer::raw(op_msg_message(found({document{{"_id", 1}}}), {.request_id = 1, .response_to = q.id}));
      out.first = first;
      out.pause = [this] { wait_for_sweeps(1); };
      return out;
    });
    EXPECT_TRUE(
        is_ok(client.ask(document{{"find", "things"}, {"filter", document{{"x", int(first)}}}, {"$db", "shop"}})));
  }
}

TEST_F(Session, closes_on_a_length_below_the_floor_F1) {
  expect_closed(header_of(15), disconnect::bad_frame);
}

TEST_F(Session, closes_on_a_length_above_the_ceiling_F1) {
  expect_closed(header_of(48'000'001), disconnect::bad_frame);
}

TEST_F(Session, closes_on_a_negative_length_F1) {
  expect_closed(header_of(-1), disconnect::bad_frame);
}

TEST_F(Session, closes_on_an_opcode_that_it_does_not_speak) {
  expect_closed(header_of(16, 2010), disconnect::unsupported_opcode);
}

TEST_F(Session, closes_on_a_compressed_message_that_cannot_be_read) {
  expect_closed(header_of(16, 2012), disconnect::bad_message);
}

byte_buffer compressed(byte_view message, protocol::compressor with) {
  byte_buffer out;
  protocol::append_compressed(out, message, with);
  return out;
}

// The message inside; fails the test unless it came in the same compressor.
byte_buffer inside(byte_view message, protocol::compressor with) {
  byte_buffer out;
  protocol::compressor used{};
  EXPECT_EQ(protocol::decompress(message, out, used), protocol::compression_error::none);
  EXPECT_EQ(used, with);
  return out;
}

TEST_F(Session, answers_in_the_compressor_of_the_request_whoever_answers) {
  const auto hello = op_msg_message(document{{"hello", 1}, {"$db", "admin"}}, {.request_id = 5});
  const auto relayed = op_msg_message(ping(), {.request_id = 6});
  const auto refused = op_msg_message(document{{"find", "things"}, {"$db", 5}}, {.request_id = 7});
  using protocol::compressor;
  for (const auto with : {compressor::none, compressor::snappy, compressor::zlib, compressor::zstd}) {
    for (const auto& message : {hello, relayed, refused}) {
      client.send(compressed(message, with));
      const auto reply = inside(client.receive(), with);
      EXPECT_EQ(loopback_client::response_to(reply), protocol::load_le<std::int32_t>(message.data() + 4));
      client.send(message);  // the next one is not compressed
      EXPECT_EQ(protocol::load_le<std::int32_t>(client.receive().data() + 12), 2013);
    }
  }
}

TEST_F(Session, closes_on_an_op_msg_that_cannot_be_parsed_F1) {
  expect_closed(header_of(16), disconnect::bad_message);
}

TEST_F(Session, closes_on_a_required_flag_that_is_not_known_F1) {
  expect_closed(op_msg_message(ping(), {.flags = 1U << 5}), disconnect::bad_message);
}

TEST_F(Session, closes_on_a_wrong_checksum_F1) {
  auto message = with_checksum(op_msg_message(ping()));
  message.back() ^= 1U;
  expect_closed(message, disconnect::bad_checksum);
}

TEST_F(Session, more_sequences_than_any_command_has_are_answered_F3) {
  const std::vector<sequence> sequences{{"a", {}}, {"b", {}}, {"c", {}}, {"d", {}}, {"e", {}}};
  client.send(op_msg_message(ping(), {.flags = protocol::op_msg_flags::more_to_come}, sequences));
  client.send(op_msg_message(ping(), {}, sequences));
  EXPECT_EQ(code_of(client.reply()), 9);
  EXPECT_TRUE(is_ok(client.ask(ping())));
}

TEST_F(Session, takes_a_right_checksum_F1) {
  client.send(with_checksum(op_msg_message(ping())));
  EXPECT_TRUE(is_ok(client.reply()));
}

// One buffer of the thread holds the answers of a turn: what a client that is closed leaves there is nobody else's.
TEST_F(Session, answers_before_a_fault_go_to_the_client_that_asked_and_to_nobody_else) {
  auto bytes = op_msg_message(document{{"hello", 1}, {"$db", "admin"}}, {.request_id = 66});
  const auto broken = header_of(15);
  bytes.insert(bytes.end(), broken.begin(), broken.end());
  client.send(bytes);
  EXPECT_EQ(loopback_client::response_to(client.receive()), 66);
  EXPECT_TRUE(client.is_closed_by_peer());
  loopback_client other{port()};
  other.send(op_msg_message(document{{"hello", 1}, {"$db", "admin"}}, {.request_id = 77}));
  EXPECT_EQ(loopback_client::response_to(other.receive()), 77);
}

TEST_F(Session, closes_on_http_F2) {
  expect_closed(protocol::as_bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), disconnect::not_mongodb);
}

TEST_F(Session, closes_on_a_tls_hello_F2) {
  const byte_buffer hello{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0, 0, 0, 0, 0, 0};
  expect_closed(hello, disconnect::not_mongodb);
}

TEST_F(Session, counts_a_client_that_leaves) {
  { loopback_client gone(port()); }
  while (closed(disconnect::client_closed) == 0) static_cast<void>(client.ask(ping()));
  EXPECT_EQ(closed(disconnect::client_closed), 1U);
}

TEST_F(Session, answers_a_command_that_cannot_be_read_with_an_error_F3) {
  const auto reply = client.ask(document{{"find", "things"}, {"$db", 5}});
  EXPECT_EQ(code_of(reply), 9);
  EXPECT_TRUE(is_ok(client.ask(ping())));
}

TEST_F(Session, memory_grows_with_what_arrived_not_with_what_was_announced_F1) {
  static_cast<void>(client.ask(ping()));
  const auto before = ::mallinfo2();
  loopback_client greedy(port());
  greedy.send(header_of(47'000'000));
  for (int i = 0; i < 10; ++i) static_cast<void>(client.ask(ping()));
  const auto after = ::mallinfo2();
  EXPECT_LT(after.uordblks + after.hblkhd, before.uordblks + before.hblkhd + 256 * 1024);
}

TEST_F(Session, answers_hello_in_both_opcodes_H1) {
  const auto modern = client.ask(document{{"hello", 1}, {"$db", "admin"}});
  EXPECT_EQ(field_in(modern.view(), "isWritablePrimary").truthy(), true);
  client.send(op_query_message(document{{"isMaster", 1}}, {.request_id = 77}));
  const auto message = client.receive();
  EXPECT_EQ(protocol::load_le<std::int32_t>(message.data() + 12), 1);
  EXPECT_EQ(loopback_client::response_to(message), 77);
  EXPECT_EQ(field_in(loopback_client::body_of(message).view(), "ismaster").truthy(), true);
}

TEST_F(Session, poses_as_a_mongos_H1) {
  const auto reply = client.ask(document{{"hello", 1}, {"$db", "admin"}});
  EXPECT_EQ(field_in(reply.view(), "msg").text(), "isdbgrid");
  EXPECT_EQ(field_in(reply.view(), "maxWireVersion").integer(), 21);
  for (const auto* never : {"hosts", "setName", "setVersion", "me", "primary", "electionId", "isreplicaset", "arbiters",
                            "passives", "lastWrite", "secondary", "topologyVersion"}) {
    EXPECT_FALSE(reply.view().find(never)) << never;
  }
}

TEST_F(Session, hello_tells_the_time_of_the_monitors_and_then_of_newer_replies_S8) {
  const auto time_in = [](const document& reply) {
    const auto time = reply.view().find("$clusterTime");
    return time ? must(field_in(must(time->document()), "clusterTime").timestamp()) : 0;
  };
  const auto told = [](std::uint64_t time) {
    const document signature{{"keyId", std::int64_t{9}}};
    return document{{"clusterTime", timestamp{time}}, {"signature", signature}};
  };
  const document hello{{"hello", 1}, {"$db", "admin"}};
  EXPECT_EQ(time_in(client.ask(hello)), 0U);
  auto seen = known();
  seen.hello = document{{"maxWireVersion", 21}, {"ok", 1.0}, {"$clusterTime", told(5)}}.bytes();
  seen.version = 2;
  thread.set_upstream(std::make_shared<upstream_snapshot>(seen));
  // The thread is told of the snapshot a turn before it answers, as a rule.
  for (int i = 0; i < 1000 && time_in(client.ask(hello)) == 0; ++i) continue;
  EXPECT_EQ(time_in(client.ask(hello)), 5U);
  upstream.on("ping", [&](const asked&) { return document{{"ok", 1.0}, {"$clusterTime", told(800)}}; });
  static_cast<void>(client.ask(ping()));
  EXPECT_EQ(time_in(client.ask(hello)), 800U);
}

TEST_F(Session, a_hello_never_reaches_the_upstream_U2) {
  static_cast<void>(client.ask(document{{"hello", 1}, {"$db", "admin"}}));
  EXPECT_EQ(upstream.count("hello"), 0U);
}

// A driver that has no other opcode yet logs in by it.
TEST_F(Session, logs_in_by_op_query_and_answers_in_kind) {
  upstream.on("saslStart", [](const asked&) { return document{{"conversationId", 1}, {"payload", "s"}, {"ok", 1.0}}; });
  client.send(
      op_query_message(document{{"saslStart", 1}, {"mechanism", "SCRAM-SHA-256"}}, {.request_id = 78}, "shop.$cmd"));
  const auto message = client.receive();
  EXPECT_EQ(protocol::load_le<std::int32_t>(message.data() + 12), 1);
  EXPECT_EQ(loopback_client::response_to(message), 78);
  EXPECT_EQ(field_in(loopback_client::body_of(message).view(), "payload").text(), "s");
  EXPECT_EQ(field_in(upstream.last("saslStart").body.view(), "$db").text(), "shop");
  client.send(op_query_message(document{{"buildInfo", 1}}, {.request_id = 79}));
  const auto built = client.receive();
  EXPECT_EQ(protocol::load_le<std::int32_t>(built.data() + 12), 1);
  EXPECT_EQ(loopback_client::response_to(built), 79);
  EXPECT_TRUE(is_ok(client.ask(ping())));
}

TEST_F(Session, a_large_message_behind_an_op_query_is_answered_by_op_msg) {
  client.send(op_query_message(document{{"buildInfo", 1}}));
  static_cast<void>(client.receive());
  const document row{{"_id", 9}, {"x", std::string(500'000, 'x')}};
  client.send(document{{"insert", "things"}, {"documents", array{row}}, {"$db", "shop"}});
  EXPECT_EQ(protocol::load_le<std::int32_t>(client.receive().data() + 12), 2013);
}

TEST_F(Session, a_refusal_of_what_came_by_op_query_comes_in_kind) {
  client.send(op_query_message(document{{"saslStart", 1}, {"mechanism", "MONGODB-X509"}}, {.request_id = 78}));
  const auto message = client.receive();
  EXPECT_EQ(protocol::load_le<std::int32_t>(message.data() + 12), 1);
  EXPECT_EQ(code_of(loopback_client::body_of(message)), 18);
}

TEST_F(Session, a_malformed_login_by_op_query_closes) {
  const byte_buffer no_document{9, 0, 0, 0, 2, 'x', 0, 9, 0};
  client.send(op_query_message(document{{"saslStart", raw_value{bson_type::document, no_document}}}));
  EXPECT_TRUE(client.is_closed_by_peer());
  EXPECT_EQ(closed(disconnect::bad_message), 1U);
}

// A server carries out what it has received, whether or not the client stays to see it.
TEST_F(Session, writes_that_want_no_reply_are_carried_out_though_their_client_left) {
  const held_answer held(okay());
  upstream.on("ping", held.handler());
  upstream.on("insert", [](const asked&) { return answer::none(); });
  {
    loopback_client leaving(port());
    byte_buffer all;
    for (std::int32_t id = 1; id <= 5; ++id) {
      const auto one = op_msg_message(document{{"insert", "things"}, {"$db", "shop"}},
                                      {.request_id = id, .flags = protocol::op_msg_flags::more_to_come});
      all.insert(all.end(), one.begin(), one.end());
    }
    leaving.send(all);
    held.wait_until_asked_for();  // behind the first of them
  }
  wait_for_sweeps();
  held.release();
  while (upstream.count("insert") < 5) std::this_thread::yield();
  while (closed(disconnect::client_closed) == 0) std::this_thread::yield();
}

TEST_F(Session, a_request_that_wants_no_reply_gets_none_though_it_is_malformed) {
  const message_options mute{.request_id = 5, .flags = protocol::op_msg_flags::more_to_come};
  client.send(document{{"insert", "things"}, {"lsid", 1}, {"$db", "shop"}}, mute);
  client.send(document{{"hello", 1}, {"$db", "admin"}}, mute);
  client.send(op_msg_message(ping(), {.request_id = 6}));
  EXPECT_EQ(loopback_client::response_to(client.receive()), 6);
}

TEST_F(Session, a_logout_that_wants_no_reply_keeps_nothing_waiting) {
  upstream.on("logout", [](const asked&) { return answer::none(); });
  client.send(document{{"logout", 1}, {"$db", "shop"}}, {.flags = protocol::op_msg_flags::more_to_come});
  EXPECT_TRUE(is_ok(client.ask(ping())));
}

TEST_F(Session, a_reply_to_another_request_ends_the_connection_and_is_not_cached) {
  upstream.on("find", [](const asked& q) {
    return answer::raw(op_msg_message(found({document{{"_id", 1}}}), {.request_id = 1, .response_to = q.id + 1}));
  });
  client.send(find());
  EXPECT_TRUE(client.is_closed_by_peer());
  upstream.on("find", [](const asked&) { return found({document{{"_id", 1}, {"x", "right"}}}); });
  loopback_client other(port());
  static_cast<void>(other.ask(find()));
  EXPECT_EQ(upstream.count("find"), 2U);
}

TEST_F(Session, a_reply_that_announces_another_one_unasked_ends_the_connection) {
  upstream.on("count", [](const asked& q) {
    return answer::raw(
        op_msg_message(okay(), {.request_id = 1, .response_to = q.id, .flags = protocol::op_msg_flags::more_to_come}));
  });
  client.send(document{{"count", "things"}, {"$db", "shop"}});
  EXPECT_TRUE(client.is_closed_by_peer());
}

TEST_F(Session, refuses_other_commands_in_op_query) {
  client.send(op_query_message(ping()));
  EXPECT_EQ(code_of(client.reply()), 352);
  EXPECT_EQ(counted(outcome::error, "ping"), 1U);
  EXPECT_EQ(timed(outcome::error), 1U);
}

TEST_F(Session, a_hello_answered_here_is_timed_as_well) {
  static_cast<void>(client.ask(document{{"hello", 1}, {"$db", "admin"}}));
  static_cast<void>(client.ask(ping()));
  EXPECT_EQ(counted(outcome::local, "hello"), 1U);
  EXPECT_EQ(timed(outcome::local), 1U);
}

TEST_F(Session, ping_is_forwarded_U1) {
  EXPECT_TRUE(is_ok(client.ask(ping())));
  EXPECT_EQ(upstream.count("ping"), 1U);
}

TEST_F(Session, a_command_travels_byte_for_byte_U1) {
  const document command{{"count", "things"}, {"odd", 1.5}, {"$db", "shop"}};
  static_cast<void>(client.ask(command));
  EXPECT_EQ(upstream.last("count").body.bytes(), command.bytes());
}

TEST_F(Session, pipelined_requests_are_answered_in_order) {
  static_cast<void>(client.ask(find()));
  byte_buffer all;
  for (std::int32_t id = 1; id <= 20; ++id) {
    const auto one = op_msg_message(id % 3 == 0 ? ping() : find(), {.request_id = id});
    all.insert(all.end(), one.begin(), one.end());
  }
  client.send(all);
  for (std::int32_t id = 1; id <= 20; ++id) EXPECT_EQ(loopback_client::response_to(client.receive()), id);
}

TEST_F(Session, a_message_may_be_split_anywhere_F1) {
  static_cast<void>(client.ask(find()));
  const auto message = op_msg_message(find());
  for (std::size_t at = 1; at < message.size(); ++at) {
    client.send(byte_view(message).first(at));
    client.send(byte_view(message).subspan(at));
    ASSERT_TRUE(is_ok(client.reply())) << at;
  }
}

TEST_F(Session, a_message_may_come_byte_by_byte_F1) {
  const auto message = op_msg_message(ping());
  for (const auto& byte : message) client.send(byte_view(&byte, 1));
  EXPECT_TRUE(is_ok(client.reply()));
}

TEST_F(Session, a_slow_reader_gets_everything) {
  const document large{{"_id", 1}, {"x", std::string(200'000, 'x')}};
  upstream.on("find", [&large](const asked&) { return found({large}); });
  static_cast<void>(client.ask(find()));
  byte_buffer all;
  for (std::int32_t id = 1; id <= 60; ++id) {
    const auto one = op_msg_message(find(), {.request_id = id});
    all.insert(all.end(), one.begin(), one.end());
  }
  client.send(all);
  loopback_client other(port());
  EXPECT_TRUE(is_ok(other.ask(ping())));
  for (std::int32_t id = 1; id <= 60; ++id) {
    const auto message = client.receive();
    ASSERT_EQ(loopback_client::response_to(message), id);
    ASSERT_GT(message.size(), 200'000U);
  }
  EXPECT_EQ(finds(), 1U);
}

TEST_F(Session, a_large_request_streams_through) {
  const document row{{"_id", 1}, {"x", std::string(5'000'000, 'x')}};
  const document command{{"insert", "things"}, {"documents", array{row}}, {"$db", "shop"}};
  EXPECT_TRUE(is_ok(client.ask(command)));
  EXPECT_EQ(upstream.last("insert").body.bytes(), command.bytes());
}

TEST_F(Session, a_large_reply_streams_through_and_is_not_stored_S3) {
  const document row{{"_id", 1}, {"x", std::string(5'000'000, 'x')}};
  const auto whole = found({row});
  upstream.on("find", [&whole](const asked&) { return whole; });
  EXPECT_EQ(client.ask(find()).bytes(), whole.bytes());
  EXPECT_EQ(client.ask(find()).bytes(), whole.bytes());
  EXPECT_EQ(finds(), 2U);
}

TEST_F(Session, without_an_upstream_a_client_waits_no_longer_than_maxTimeMS_F5) {
  lose_upstream();
  const auto reply = client.ask(document{{"count", "things"}, {"maxTimeMS", 1}, {"$db", "shop"}});
  EXPECT_EQ(code_of(reply), 133);
}

TEST_F(Session, an_error_of_our_own_labels_a_retryable_write_F3) {
  lose_upstream();
  const auto reply = client.ask(document{{"insert", "things"},
                                         {"documents", array{document{{"_id", 1}}}},
                                         {"lsid", document{{"id", binary{4, byte_buffer(16)}}}},
                                         {"txnNumber", 1L},
                                         {"maxTimeMS", 1},
                                         {"$db", "shop"}});
  EXPECT_EQ(code_of(reply), 133);
  EXPECT_TRUE(has_label(reply, "RetryableWriteError"));
}

TEST_F(Session, a_lost_upstream_closes_the_client_F4) {
  upstream.on("count", [](const asked&) { return answer::hang_up(); });
  client.send(document{{"count", "things"}, {"$db", "shop"}});
  EXPECT_TRUE(client.is_closed_by_peer());
  EXPECT_EQ(closed(disconnect::upstream_lost), 1U);
}

TEST_F(Session, a_state_change_is_relayed_without_topologyVersion_F4) {
  upstream.on("count", [](const asked&) {
    return document{{"topologyVersion", document{{"counter", 1L}}},
                    {"ok", 0.0},
                    {"errmsg", "not primary"},
                    {"code", 10107},
                    {"errorLabels", array{"RetryableWriteError"}}};
  });
  const auto reply = client.ask(document{{"count", "things"}, {"$db", "shop"}});
  EXPECT_EQ(code_of(reply), 10107);
  EXPECT_TRUE(has_label(reply, "RetryableWriteError"));
  EXPECT_FALSE(reply.view().find("topologyVersion"));
}

TEST_F(Session, a_state_change_asks_for_a_look_at_the_topology_and_leaves_the_server_F4) {
  upstream.on("count", [](const asked&) { return failed(10107); });
  static_cast<void>(client.ask(document{{"count", "things"}, {"$db", "shop"}}));
  EXPECT_TRUE(is_ok(client.ask(ping())));
  EXPECT_EQ(topology_checks, 1);
  EXPECT_EQ(upstream.count("hello"), 2U);  // the ping came on a new connection
}

TEST_F(Session, x509_is_refused_here_I1) {
  const auto reply = client.ask(document{{"authenticate", 1}, {"mechanism", "MONGODB-X509"}, {"$db", "$external"}});
  EXPECT_EQ(code_of(reply), 18);
  EXPECT_EQ(upstream.count("authenticate"), 0U);
}

TEST_F(Session, x509_is_refused_inside_a_hello_I1) {
  const document speculative{{"authenticate", 1}, {"mechanism", "MONGODB-X509"}};
  const auto reply = client.ask(document{{"hello", 1}, {"speculativeAuthenticate", speculative}, {"$db", "admin"}});
  EXPECT_EQ(code_of(reply), 18);
  EXPECT_EQ(upstream.count("hello"), 0U);
}

TEST_F(Session, a_hello_with_user_fields_travels_H3) {
  upstream.on("hello", [](const asked&) {
    return document{{"saslSupportedMechs", array{"SCRAM-SHA-256"}}, {"setName", "rs0"}, {"ok", 1.0}};
  });
  const auto reply = client.ask(document{{"hello", 1}, {"saslSupportedMechs", "admin.ann"}, {"$db", "admin"}});
  EXPECT_TRUE(reply.view().find("saslSupportedMechs"));
  EXPECT_FALSE(reply.view().find("setName"));
  EXPECT_EQ(upstream.count("hello"), 1U);
}

}  // namespace
}  // namespace mongocached::daemon
