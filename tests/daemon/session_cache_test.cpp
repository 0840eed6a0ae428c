// What a session serves from the cache, and what takes it out again.
#include <gtest/gtest.h>

#include "cache/document_id.hpp"
#include "protocol/compression.hpp"
#include "session_world.hpp"

namespace mongocached::daemon {
namespace {

class SessionCache : public session_world {
 protected:
  void prime() { session_world::prime(client); }
  // By a reload.
  void keep_nothing() {
    auto shorter = *settings();
    shorter.cache.ttl = std::chrono::nanoseconds(1);
    shared.settings.store(std::make_shared<const config::settings>(shorter));
    wait_for_sweeps();
  }
  void expect_forgotten() {
    EXPECT_TRUE(is_ok(client.ask(find())));
    EXPECT_EQ(finds(), 2U);
  }
  void expect_still_served() {
    EXPECT_TRUE(is_ok(client.ask(find())));
    EXPECT_EQ(finds(), 1U);
  }
  void expect_never_cached(const document& listed) {
    upstream.on("listCollections", [listed](const asked&) { return listed; });
    for (std::size_t i = 1; i <= 3; ++i) {
      static_cast<void>(client.ask(find()));
      EXPECT_EQ(finds(), i);
    }
  }
  static document in_transaction(const char* command, const value& first) {
    return document{{command, first},
                    {"lsid", document{{"id", binary{4, byte_buffer(16)}}}},
                    {"txnNumber", 1L},
                    {"autocommit", false},
                    {"$db", "admin"}};
  }
  void authenticate() {
    const document start{{"saslStart", 1}, {"mechanism", "SCRAM-SHA-256"}, {"$db", "admin"}};
    upstream.on("saslStart", [](const asked&) {
      return document{{"conversationId", 1}, {"done", false}, {"payload", "s"}, {"ok", 1.0}};
    });
    upstream.on("saslContinue", [](const asked&) {
      return document{{"conversationId", 1}, {"done", true}, {"payload", "t"}, {"ok", 1.0}};
    });
    EXPECT_EQ(field_in(client.ask(start).view(), "payload").text(), "s");
    const document go_on{{"saslContinue", 1}, {"conversationId", 1}, {"$db", "admin"}};
    EXPECT_EQ(field_in(client.ask(go_on).view(), "payload").text(), "t");
  }

