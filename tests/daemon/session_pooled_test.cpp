// Sessions of upstream.auth = "pooled" with one connection between them. Without users, clients on this machine are let
// in.
#include <gtest/gtest.h>

#include "auth/scram_client.hpp"
#include "daemon/session/session.hpp"
#include "session_world.hpp"

namespace mongocached::daemon {
namespace {

class pooled_world : public session_world {
 protected:
  pooled_world() : session_world(pooled()) { log_in_without_a_user(); }
  // In a transaction, with one field more.
  static document insert_with(std::string_view field) {
    return document{{"insert", "things"}, {"lsid", document{{"id", binary{4, byte_buffer(16)}}}},
                    {"txnNumber", 1L},    {"autocommit", false},
                    {field, true},        {"$db", "shop"}};
  }
  [[nodiscard]] std::size_t connections() const { return upstream.count("hello"); }
};

class SessionPooled : public pooled_world {
 protected:
  loopback_client one{port()};
  loopback_client other{port()};
};

TEST_F(SessionPooled, clients_share_a_connection) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(is_ok(one.ask(ping())));
    EXPECT_TRUE(is_ok(other.ask(ping())));
  }
  EXPECT_EQ(connections(), 1U);
}

// Its maxTimeMS says how long events are waited for, not how long it may take to get a connection.
TEST_F(SessionPooled, a_getMore_waits_for_a_connection_beyond_the_time_that_it_waits_for_events) {
  upstream.on("find", [](const asked&) {
    return document{{"cursor", document{{"firstBatch", array{}}, {"id", 77L}, {"ns", "shop.things"}}}, {"ok", 1.0}};
  });
  static_cast<void>(other.ask(find()));
  const held_answer held(okay());
  upstream.on("count", held.handler());
  one.send(document{{"count", "things"}, {"$db", "shop"}});
  held.wait_until_asked_for();
  other.send(document{{"getMore", 77L}, {"collection", "things"}, {"maxTimeMS", 1}, {"$db", "shop"}});
  wait_for_sweeps(3);
  held.release();
  EXPECT_TRUE(is_ok(one.reply()));
  EXPECT_TRUE(is_ok(other.reply()));
}

TEST_F(SessionPooled, without_users_whoever_is_let_in_owns_sessions) {
  const document lsid{{"id", binary{4, byte_buffer(16)}}};
  EXPECT_TRUE(is_ok(one.ask(document{{"ping", 1}, {"lsid", lsid}, {"$db", "admin"}})));
  EXPECT_EQ(shared.pins.sessions.size(), 1U);
}

TEST_F(SessionPooled, no_clients_metadata_travels_U2) {
  const document client{{"driver", document{{"name", "theirs"}, {"version", "1"}}}};
  static_cast<void>(one.ask(document{{"hello", 1}, {"client", client}, {"$db", "admin"}}));
  EXPECT_TRUE(is_ok(one.ask(ping())));
  const auto sent = upstream.last("hello").body;
  const auto driver = field_in(must(field_in(sent.view(), "client").document()), "driver");
  EXPECT_EQ(field_in(must(driver.document()), "name").text(), "mongocached");
}

TEST_F(SessionPooled, a_lost_connection_is_told_with_labels_and_the_client_stays_F4) {
  upstream.on("insert", [](const asked&) { return answer::hang_up(); });
  const auto lost = one.ask(insert_with("startTransaction"));
  EXPECT_EQ(code_of(lost), 6);
  EXPECT_TRUE(has_label(lost, "TransientTransactionError"));
  EXPECT_TRUE(is_ok(one.ask(ping())));
  EXPECT_EQ(connections(), 2U);
}

TEST_F(SessionPooled, a_refusal_carries_no_label_to_try_again_by) {
  const auto reply = one.ask(insert_with("$audit"));
  EXPECT_EQ(code_of(reply), 13);
  EXPECT_FALSE(reply.view().find("errorLabels"));
}

