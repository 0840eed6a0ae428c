// What a message does not get past us for being long, for hiding its body, for coming slowly, or for being compressed.
#include <gtest/gtest.h>

#include "protocol/compression.hpp"
#include "session_world.hpp"

namespace mongocached::daemon {
namespace {

constexpr int unauthorized = 13;
constexpr int refused_unread = 9;
constexpr int authentication_failed = 18;

class SessionLarge : public session_world {
 protected:
  static std::string padding() { return std::string(300'000, 'x'); }
  // With `more` and padding behind it, so that what stands behind the padding is not seen at first.
  static document padded(const char* command, const value& first, const char* name, const value& more) {
    return document{{command, first}, {"$db", "admin"}, {"comment", padding()}, {name, more}};
  }
  // A sequence of documents, large if need be, and the body behind it.
  static byte_buffer body_last(const document& body, const sequence& before) {
    auto message = op_msg_message(body);
    const byte_buffer section(message.begin() + 20, message.end());
    message.resize(20);
    append_sequence(message, before);
    message.insert(message.end(), section.begin(), section.end());
    fix_length(message);
    return message;
  }
  static sequence large_sequence() { return {"documents", {document{{"_id", 7}, {"x", padding()}}}}; }
  static byte_buffer large_insert() {
    return op_msg_message(document{{"insert", "things"}, {"$db", "shop"}}, {}, {large_sequence()});
  }
  void prime() { session_world::prime(client); }
  void expect_hit() {
    const auto before = finds();
    EXPECT_TRUE(is_ok(client.ask(find())));
    EXPECT_EQ(finds(), before);
  }
  void expect_asked() {
    const auto before = finds();
    EXPECT_TRUE(is_ok(client.ask(find())));
    EXPECT_EQ(finds(), before + 1);
  }

  loopback_client client{port()};
  loopback_client other{port()};
};

TEST_F(SessionLarge, a_login_or_handshake_is_not_relayed_for_being_long_I1_H1) {
  const std::vector<document> commands{padded("hello", 1, "client", document()),
                                       padded("isMaster", 1, "client", document()),
                                       padded("saslStart", 1, "mechanism", "SCRAM-SHA-256"),
                                       padded("saslContinue", 1, "conversationId", 1),
                                       padded("logout", 1, "x", 1),
                                       padded("authenticate", 1, "mechanism", "MONGODB-X509")};
  for (const auto& command : commands) {
    protocol::bson_element first;
    protocol::bson_cursor fields(command.view());
    ASSERT_TRUE(fields.next(first));
    EXPECT_EQ(code_of(client.ask(command)), refused_unread) << first.name;
    EXPECT_EQ(upstream.count(first.name), 0U) << first.name;
  }
  EXPECT_TRUE(is_ok(client.ask(ping())));
}

TEST_F(SessionLarge, is_not_answered_in_the_compressor_of_the_request_before) {
  byte_buffer compressed;
  protocol::append_compressed(compressed, op_msg_message(ping()), protocol::compressor::zlib);
  client.send(compressed);
  EXPECT_EQ(protocol::load_le<std::int32_t>(client.receive().data() + 12), 2012);
  client.send(large_insert());
  EXPECT_EQ(protocol::load_le<std::int32_t>(client.receive().data() + 12), 2013);
}

TEST_F(SessionLarge, a_login_is_not_relayed_for_hiding_behind_a_sequence_I1) {
  const document login{{"authenticate", 1}, {"mechanism", "MONGODB-X509"}, {"$db", "$external"}};
  client.send(body_last(login, large_sequence()));
  EXPECT_EQ(code_of(client.reply()), authentication_failed);
  EXPECT_EQ(upstream.count("authenticate"), 0U);
}

TEST_F(SessionLarge, a_write_whose_body_comes_last_travels_whole) {
  const auto message = body_last(document{{"insert", "things"}, {"$db", "shop"}}, large_sequence());
  client.send(message);
  EXPECT_TRUE(is_ok(client.reply()));
  EXPECT_EQ(upstream.last("insert").message_size, message.size());
}

TEST_F(SessionLarge, x509_is_refused_beside_a_decoy_and_where_no_mechanism_is_named_I1) {
  const document decoy{{"mechanism", "PLAIN"}};
  for (const auto& login :
       {document{{"authenticate", 1}, {"mechanism", "MONGODB-X509"}, {"speculativeAuthenticate", decoy}, {"$db", "x"}},
        document{{"authenticate", 1}, {"mechanism", "PLAIN"}, {"mechanism", "MONGODB-X509"}, {"$db", "$external"}},
        document{{"authenticate", 1}, {"$db", "$external"}},
        document{{"saslStart", 1}, {"mechanism", "MONGODB-X509"}, {"$db", "$external"}}}) {
    EXPECT_EQ(code_of(client.ask(login)), authentication_failed);
  }
  EXPECT_EQ(upstream.count("authenticate") + upstream.count("saslStart"), 0U);
}

// Its transaction stands behind what is seen of it: the commit may write it.
TEST_F(SessionLarge, a_commit_counts_what_a_large_command_hid_W6) {
  const document session{{"id", binary{4, byte_buffer(16)}}};
  const auto in_transaction = [&](const char* command, const value& first, const char* name, const value& argument) {
    return document{{command, first},  {name, argument},      {"lsid", session},
                    {"txnNumber", 1L}, {"autocommit", false}, {"$db", "shop"}};
  };
  const document start{
      {"update", "things"},      {"updates", array{document{{"q", document{{"_id", 5}}}, {"u", document()}}}},
      {"$db", "shop"},           {"lsid", session},
      {"txnNumber", 1L},         {"autocommit", false},
      {"startTransaction", true}};
  EXPECT_TRUE(is_ok(client.ask(start)));
  EXPECT_TRUE(is_ok(client.ask(in_transaction("findAndModify", "things", "update", document{{"x", padding()}}))));
  prime();
  EXPECT_TRUE(is_ok(client.ask(in_transaction("commitTransaction", 1, "x", 1))));
  expect_asked();
}

TEST_F(SessionLarge, who_sends_a_write_slowly_holds_back_nobody) {
  prime();
  held_answer held(okay());
  upstream.on("insert", held.handler());
  const auto message = large_insert();
  const auto half = byte_view(message).first(message.size() - 1);
  other.send(half);
  while (shared.in_flight.load() == 0) std::this_thread::yield();
  for (int i = 0; i < 10; ++i) expect_hit();
  other.send(byte_view(message).subspan(half.size()));
  held.wait_until_asked_for();
  expect_asked();  // W1: now the server may be carrying it out
  held.release();
  EXPECT_TRUE(is_ok(other.reply()));
}

// Of the reply's beginning there is no more than a header at first, which does not tell that another reply follows.
TEST_F(SessionLarge, a_large_reply_that_another_one_follows_may_begin_with_little) {
  upstream.on("getMore", [this](const asked& q) {
    const document batch{{"cursor", document{{"nextBatch", array{std::string(300'000, 'x')}}, {"id", 7L}}},
                         {"ok", 1.0}};
    auto bytes =
        op_msg_message(batch, {.request_id = 1, .response_to = q.id, .flags = protocol::op_msg_flags::more_to_come});
    const auto last = op_msg_message(okay(), {.request_id = 2, .response_to = 1});
    bytes.insert(bytes.end(), last.begin(), last.end());
    auto out = answer::raw(std::move(bytes));
    out.first = protocol::header_size + 2;
    out.pause = [this] { wait_for_sweeps(1); };
    return out;
  });
  client.send(document{{"getMore", 7L}, {"collection", "things"}, {"$db", "shop"}},
              {.flags = protocol::op_msg_flags::exhaust_allowed});
  EXPECT_EQ(client.receive().size() > 300'000, true);
  EXPECT_EQ(loopback_client::response_to(client.receive()), 1);
}

TEST_F(SessionLarge, who_leaves_in_the_middle_of_a_write_has_written_nothing) {
  prime();
  {
    loopback_client leaver(port());
    const auto message = large_insert();
    leaver.send(byte_view(message).first(message.size() - 1));
    while (shared.in_flight.load() == 0) std::this_thread::yield();
  }
  while (shared.in_flight.load() != 0) std::this_thread::yield();
  expect_hit();
}

TEST_F(SessionLarge, what_the_cluster_refuses_costs_nobody_what_is_cached) {
  prime();
  for (const auto* command : {"drop", "createUser", "createIndexes", "convertToCapped", "dropDatabase"}) {
    upstream.on(command, [](const asked&) { return failed(unauthorized); });
    for (const auto* collection : {"others", "things"}) {
      EXPECT_EQ(code_of(other.ask(document{{command, collection}, {"$db", "shop"}})), unauthorized);
      expect_hit();
    }
  }
}

TEST_F(SessionLarge, while_a_collection_is_dropped_nothing_of_it_is_answered_from_here_W1) {
  prime();
  for (const auto* command : {"drop", "dropDatabase"}) {
    held_answer held(okay());
    upstream.on(command, held.handler());
    other.send(document{{command, "things"}, {"$db", "shop"}});
    held.wait_until_asked_for();
    expect_asked();
    held.release();
    EXPECT_TRUE(is_ok(other.reply()));
    expect_asked();  // what was cached before is gone
    expect_hit();
  }
}

TEST_F(SessionLarge, while_users_are_changed_nobody_is_answered_from_here_I2) {
  prime();
  held_answer held(okay());
  upstream.on("dropUser", held.handler());
  other.send(document{{"dropUser", "ann"}, {"$db", "admin"}});
  held.wait_until_asked_for();
  expect_asked();
  held.release();
  EXPECT_TRUE(is_ok(other.reply()));
  expect_asked();  // and then the right has to be proven again
}

TEST_F(SessionLarge, of_a_view_whose_options_are_refused_nothing_is_cached_K1) {
  upstream.on("listCollections", [](const asked& question) -> answer {
    const bool by_name = question.body.view().find("authorizedCollections").has_value();
    return by_name ? collection_listed("view", document()) : failed(unauthorized);
  });
  for (int i = 0; i < 3; ++i) expect_asked();
}

TEST_F(SessionLarge, of_a_collection_whose_options_are_refused_documents_are_cached_K1) {
  upstream.on("listCollections", [](const asked& question) -> answer {
    const bool by_name = question.body.view().find("authorizedCollections").has_value();
    return by_name ? collection_listed("collection", document()) : failed(unauthorized);
  });
  prime();
  expect_hit();
}

TEST_F(SessionLarge, who_may_not_be_told_what_a_collection_is_takes_it_from_nobody_K1) {
  std::atomic<bool> refuses{true};
  upstream.on("listCollections", [&](const asked& question) -> answer {
    if (!refuses) return collection_listed("collection", document());
    const bool by_name = question.body.view().find("authorizedCollections").has_value();
    return by_name ? cursor_reply(array{}, "shop.$cmd.listCollections") : failed(unauthorized);
  });
  expect_asked();
  expect_asked();
  EXPECT_EQ(upstream.count("listCollections"), 2U);  // asked once, in both ways
  refuses = false;
  EXPECT_TRUE(is_ok(other.ask(find())));
  expect_hit();
}

// Room for what is inside is waited for before it is there.
TEST_F(SessionLarge, a_compressed_message_waits_for_the_room_of_what_is_inside) {
  byte_buffer packed;
  protocol::append_compressed(packed, op_msg_message(document{{"ping", 1}, {"$db", "admin"}, {"comment", padding()}}),
                              protocol::compressor::zlib);
  ASSERT_LT(packed.size(), 4096U);
  shared.buffers.set_limit(400'000);
  auto held = shared.buffers.hold(350'000);
  client.send(packed);
  while (shared.buffers.has_room(5'000)) std::this_thread::yield();  // it stands in line
  EXPECT_EQ(upstream.count("ping"), 0U);
  held.release();
  EXPECT_EQ(protocol::load_le<std::int32_t>(client.receive().data() + 12), 2012);
  EXPECT_EQ(upstream.count("ping"), 1U);
}

}  // namespace
}  // namespace mongocached::daemon