  loopback_client client{port()};
};

TEST_F(SessionCache, the_second_read_is_a_hit) {
  prime();
  EXPECT_EQ(thread.metrics.requests[static_cast<std::size_t>(outcome::l1_hit)][cache::command_label("find")].value(),
            1U);
}

TEST_F(SessionCache, a_hit_cannot_be_told_from_the_servers_reply_S8) {
  const auto miss = client.ask(find());
  EXPECT_EQ(client.ask(find()).bytes(), miss.bytes());
  EXPECT_EQ(finds(), 1U);
}

TEST_F(SessionCache, another_client_without_authentication_shares_the_proof_I2) {
  prime();
  loopback_client other(port());
  EXPECT_TRUE(is_ok(other.ask(find())));
  EXPECT_EQ(finds(), 1U);
}

TEST_F(SessionCache, one_entry_is_compressed_for_one_client_and_plain_for_the_other) {
  prime();
  const auto question = op_msg_message(find(), {.request_id = 9});
  client.send(question);
  const auto plain = client.receive();
  for (const auto with : {protocol::compressor::snappy, protocol::compressor::zlib, protocol::compressor::zstd}) {
    protocol::byte_buffer packed;
    protocol::append_compressed(packed, question, with);
    client.send(packed);
    protocol::byte_buffer reply;
    protocol::compressor used{};
    ASSERT_EQ(protocol::decompress(client.receive(), reply, used), protocol::compression_error::none);
    EXPECT_EQ(used, with);
    protocol::op_msg before;
    protocol::op_msg after;
    ASSERT_EQ(protocol::parse_op_msg(plain, before), protocol::op_msg_error::none);
    ASSERT_EQ(protocol::parse_op_msg(reply, after), protocol::op_msg_error::none);
    EXPECT_TRUE(std::ranges::equal(before.body.bytes(), after.body.bytes()));
  }
  EXPECT_EQ(finds(), 1U);
}

TEST_F(SessionCache, an_absent_document_is_remembered) {
  upstream.on("find", [](const asked&) { return found({}); });
  prime();
}

TEST_F(SessionCache, an_error_is_not_stored_S3) {
  upstream.on("find", [](const asked&) { return failed(2); });
  EXPECT_EQ(code_of(client.ask(find())), 2);
  EXPECT_EQ(code_of(client.ask(find())), 2);
  EXPECT_EQ(finds(), 2U);
}

TEST_F(SessionCache, a_write_invalidates_its_document_W1) {
  prime();
  EXPECT_TRUE(is_ok(client.ask(update())));
  expect_forgotten();
}

TEST_F(SessionCache, a_failed_write_invalidates_all_the_same_W1) {
  prime();
  upstream.on("update", [](const asked&) { return failed(50); });
  EXPECT_EQ(code_of(client.ask(update())), 50);
  expect_forgotten();
}

TEST_F(SessionCache, a_write_of_another_document_leaves_it) {
  prime();
  EXPECT_TRUE(is_ok(client.ask(update(2))));
  expect_still_served();
}

TEST_F(SessionCache, another_clients_write_invalidates_W1) {
  prime();
  loopback_client other(port());
  EXPECT_TRUE(is_ok(other.ask(update())));
  expect_forgotten();
}

// Race 6: unknown outcome.
TEST_F(SessionCache, a_write_whose_reply_was_lost_keeps_its_key_from_the_cache_W5) {
  prime();
  upstream.on("update", [](const asked&) { return answer::hang_up(); });
  loopback_client writer(port());
  writer.send(update());
  EXPECT_TRUE(writer.is_closed_by_peer());
  EXPECT_EQ(closed(disconnect::upstream_lost), 1U);
  for (std::size_t i = 2; i <= 4; ++i) {
    static_cast<void>(client.ask(find()));
    EXPECT_EQ(finds(), i);
  }
}

// Race 1 through sockets: the read's answer was made before the write, and comes after it.
TEST_F(SessionCache, a_read_that_a_write_overtook_is_not_stored_R6) {
  const held_answer held(found({document{{"_id", 1}, {"x", "old"}}}));
  upstream.on("find", held.handler());
  client.send(find());
  held.wait_until_asked_for();
  loopback_client writer(port());
  EXPECT_TRUE(is_ok(writer.ask(update())));
  held.release();
  EXPECT_TRUE(is_ok(client.reply()));
  expect_forgotten();
}

TEST_F(SessionCache, a_read_behind_a_write_asks_for_its_time_R4) {
  upstream.on("update", [](const asked&) { return okay(first_time + 5); });
  prime();
  static_cast<void>(client.ask(update()));
  static_cast<void>(client.ask(find()));
  const auto sent = upstream.last("find").body;
  const auto concern = must(field_in(sent.view(), "readConcern").document());
  EXPECT_EQ(field_in(concern, "afterClusterTime").timestamp(), first_time + 5);
}

// A majority has nothing newer than `first_time` for now; the server would wait for it where it was asked to.
TEST_F(SessionCache, a_majority_read_does_not_wait_for_a_write_that_its_client_did_not_ask_for_R4) {
  const document command{{"find", "things"},
                         {"filter", document{{"_id", 1}}},
                         {"readConcern", document{{"level", "majority"}}},
                         {"$db", "shop"}};
  upstream.on("update", [](const asked&) { return okay(first_time + 5); });
  prime();
  static_cast<void>(client.ask(update()));
  for (std::size_t i = 2; i <= 3; ++i) {
    EXPECT_TRUE(is_ok(client.ask(command)));
    EXPECT_EQ(upstream.last("find").body.bytes(), command.bytes());
    EXPECT_EQ(finds(), i);
  }
  upstream.on("find", [](const asked&) { return found({document{{"_id", 1}}}, first_time + 6); });
  EXPECT_TRUE(is_ok(client.ask(command)));
  EXPECT_TRUE(is_ok(client.ask(command)));  // a majority has the write, as the one before has told: it is stored
  EXPECT_EQ(finds(), 5U);
  const auto sent = upstream.last("find").body;
  const auto concern = must(field_in(sent.view(), "readConcern").document());
  EXPECT_EQ(field_in(concern, "afterClusterTime").timestamp(), first_time + 5);
  EXPECT_TRUE(is_ok(client.ask(command)));
  EXPECT_EQ(finds(), 5U);
}

// Its driver retries, and tells its monitors so; and who is overloaded is not asked twice for one.
TEST_F(SessionCache, an_error_about_the_server_reaches_the_client_as_it_is_R4) {
  prime();
  static_cast<void>(client.ask(update()));
  const document overloaded{
      {"ok", 0.0}, {"code", 462}, {"errorLabels", array{"SystemOverloadedError", "RetryableError"}}};
  std::size_t asked_before = finds();
  for (const auto& error : {failed(11600), failed(9001), overloaded}) {
    upstream.on("find", [error](const asked&) { return error; });
    const auto reply = client.ask(find());
    EXPECT_EQ(reply.bytes(), error.bytes());
    EXPECT_EQ(finds(), ++asked_before);
    EXPECT_TRUE(upstream.last("find").body.view().find("readConcern")) << "it was altered";
  }
}

// What was killed stays so, and what costs too much is not asked for twice.
TEST_F(SessionCache, an_error_that_ends_the_read_reaches_the_client_as_it_is_R4) {
  prime();
  static_cast<void>(client.ask(update()));
  std::size_t asked_before = finds();
  for (const int code : {11601, 292, 50}) {
    upstream.on("find", [code](const asked&) { return failed(code); });
    EXPECT_EQ(code_of(client.ask(find())), code);
    EXPECT_EQ(finds(), ++asked_before);
    EXPECT_TRUE(upstream.last("find").body.view().find("readConcern")) << "it was altered";
  }
}

// Time that the server was told to wait, and the client was not.
TEST_F(SessionCache, a_time_limit_within_the_clients_own_is_tried_again_with_what_is_left_R4) {
  prime();
  static_cast<void>(client.ask(update()));
  upstream.on("find", [](const asked& q) {
    return q.body.view().find("readConcern") ? failed(50) : found({document{{"_id", 1}}});
  });
  const document command{
      {"find", "things"}, {"filter", document{{"_id", 1}}}, {"maxTimeMS", 3'600'000}, {"$db", "shop"}};
  EXPECT_TRUE(is_ok(client.ask(command)));
  EXPECT_LE(field_in(upstream.last("find").body.view(), "maxTimeMS").integer(), 3'600'000);
}

TEST_F(SessionCache, an_altered_commands_error_never_reaches_the_client_R4) {
  prime();
  static_cast<void>(client.ask(update()));
  upstream.on("find", [](const asked& q) {
    return q.body.view().find("readConcern") ? failed(9) : found({document{{"_id", 1}}});
  });
  EXPECT_TRUE(is_ok(client.ask(find())));
  EXPECT_EQ(finds(), 3U);
  EXPECT_EQ(upstream.last("find").body.bytes(), find().bytes());
}

// F4: what this client is to the server it is on that connection only. The front of a reply that is to be skipped, and
// no more of it.
TEST_F(SessionCache, who_logged_in_is_not_moved_to_a_connection_that_nobody_logged_in_on_F4) {
  authenticate();
  upstream.on("find", [](const asked& q) {
    const document large{{"_id", 1}, {"x", std::string(8'000'000, 'x')}};
    auto bytes = op_msg_message(found({large}), {.request_id = 1, .response_to = q.id});
    bytes.resize(bytes.size() / 2);
    return answer::last_words(std::move(bytes));
  });
  client.send(document{
      {"find", "things"}, {"filter", document{{"_id", 1}}}, {"projection", document{{"_id", 1}}}, {"$db", "shop"}});
  EXPECT_TRUE(client.is_closed_by_peer());
  EXPECT_EQ(closed(disconnect::upstream_lost), 1U);
  EXPECT_EQ(finds(), 1U);
}

TEST_F(SessionCache, a_collection_with_a_long_validator_is_cached_like_any_other_K1) {
  upstream.on("listCollections", [](const asked&) {
    return collection_listed("collection", document{{"validator", document{{"x", std::string(3'000'000, 'v')}}}});
  });
  prime();
}

TEST_F(SessionCache, a_collection_whose_options_there_is_no_room_for_is_cached_by_id_K1) {
  upstream.on("listCollections", [](const asked& q) {
    const auto validator = q.body.view().find("nameOnly") ? std::string() : std::string(3'000'000, 'v');
    return collection_listed("collection", document{{"validator", document{{"x", validator}}}});
  });
  shared.buffers.set_limit(1'000'000);
  const auto others = shared.buffers.hold(500'000);
  prime();
}

TEST_F(SessionCache, a_change_of_the_default_read_concern_is_asked_for_S2) {
  prime();
  EXPECT_EQ(upstream.count("getDefaultRWConcern"), 1U);
  EXPECT_TRUE(is_ok(client.ask(document{
      {"setDefaultRWConcern", 1}, {"defaultReadConcern", document{{"level", "majority"}}}, {"$db", "admin"}})));
  EXPECT_TRUE(is_ok(client.ask(find())));
  EXPECT_EQ(upstream.count("getDefaultRWConcern"), 2U);
}

TEST_F(SessionCache, a_read_beyond_the_newest_time_seen_is_forwarded_as_it_is_R4) {
  prime();
  const document command{{"find", "things"},
                         {"filter", document{{"_id", 1}}},
                         {"readConcern", document{{"afterClusterTime", timestamp{first_time + 50}}}},
                         {"$db", "shop"}};
  EXPECT_TRUE(is_ok(client.ask(command)));
  EXPECT_EQ(upstream.last("find").body.bytes(), command.bytes());
}

TEST_F(SessionCache, a_reload_with_a_shorter_ttl_holds_for_what_is_cached_already) {
  prime();
  keep_nothing();
  expect_forgotten();
}

// What a flight brings is as new as what its joiners would read, however short its own life.
TEST_F(SessionCache, one_read_serves_who_waits_for_it_though_nothing_is_kept_of_it) {
  prime();
  keep_nothing();
  loopback_client other(port());
  loopback_client third(port());
  EXPECT_TRUE(is_ok(other.ask(ping())));
  EXPECT_TRUE(is_ok(third.ask(ping())));
  const auto before = finds();
  const held_answer held(found({document{{"_id", 1}}}));
  upstream.on("find", held.handler());
  client.send(find());
  held.wait_until_asked_for();
  other.send(find());
  EXPECT_TRUE(is_ok(third.ask(ping())));  // behind the other one's find, on their one thread
  held.release();
  EXPECT_TRUE(is_ok(client.reply()));
  EXPECT_TRUE(is_ok(other.reply()));
  EXPECT_EQ(finds(), before + 1);
}

TEST_F(SessionCache, an_unacknowledged_write_invalidates_behind_its_ping_W5) {
  prime();
  upstream.on("update", [](const asked&) { return answer::none(); });
  client.send(update(), {.flags = protocol::op_msg_flags::more_to_come});
  expect_forgotten();
  EXPECT_EQ(upstream.count("ping"), 1U);
}

TEST_F(SessionCache, a_large_write_reaches_its_whole_collection_W4) {
  prime();
  const document row{{"_id", 9}, {"x", std::string(500'000, 'x')}};
  EXPECT_TRUE(is_ok(client.ask(document{{"insert", "things"}, {"documents", array{row}}, {"$db", "shop"}})));
  expect_forgotten();
}

TEST_F(SessionCache, a_command_that_is_not_known_keeps_readers_from_the_cache_until_its_outcome_W4) {
  prime();
  const held_answer held(failed(59));
  upstream.on("frobnicate", held.handler());
  loopback_client other(port());
  other.send(document{{"frobnicate", 1}, {"$db", "shop"}});
  held.wait_until_asked_for();
  expect_forgotten();
  held.release();
  EXPECT_EQ(code_of(other.reply()), 59);
  EXPECT_TRUE(is_ok(other.ask(ping())));
  EXPECT_TRUE(is_ok(client.ask(find())));
  EXPECT_EQ(finds(), 2U);
}

TEST_F(SessionCache, a_command_that_is_not_known_and_succeeds_reaches_its_database_W4) {
  prime();
  EXPECT_TRUE(is_ok(client.ask(document{{"frobnicate", 1}, {"$db", "shop"}})));
  expect_forgotten();
}

// Race 20.
TEST_F(SessionCache, the_commit_of_an_unseen_transaction_reaches_everything_W4) {
  prime();
  EXPECT_TRUE(is_ok(client.ask(in_transaction("commitTransaction", 1))));
  expect_forgotten();
}

// Anybody may send them; no stream tells here what they changed.
TEST_F(SessionCache, what_the_server_refuses_to_carry_out_costs_nothing_W4) {
  prime();
  const document all{{"q", document()}, {"u", document{{"$set", document{{"x", 2}}}}}, {"multi", true}};
  upstream.on("update", [](const asked&) { return failed(59); });
  EXPECT_EQ(code_of(client.ask(document{{"update", "things"}, {"updates", array{all}}, {"$db", "shop"}})), 59);
  expect_still_served();
  upstream.on("commitTransaction", [](const asked&) { return failed(59); });
  EXPECT_EQ(code_of(client.ask(in_transaction("commitTransaction", 1))), 59);
  expect_still_served();
}

TEST_F(SessionCache, a_write_in_a_transaction_shows_at_its_commit_W6) {
  prime();
  const document one{{"q", document{{"_id", 1}}}, {"u", document{{"x", 2}}}};
  EXPECT_TRUE(is_ok(client.ask(document{{"update", "things"},
                                        {"updates", array{one}},
                                        {"lsid", document{{"id", binary{4, byte_buffer(16)}}}},
                                        {"txnNumber", 1L},
                                        {"startTransaction", true},
                                        {"autocommit", false},
                                        {"$db", "shop"}})));
  expect_still_served();
  EXPECT_TRUE(is_ok(client.ask(in_transaction("commitTransaction", 1))));
  expect_forgotten();
}

// A driver takes several daemons for several mongos, and a balancer hands one statement to this and the next to that.
TEST_F(SessionCache, what_a_transaction_writes_that_began_elsewhere_stays_out_until_it_has_ended_W6) {
  prime();
  const document one{{"q", document{{"_id", 1}}}, {"u", document{{"x", 2}}}};
  const document statement{
      {"update", "things"}, {"updates", array{one}}, {"lsid", document{{"id", binary{4, byte_buffer(16)}}}},
      {"txnNumber", 1L},    {"autocommit", false},   {"$db", "shop"}};
  upstream.on("update", [](const asked&) { return failed(251); });
  EXPECT_EQ(code_of(client.ask(statement)), 251);
  static_cast<void>(client.ask(find()));
  const auto before = finds();
  upstream.on("update", [](const asked&) { return okay(); });
  EXPECT_TRUE(is_ok(client.ask(statement)));
  static_cast<void>(client.ask(find()));
  static_cast<void>(client.ask(find()));
  EXPECT_EQ(finds(), before + 2);
}

// A write of time 7, on its way while this was read, becomes visible behind it: its event must not find the entry of 9.
TEST_F(SessionCache, what_a_causal_client_reads_is_stored_as_of_what_the_stream_had_told_R4) {
  auto& coherence = shared.coherence;
  coherence.follow(true);
  coherence.applied(5);
  coherence.saw_operation_time(9);
  const document id{{"_id", 1}};
  const document since{{"afterClusterTime", timestamp{9}}};
  EXPECT_TRUE(is_ok(client.ask(document{{"find", "things"}, {"filter", id}, {"readConcern", since}, {"$db", "shop"}})));
  EXPECT_TRUE(is_ok(client.ask(ping())));
  byte_buffer key;
  cache::begin_key(key, cache::key_kind::document, "shop", "things");
  ASSERT_TRUE(cache::append_canonical_id(key, *id.view().find("_id")));
  const auto held = coherence.local().peek(key, cache::hash_key(key));
  ASSERT_TRUE(held);
  EXPECT_EQ(held->meta().lower, 5U);
}

TEST_F(SessionCache, a_view_is_never_cached_K1) {
  expect_never_cached(collection_listed("view", document()));
}

TEST_F(SessionCache, a_time_series_is_never_cached_K1) {
  expect_never_cached(collection_listed("timeseries", document()));
}

TEST_F(SessionCache, a_collection_with_a_default_collation_is_never_cached_K1) {
  expect_never_cached(collection_listed("collection", document{{"collation", document{{"locale", "en"}}}}));
}

TEST_F(SessionCache, a_capped_collection_is_never_cached_K1) {
  expect_never_cached(collection_listed("collection", document{{"capped", true}}));
}

TEST_F(SessionCache, ddl_makes_the_collection_be_looked_at_again_K1) {
  prime();
  EXPECT_TRUE(is_ok(client.ask(document{{"drop", "things"}, {"$db", "shop"}})));
  expect_forgotten();
  EXPECT_EQ(upstream.count("listCollections"), 2U);
}

TEST_F(SessionCache, a_sasl_conversation_is_relayed_and_ends_what_was_proven_before_I1_I2) {
  prime();
  authenticate();
  expect_forgotten();
  EXPECT_EQ(upstream.count("connectionStatus"), 1U);
}

TEST_F(SessionCache, proofs_fall_on_unauthorized_I2) {
  prime();
  upstream.on("count", [](const asked&) { return failed(13); });
  EXPECT_EQ(code_of(client.ask(document{{"count", "things"}, {"$db", "shop"}})), 13);
  expect_forgotten();
}

TEST_F(SessionCache, proofs_fall_on_a_user_command_I2) {
  prime();
  EXPECT_TRUE(is_ok(client.ask(document{{"dropUser", "ann"}, {"$db", "admin"}})));
  expect_forgotten();
}

TEST_F(SessionCache, an_upstream_that_turns_out_to_be_sharded_is_judged_as_such_S4) {
  upstream.on("listCollections", [this](const asked&) {
    auto sharded = known();
    sharded.kind = upstream_kind::sharded;
    sharded.version = 2;
    thread.set_upstream(std::make_shared<upstream_snapshot>(sharded));
    return collection_listed("collection", document());
  });
  EXPECT_TRUE(is_ok(client.ask(find())));
  static_cast<void>(client.ask(ping()));  // a request is counted behind its reply, but before the next
  EXPECT_EQ(thread.metrics.bypass[static_cast<std::size_t>(cache::bypass_reason::sharded)].value(), 1U);
}

TEST_F(SessionCache, a_new_primary_is_gone_to_by_an_unauthenticated_client_F4) {
  prime();
  scripted_upstream next;
  auto moved = known();
  moved.port = next.port();
  moved.version = 2;
  thread.set_upstream(std::make_shared<upstream_snapshot>(moved));
  EXPECT_TRUE(is_ok(client.ask(ping())));
  EXPECT_EQ(next.count("ping"), 1U);
}

// A server that says nothing any more keeps nobody waiting once another one has its place; one that still answers its
// monitor, or has yet to be asked since the election, may yet answer its clients.
TEST_F(SessionCache, a_request_to_a_silent_server_ends_with_the_election_of_another_F4) {
  prime();
  const held_answer held(found({}));
  upstream.on("find", held.handler());
  client.send(find(2));
  held.wait_until_asked_for();
  auto moved = known();
  moved.port = static_cast<std::uint16_t>(moved.port + 1);
  moved.version = 2;
  auto& old = moved.servers.emplace_back();
  old.host = "127.0.0.1";
  old.port = upstream.port();
  for (const auto type : {server_type::secondary, server_type::unknown}) {
    old.type = type;
    thread.set_upstream(std::make_shared<upstream_snapshot>(moved));
    wait_for_sweeps();
    EXPECT_EQ(closed(disconnect::upstream_lost), 0U);
  }
  old.unreachable = true;
  thread.set_upstream(std::make_shared<upstream_snapshot>(moved));
  EXPECT_TRUE(client.is_closed_by_peer());
  EXPECT_EQ(closed(disconnect::upstream_lost), 1U);
}

TEST_F(SessionCache, a_new_primary_closes_an_authenticated_client_F4) {
  authenticate();
  auto moved = known();
  moved.port = static_cast<std::uint16_t>(moved.port + 1);
  moved.version = 2;
  thread.set_upstream(std::make_shared<upstream_snapshot>(moved));
  EXPECT_TRUE(client.is_closed_by_peer());
  EXPECT_EQ(closed(disconnect::primary_changed), 1U);
}

// Proofs last for no time at all, but for an hour with the upstream away.
class SessionCacheAway : public session_world {
 protected:
  static std::shared_ptr<const config::settings> patient() {
    auto out = std::make_shared<config::settings>(*settings());
    out->upstream.authz_ttl = cache::duration(0);
    out->cache.serve_stale_on_error = std::chrono::hours(1);
    return out;
  }
  SessionCacheAway() : session_world(patient()) {}
  [[nodiscard]] std::uint64_t stale_served() const { return thread.metrics.stale_served.value(); }

  loopback_client client{port()};
};

TEST_F(SessionCacheAway, with_the_upstream_there_nothing_is_drawn_out) {
  for (std::size_t i = 1; i <= 3; ++i) {
    EXPECT_TRUE(is_ok(client.ask(find())));
    EXPECT_EQ(finds(), i);
  }
  EXPECT_EQ(stale_served(), 0U);
}

TEST_F(SessionCacheAway, an_old_proof_is_drawn_out_and_each_such_answer_is_counted) {
  EXPECT_TRUE(is_ok(client.ask(find())));
  lose_upstream();
  EXPECT_TRUE(is_ok(client.ask(find())));
  EXPECT_TRUE(is_ok(client.ask(find())));
  EXPECT_EQ(finds(), 1U);
  EXPECT_EQ(stale_served(), 2U);
}

}  // namespace
}  // namespace mongocached::daemon
