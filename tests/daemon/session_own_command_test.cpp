// {mongocached: ...} as a client without a login asks it, on this machine: never sent upstream, and nothing changed by
// asking.
#include <gtest/gtest.h>

#include <future>

#include "daemon/session/session.hpp"
#include "daemon/status_desk.hpp"
#include "session_world.hpp"

namespace mongocached::daemon {
namespace {

constexpr int unauthorized = 13;

class SessionOwnCommand : public session_world {
 protected:
  explicit SessionOwnCommand(std::shared_ptr<const config::settings> with = settings())
      : session_world(std::move(with)) {
    shared.ask_status = [this](status_desk::taker take) { return desk.ask(std::move(take)); };
  }
  ~SessionOwnCommand() override {
    EXPECT_EQ(upstream.count("mongocached"), 0U);
    desk.stop();
  }

  static document status() { return document{{"mongocached", 1}, {"$db", "admin"}}; }
  static document explain(const document& command) {
    return document{{"mongocached", "explain"}, {"command", command}, {"$db", "shop"}};
  }
  document explained(const document& command = find()) { return client.ask(explain(command)); }
  static std::string text(const document& reply, std::string_view field) {
    const auto found = reply.view().find(field);
    return found ? std::string(found->text().value_or("no text")) : "";
  }
  static bool flag(const document& reply, std::string_view field) {
    return field_in(reply.view(), field).truthy() == true;
  }
  void prime() { session_world::prime(client); }