TEST_F(SessionPooled, a_primary_that_is_none_any_more_loses_its_connection_F4) {
  EXPECT_TRUE(is_ok(one.ask(ping())));
  upstream.on("insert", [](const asked&) { return failed(10107); });
  EXPECT_EQ(code_of(one.ask(document{{"insert", "things"}, {"$db", "shop"}})), 10107);
  EXPECT_TRUE(is_ok(one.ask(ping())));
  EXPECT_EQ(connections(), 2U);
}

TEST_F(SessionPooled, a_client_that_leaves_in_the_middle_takes_its_connection_with_it) {
  const held_answer held(okay());
  upstream.on("insert", held.handler());
  {
    loopback_client leaving(port());
    leaving.send(document{{"insert", "things"}, {"$db", "shop"}});
    held.wait_until_asked_for();
  }
  EXPECT_TRUE(is_ok(other.ask(ping())));  // with room for a new connection: the old one owes a reply
  EXPECT_EQ(connections(), 2U);
}

TEST_F(SessionPooled, a_cursor_of_a_large_reply_is_known_too) {
  upstream.on("aggregate", [](const asked&) {
    const document cursor{
        {"firstBatch", array{document{{"x", std::string(300'000, 'y')}}}}, {"id", 77L}, {"ns", "shop.things"}};
    return document{{"cursor", cursor}, {"ok", 1.0}};
  });
  EXPECT_TRUE(is_ok(one.ask(document{{"aggregate", "things"}, {"pipeline", array{}}, {"$db", "shop"}})));
  EXPECT_TRUE(is_ok(other.ask(document{{"getMore", 77L}, {"collection", "things"}, {"$db", "shop"}})));
  EXPECT_EQ(code_of(other.ask(document{{"getMore", 77L}, {"collection", "things"}, {"$db", "shop"}})), 43);
}

// What the pool holds whole, however long it is: what is missing in it may stand behind its end.
TEST_F(SessionPooled, nothing_is_absent_that_a_long_batch_leaves_out_R6) {
  upstream.on("find", [](const asked&) { return found({document{{"_id", 1}, {"x", std::string(5'000'000, 'x')}}}); });
  const document in{{"_id", document{{"$in", array{1, 2}}}}};
  for (std::size_t i = 1; i <= 2; ++i) {
    EXPECT_TRUE(is_ok(one.ask(document{{"find", "things"}, {"filter", in}, {"$db", "shop"}})));
    EXPECT_EQ(finds(), i);
  }
  EXPECT_TRUE(is_ok(one.ask(find(2))));
  EXPECT_EQ(finds(), 3U);
}

// Drivers gather the cursors that their programs have abandoned.
TEST_F(SessionPooled, cursors_are_killed_also_where_one_of_them_is_none) {
  upstream.on("aggregate", [](const asked&) {
    return document{{"cursor", document{{"firstBatch", array{}}, {"id", 77L}, {"ns", "shop.things"}}}, {"ok", 1.0}};
  });
  upstream.on("killCursors", [](const asked&) {
    const array none{};
    return document{{"cursorsKilled", array{77L}},
                    {"cursorsNotFound", none},
                    {"cursorsAlive", none},
                    {"cursorsUnknown", none},
                    {"ok", 1.0}};
  });
  EXPECT_TRUE(is_ok(one.ask(document{{"aggregate", "things"}, {"pipeline", array{}}, {"$db", "shop"}})));
  const auto reply = one.ask(document{{"killCursors", "things"}, {"cursors", array{99L, 77L}}, {"$db", "shop"}});
  EXPECT_TRUE(is_ok(reply));
  EXPECT_TRUE(protocol::equal(field_in(reply.view(), "cursorsKilled").value, (array{77L}).bytes()));
  EXPECT_TRUE(protocol::equal(field_in(reply.view(), "cursorsNotFound").value, (array{99L}).bytes()));
  const auto sent = upstream.last("killCursors").body;
  EXPECT_TRUE(protocol::equal(field_in(sent.view(), "cursors").value, (array{77L}).bytes()));
  EXPECT_EQ(code_of(one.ask(document{{"getMore", 77L}, {"collection", "things"}, {"$db", "shop"}})), 43);
  EXPECT_EQ(upstream.count("getMore"), 0U);
}

class SessionPooledCrowded : public SessionPooled {
 protected:
  static constexpr std::size_t size = 5'000'000;

  SessionPooledCrowded() {
    EXPECT_TRUE(is_ok(one.ask(ping())));
    upstream.on("find", [](const asked&) { return found({document{{"_id", 1}, {"x", std::string(size, 'x')}}}); });
  }
  static void wait_until(const std::function<bool()>& so) {
    while (!so()) std::this_thread::yield();
  }
  void set(std::chrono::milliseconds buffer_timeout) {
    auto fresh = std::make_shared<config::settings>(*shared.settings.load());
    fresh->listen.buffer_timeout = buffer_timeout;
    shared.settings.store(std::move(fresh));
    wait_for_sweeps();
  }
  [[nodiscard]] std::uint64_t shed() const {
    return thread.metrics.shed[static_cast<std::size_t>(shed_reason::memory)].value();
  }
};

TEST_F(SessionPooledCrowded, a_large_reply_waits_for_room) {
  set(std::chrono::minutes(1));
  auto everything = shared.buffers.hold(shared.buffers.limit() - size);
  const auto others = everything.size();
  one.send(find());
  wait_until([this] { return !shared.buffers.has_room(size / 2); });  // it stands in line
  EXPECT_EQ(shared.buffers.used(), others);
  everything.release();
  EXPECT_GT(one.reply().bytes().size(), size);
  wait_until([this] { return shared.buffers.used() == 0; });
  EXPECT_EQ(shed(), 0U);
}

TEST_F(SessionPooledCrowded, a_large_reply_for_which_no_room_comes_costs_its_connection) {
  set(std::chrono::milliseconds(1));
  {
    const auto everything = shared.buffers.hold(shared.buffers.limit());
    EXPECT_EQ(code_of(one.ask(find())), 6);
    EXPECT_EQ(shed(), 1U);
    EXPECT_TRUE(is_ok(other.ask(ping())));
    EXPECT_EQ(connections(), 2U);
  }
  EXPECT_TRUE(is_ok(one.ask(find())));
}

TEST_F(SessionPooledCrowded, a_reply_that_is_not_large_does_not_wait) {
  upstream.on("find", [](const asked&) { return found({document{{"_id", 1}, {"x", std::string(200'000, 'x')}}}); });
  const auto everything = shared.buffers.hold(shared.buffers.limit());
  EXPECT_GT(one.ask(find()).bytes().size(), 200'000U);
  EXPECT_EQ(shed(), 0U);
}

// With a user, which makes a stranger of everybody else.
class SessionPooledUsers : public pooled_world {
 protected:
  SessionPooledUsers() {
    std::vector<std::string> faults;
    shared.users = user_table::make({{"ann", config::secret("pencil"), false, {}}}, nullptr, faults);
  }
  // As SIGHUP does it.
  void reload(const config::user& only) {
    std::vector<std::string> faults;
    const auto before = shared.users.load();
    const auto after = user_table::make({only}, before.get(), faults);
    shared.users.store(after);
    after->succeed(*before);
    shared.authorization.revoke_all();
  }
  static bool log_in(loopback_client& client, const char* password = "pencil") {
    auth::scram_client scram(
        auth::scram_hash::sha256, "ann",
        [password](std::string_view salt, int rounds) {
          return auth::salted_password(auth::scram_hash::sha256, password, salt, rounds);
        },
        "abc");
    const auto ask = [&client](const char* command, const std::string& payload) {
      return client.ask(document{{command, 1},
                                 {"conversationId", 1},
                                 {"mechanism", "SCRAM-SHA-256"},
                                 {"payload", binary{0, byte_buffer(payload.begin(), payload.end())}},
                                 {"options", document{{"skipEmptyExchange", true}}},
                                 {"$db", "admin"}});
    };
    const auto first = ask("saslStart", scram.first());
    const auto said = field_in(first.view(), "payload").value.subspan(5);
    return is_ok(ask("saslContinue", *scram.final(protocol::as_text(said))));
  }
  static document ping_in_session() {
    return document{{"ping", 1}, {"lsid", document{{"id", binary{4, byte_buffer(16)}}}}, {"$db", "admin"}};
  }
};

// It got code 13 for ever on a connection that stayed open, and its sessions were another user's.
TEST_F(SessionPooledUsers, who_logs_in_with_something_else_now_is_cut_and_owns_what_was_opened) {
  loopback_client before(port());
  ASSERT_TRUE(log_in(before));
  EXPECT_TRUE(is_ok(before.ask(ping_in_session())));
  reload({"ann", config::secret("crayon"), false, {}});
  before.send(ping_in_session());
  EXPECT_TRUE(before.is_closed_by_peer());
  EXPECT_EQ(closed(disconnect::user_changed), 1U);
  loopback_client after(port());
  ASSERT_TRUE(log_in(after, "crayon"));
  EXPECT_TRUE(is_ok(after.ask(ping_in_session())));
}

TEST_F(SessionPooledUsers, who_is_idle_or_awaits_something_is_cut_by_the_next_sweep) {
  upstream.on("find", [](const asked&) {
    return document{{"cursor", document{{"firstBatch", array{}}, {"id", 77L}, {"ns", "shop.things"}}}, {"ok", 1.0}};
  });
  const held_answer held(okay());
  upstream.on("getMore", held.handler());
  loopback_client idle(port());
  loopback_client awaiting(port());
  ASSERT_TRUE(log_in(idle));
  ASSERT_TRUE(log_in(awaiting));
  EXPECT_TRUE(is_ok(awaiting.ask(find())));
  awaiting.send(document{{"getMore", 77L}, {"collection", "things"}, {"maxTimeMS", 1000}, {"$db", "shop"}});
  held.wait_until_asked_for();
  reload({"bob", config::secret("pencil"), false, {}});
  shared.settings.store(std::make_shared<const config::settings>(*shared.settings.load()));
  EXPECT_TRUE(idle.is_closed_by_peer());
  EXPECT_TRUE(awaiting.is_closed_by_peer());
  EXPECT_EQ(closed(disconnect::user_changed), 2U);
  held.release();
}

TEST_F(SessionPooledUsers, new_rights_hold_on_the_connection_that_is_there) {
  const document restricted{{"usersInfo", 1}, {"$db", "admin"}};
  loopback_client client(port());
  ASSERT_TRUE(log_in(client));
  EXPECT_EQ(code_of(client.ask(restricted)), 13);
  reload({"ann", config::secret("pencil"), true, {}});
  EXPECT_TRUE(is_ok(client.ask(restricted)));
  reload({"ann", config::secret("pencil"), false, {}});
  EXPECT_EQ(code_of(client.ask(restricted)), 13);
}

TEST_F(SessionPooledUsers, a_stranger_owns_no_session) {
  loopback_client stranger(port());
  const document lsid{{"id", binary{4, byte_buffer(16)}}};
  EXPECT_TRUE(is_ok(stranger.ask(document{{"ping", 1}, {"lsid", lsid}, {"$db", "admin"}})));
  EXPECT_EQ(shared.pins.sessions.size(), 0U);
}

TEST_F(SessionPooledUsers, a_strangers_large_message_borrows_no_connection) {
  loopback_client stranger(port());
  const document large{{"ping", 1}, {"comment", std::string(session::whole_limit, 'x')}, {"$db", "admin"}};
  EXPECT_EQ(code_of(stranger.ask(large)), 13);
  EXPECT_EQ(connections(), 0U);
  EXPECT_TRUE(is_ok(stranger.ask(ping())));
  EXPECT_EQ(upstream.count("ping"), 1U);
}

TEST_F(SessionPooledUsers, a_strangers_large_message_is_no_login) {
  loopback_client stranger(port());
  for (const auto* name : {"hello", "saslStart", "logout"}) {
    const document large{{name, 1}, {"comment", std::string(session::whole_limit, 'x')}, {"$db", "admin"}};
    EXPECT_EQ(code_of(stranger.ask(large)), 9) << name;
  }
  EXPECT_EQ(connections(), 0U);
}

}  // namespace
}  // namespace mongocached::daemon