  status_desk desk{[](byte_buffer& out) {
    protocol::bson_builder document(out);
    document.append_string("version", "1.2.3");
    document.append_double("ok", 1.0);
  }};
  loopback_client client{port()};
};

TEST_F(SessionOwnCommand, the_status_is_answered_here) {
  const auto reply = client.ask(status());
  EXPECT_TRUE(is_ok(reply));
  EXPECT_EQ(text(reply, "version"), "1.2.3");
  static_cast<void>(client.ask(ping()));
  EXPECT_EQ(counted(outcome::local, "mongocached"), 1U);
}

TEST_F(SessionOwnCommand, an_upstream_that_demands_a_login_shuts_out_who_has_none_I4) {
  upstream.on("listDatabases", [](const asked&) { return failed(unauthorized, "requires authentication"); });
  const auto reply = client.ask(status());
  EXPECT_EQ(code_of(reply), unauthorized);
  EXPECT_NE(text(reply, "errmsg").find("[[user]]"), std::string::npos);
}

TEST_F(SessionOwnCommand, an_upstream_that_cannot_be_asked_and_never_was_is_not_trusted_I4) {
  lose_upstream();
  EXPECT_EQ(code_of(client.ask(status())), unauthorized);
}

TEST_F(SessionOwnCommand, the_status_is_told_while_the_upstream_is_away) {
  EXPECT_TRUE(is_ok(client.ask(status())));
  lose_upstream();
  EXPECT_TRUE(is_ok(client.ask(status())));
}

TEST_F(SessionOwnCommand, who_tried_to_log_in_is_nobody_here_I4) {
  static_cast<void>(client.ask(document{{"saslStart", 1}, {"mechanism", "SCRAM-SHA-256"}, {"$db", "admin"}}));
  const auto reply = client.ask(status());
  EXPECT_EQ(code_of(reply), unauthorized);
  EXPECT_NE(text(reply, "errmsg").find("configure a [[user]]"), std::string::npos);
}

TEST_F(SessionOwnCommand, what_is_not_understood_is_refused_and_never_sent) {
  EXPECT_EQ(code_of(client.ask(document{{"mongocached", 2}, {"$db", "admin"}})), 72);
  EXPECT_EQ(code_of(client.ask(document{{"mongocached", 1}, {"x", 1}, {"$db", "admin"}})), 72);
  const document large{{"mongocached", 1}, {"comment", std::string(session::whole_limit, 'x')}, {"$db", "admin"}};
  EXPECT_EQ(code_of(client.ask(large)), 9);
  EXPECT_TRUE(is_ok(client.ask(ping())));
}

TEST_F(SessionOwnCommand, not_in_a_transaction) {
  const document in_transaction{{"mongocached", 1},
                                {"lsid", document{{"id", binary{4, byte_buffer(16)}}}},
                                {"txnNumber", 1L},
                                {"autocommit", false},
                                {"$db", "admin"}};
  const auto reply = client.ask(in_transaction);
  EXPECT_EQ(code_of(reply), 263);
  EXPECT_FALSE(has_label(reply, "TransientTransactionError"));
}

TEST_F(SessionOwnCommand, who_waits_for_no_answer_gets_none) {
  client.send(status(), {.request_id = 5, .flags = protocol::op_msg_flags::more_to_come});
  client.send(ping(), {.request_id = 6});
  EXPECT_EQ(loopback_client::response_to(client.receive()), 6);
}

TEST_F(SessionOwnCommand, too_many_who_ask_are_told_to_try_again) {
  std::promise<void> gate;
  status_desk busy([open = gate.get_future().share()](byte_buffer& out) {
    open.wait();
    out = document{{"ok", 1.0}}.bytes();
  });
  shared.ask_status = [&busy](status_desk::taker take) { return busy.ask(std::move(take)); };
  std::promise<void> done;
  unsigned accepted = 0;
  while (busy.ask([](const byte_buffer&) {})) ++accepted;
  EXPECT_EQ(accepted, status_desk::most_waiting);
  const auto reply = client.ask(status());
  EXPECT_EQ(code_of(reply), 262);
  EXPECT_TRUE(has_label(reply, "RetryableError"));
  gate.set_value();
  busy.stop();
}

TEST_F(SessionOwnCommand, a_status_that_takes_too_long_is_given_up) {
  std::promise<void> gate;
  status_desk slow([open = gate.get_future().share()](byte_buffer&) { open.wait(); });
  shared.ask_status = [&slow](status_desk::taker take) { return slow.ask(std::move(take)); };
  EXPECT_EQ(code_of(client.ask(document{{"mongocached", 1}, {"maxTimeMS", 1}, {"$db", "admin"}})), 262);
  gate.set_value();
  slow.stop();
}

TEST_F(SessionOwnCommand, without_proof_only_the_command_is_judged_I4) {
  loopback_client other(port());
  const auto before = explained();
  EXPECT_TRUE(flag(before, "cacheable"));
  EXPECT_EQ(text(before, "kind"), "by_id");
  EXPECT_EQ(text(before, "namespace"), "shop.things");
  EXPECT_FALSE(flag(before, "proven"));
  EXPECT_EQ(text(before, "not_now"), "unproven");
  for (const auto* field : {"cached", "collection", "mode", "gate", "holds"}) EXPECT_FALSE(before.view().find(field));
  EXPECT_EQ(shared.coherence.namespaces().all().size(), 0U);
  EXPECT_EQ(finds(), 0U);
}

// What is relayed for these reasons proves nothing: it was `unproven` however often the query was run.
class SessionOwnCommandUnserved : public SessionOwnCommand {
 protected:
  SessionOwnCommandUnserved() : SessionOwnCommand(some_collections()) {}
  static std::shared_ptr<const config::settings> some_collections() {
    auto out = std::make_shared<config::settings>(*settings());
    config::collection_rule off;
    off.pattern = "shop.off";
    off.enabled = false;
    config::collection_rule strict;  // promises nothing without a change stream
    strict.pattern = "shop.strict";
    strict.mode = config::cache_mode::strict;
    out->collections = {off, strict};
    return out;
  }
  document explained_of(const char* collection) {
    const document query{{"find", collection}, {"filter", document{{"_id", 1}}}, {"$db", "shop"}};
    static_cast<void>(client.ask(query));
    return explained(query);
  }
};

TEST_F(SessionOwnCommandUnserved, that_a_collection_is_disabled_is_told_without_proof) {
  const auto reply = explained_of("off");
  EXPECT_FALSE(flag(reply, "cacheable"));
  EXPECT_EQ(text(reply, "reason"), "disabled");
  EXPECT_EQ(text(reply, "not_now"), "");
}

TEST_F(SessionOwnCommandUnserved, that_the_gate_is_shut_is_told_without_proof) {
  const auto reply = explained_of("strict");
  EXPECT_TRUE(flag(reply, "cacheable"));
  EXPECT_EQ(text(reply, "not_now"), "gate_shut");
  EXPECT_FALSE(reply.view().find("gate"));
}

TEST_F(SessionOwnCommandUnserved, that_no_more_collections_are_tracked_is_told_without_proof) {
  auto& namespaces = shared.coherence.namespaces();
  for (int i = 0; !namespaces.is_full(); ++i) static_cast<void>(namespaces.find_or_add("other", std::to_string(i)));
  const auto reply = explained_of("things");
  EXPECT_FALSE(flag(reply, "cacheable"));
  EXPECT_EQ(text(reply, "reason"), "namespace_limit");
}

TEST_F(SessionOwnCommand, after_a_read_memory_holds_it) {
  prime();
  const auto reply = explained();
  EXPECT_TRUE(flag(reply, "cacheable"));
  EXPECT_TRUE(flag(reply, "proven"));
  EXPECT_EQ(text(reply, "collection"), "plain");
  EXPECT_EQ(text(reply, "mode"), "ttl");  // of a server without change streams
  EXPECT_EQ(text(reply, "cached"), "memory");
  EXPECT_EQ(text(reply, "holds"), "document");
  EXPECT_EQ(text(reply, "not_now"), "");
  EXPECT_GE(must(field_in(reply.view(), "age_ms").integer()), 0);
  EXPECT_GT(must(field_in(reply.view(), "expires_in_ms").integer()), 0);
  EXPECT_EQ(finds(), 1U);
}

TEST_F(SessionOwnCommand, asking_changes_nothing) {
  prime();
  const auto hits = shared.coherence.namespaces().find("shop.things")->hits();
  const auto stats = shared.local.stats();
  for (int id : {1, 2, 3}) static_cast<void>(explained(find(id)));
  EXPECT_EQ(shared.coherence.namespaces().find("shop.things")->hits(), hits);
  EXPECT_EQ(shared.local.stats().entries, stats.entries);
  EXPECT_EQ(shared.coherence.flights().size(), 0U);
  EXPECT_EQ(finds(), 1U);
  EXPECT_EQ(upstream.count("listCollections"), 1U);
}

TEST_F(SessionOwnCommand, what_memory_does_not_hold_is_told_as_well) {
  prime();
  const auto reply = explained(find(2));
  EXPECT_TRUE(flag(reply, "cacheable"));
  EXPECT_FALSE(flag(reply, "cached"));
  EXPECT_EQ(text(reply, "not_now"), "");
}

TEST_F(SessionOwnCommand, of_several_documents_those_that_are_held_are_counted) {
  prime();
  const document both{{"find", "things"}, {"filter", document{{"_id", document{{"$in", array{1, 2}}}}}}};
  const auto reply = explained(both);
  EXPECT_EQ(text(reply, "kind"), "by_ids");
  EXPECT_FALSE(flag(reply, "cached"));
  const auto keys = must(field_in(reply.view(), "keys").document());
  EXPECT_EQ(field_in(keys, "asked").integer(), 2);
  EXPECT_EQ(field_in(keys, "memory").integer(), 1);
}

TEST_F(SessionOwnCommand, a_write_takes_it_out) {
  prime();
  static_cast<void>(client.ask(update()));
  EXPECT_FALSE(flag(explained(), "cached"));
}

TEST_F(SessionOwnCommand, a_write_under_way_is_named_R1) {
  prime();
  std::promise<void> begun;
  std::promise<void> gate;
  upstream.on("update", [&begun, open = gate.get_future().share()](const asked&) {
    begun.set_value();
    open.wait();
    return okay();
  });
  loopback_client writer(port());
  writer.send(update());
  begun.get_future().wait();
  EXPECT_EQ(text(explained(), "not_now"), "pending_write");
  gate.set_value();
  EXPECT_TRUE(is_ok(writer.reply()));
  EXPECT_EQ(text(explained(), "not_now"), "");
}

TEST_F(SessionOwnCommand, what_is_no_find_is_no_read) {
  const auto reply = explained(document{{"aggregate", "things"}, {"pipeline", array{}}});
  EXPECT_FALSE(flag(reply, "cacheable"));
  EXPECT_EQ(text(reply, "reason"), "not_a_read");
  EXPECT_EQ(text(explained(update()), "reason"), "not_a_read");
}

TEST_F(SessionOwnCommand, a_view_is_named_once_it_is_known) {
  upstream.on("listCollections", [](const asked&) { return collection_listed("view", document()); });
  static_cast<void>(client.ask(find()));
  const auto reply = explained();
  EXPECT_FALSE(flag(reply, "cacheable"));
  EXPECT_EQ(text(reply, "reason"), "namespace_kind");
  EXPECT_EQ(text(reply, "collection"), "not_cacheable");
}

TEST_F(SessionOwnCommand, a_projection_that_this_document_does_not_allow_is_named_S6) {
  upstream.on("find", [](const asked&) { return found({document{{"_id", 1}, {"a", array{document{{"b", 1}}}}}}); });
  prime();
  const document crossing{{"find", "things"}, {"filter", document{{"_id", 1}}}, {"projection", document{{"a.b", 1}}}};
  const auto reply = explained(crossing);
  EXPECT_FALSE(flag(reply, "cacheable"));
  EXPECT_EQ(text(reply, "reason"), "projection_array");
}

TEST_F(SessionOwnCommand, the_command_is_of_the_same_database) {
  EXPECT_EQ(code_of(explained(document{{"find", "things"}, {"$db", "other"}})), 72);
  EXPECT_EQ(code_of(explained(document())), 9);
}

class SessionOwnCommandOfOps : public SessionOwnCommand {
 protected:
  SessionOwnCommandOfOps() : SessionOwnCommand(with_ops()) {
    upstream.on("saslStart", [](const asked&) {
      return document{{"conversationId", 1}, {"done", true}, {"payload", "t"}, {"ok", 1.0}};
    });
  }
  static std::shared_ptr<const config::settings> with_ops() {
    auto out = std::make_shared<config::settings>(*settings());
    out->users = {{"ops", {}, true}};
    return out;
  }
  void log_in_as(const char* name, const char* db = "admin") {
    upstream.on("connectionStatus", [name, db](const asked&) {
      const document user{{"user", name}, {"db", db}};
      return document{{"authInfo", document{{"authenticatedUsers", array{user}}}}, {"ok", 1.0}};
    });
    static_cast<void>(client.ask(document{{"saslStart", 1}, {"mechanism", "SCRAM-SHA-256"}, {"$db", db}}));
  }
};

TEST_F(SessionOwnCommandOfOps, the_cluster_says_who_it_is_I4) {
  log_in_as("ops");
  EXPECT_TRUE(is_ok(client.ask(status())));
}

TEST_F(SessionOwnCommandOfOps, others_may_not_I4) {
  log_in_as("ann");
  EXPECT_EQ(code_of(client.ask(status())), unauthorized);
}

TEST_F(SessionOwnCommandOfOps, nor_their_namesakes_I4) {
  log_in_as("ops", "shop");
  EXPECT_EQ(code_of(client.ask(status())), unauthorized);
}

TEST_F(SessionOwnCommandOfOps, without_a_login_nobody_may_once_there_is_an_administrator_I4) {
  EXPECT_EQ(code_of(client.ask(status())), unauthorized);
  EXPECT_EQ(upstream.count("listDatabases"), 0U);
}

TEST_F(SessionOwnCommandOfOps, a_cluster_that_does_not_say_names_nobody_I4) {
  log_in_as("ops");
  upstream.on("connectionStatus", [](const asked&) { return failed(13); });
  EXPECT_EQ(code_of(client.ask(status())), unauthorized);
}

}  // namespace
}  // namespace mongocached::daemon
