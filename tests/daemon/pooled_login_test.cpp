// Both logins: a client's to the proxy, and the proxy's to the upstream - which here log in to each other.
#include <gtest/gtest.h>

#include "daemon/pooled/sasl_conversation.hpp"
#include "daemon/pooled/upstream_login.hpp"
#include "support/message_builders.hpp"

namespace mongocached::daemon {
namespace {

using namespace test_support;  // NOLINT: tests read as JSON

std::shared_ptr<const user_table> table(const std::vector<config::user>& users, const user_table* before = nullptr) {
  std::vector<std::string> faults;
  auto out = user_table::make(users, before, faults);
  EXPECT_TRUE(faults.empty());
  return out;
}

config::user ann(const char* password = "pencil") {
  return {"ann", config::secret(password), false, {}};
}

std::unique_ptr<upstream_account> account(const char* user, const char* password, const char* mechanism = "") {
  upstream_uri uri;
  uri.username = user;
  uri.password = config::secret(password);
  uri.auth_source = "admin";
  uri.auth_mechanism = mechanism;
  std::string error;
  auto out = upstream_account::make(uri, "1.0", error);
  EXPECT_EQ(error, "");
  return out;
}

// A server made of the proxy's own half.
class server {
 public:
  explicit server(std::shared_ptr<const user_table> users) : users_(std::move(users)), conversation_(users_) {}

  document reply(const document& command) {
    const auto name = field_in(command.view(), "$db").text();
    asked.push_back(command);
    if (command.view().find("hello")) {
      return document{{"ok", 1.0}, {"saslSupportedMechs", array{"SCRAM-SHA-1", "SCRAM-SHA-256"}}};
    }
    const auto said = command.view().find("saslStart") ? conversation_.start(command.view(), *name)
                                                       : conversation_.next(command.view());
    if (!said) return document{{"ok", 0.0}, {"errmsg", "Authentication failed."}, {"code", 18}};
    const auto bytes = protocol::as_bytes(said->payload);
    return document{{"ok", 1.0},
                    {"conversationId", 1},
                    {"done", said->done},
                    {"payload", binary{0, byte_buffer(bytes.begin(), bytes.end())}}};
  }
  [[nodiscard]] const std::shared_ptr<const proxy_user>& user() const { return conversation_.user(); }

  std::vector<document> asked;

 private:
  std::shared_ptr<const user_table> users_;
  sasl_conversation conversation_;
};

upstream_login::step run(upstream_login& login, server& at) {
  while (true) {
    protocol::byte_buffer command;
    login.append_command(command);
    const auto step = login.take(at.reply(document(command)).view());
    if (step != upstream_login::step::more) return step;
  }
}

class PooledLogin : public ::testing::TestWithParam<const char*> {};

TEST_P(PooledLogin, both_halves_agree) {
  server at(table({ann()}));
  const auto who = account("ann", "pencil", GetParam());
  upstream_login login(*who);
  EXPECT_EQ(run(login, at), upstream_login::step::done);
  ASSERT_TRUE(at.user());
  EXPECT_EQ(at.user()->name, "ann");
  EXPECT_EQ(at.asked.size(), 3U);
}

TEST_P(PooledLogin, a_wrong_password_is_refused) {
  server at(table({ann()}));
  const auto who = account("ann", "pencil2", GetParam());
  upstream_login login(*who);
  EXPECT_EQ(run(login, at), upstream_login::step::failed);
  EXPECT_FALSE(at.user());
  EXPECT_EQ(login.why(), "Authentication failed.");
  EXPECT_TRUE(login.is_refused());
}

INSTANTIATE_TEST_SUITE_P(mechanisms, PooledLogin, ::testing::Values("", "SCRAM-SHA-256", "SCRAM-SHA-1"));

TEST(UpstreamLogin, its_hello_carries_no_client_and_asks_for_the_mechanisms_U2) {
  server at(table({ann()}));
  const auto who = account("ann", "pencil");
  upstream_login login(*who);
  static_cast<void>(run(login, at));
  const auto hello = at.asked.front().view();
  EXPECT_EQ(field_in(hello, "saslSupportedMechs").text(), "admin.ann");
  const auto driver = must(field_in(must(field_in(hello, "client").document()), "driver").document());
  EXPECT_EQ(field_in(driver, "name").text(), "mongocached");
  EXPECT_EQ(field_in(at.asked[1].view(), "mechanism").text(), "SCRAM-SHA-256");
}

TEST(UpstreamLogin, only_its_hello_offers_compressors) {
  server at(table({ann()}));
  const auto who = account("ann", "pencil");
  protocol::compressor_list ours;
  ours.add(protocol::compressor::zstd);
  upstream_login login(*who, "", ours);
  EXPECT_EQ(run(login, at), upstream_login::step::done);
  ASSERT_GE(at.asked.size(), 3U);
  EXPECT_EQ(protocol::as_text(field_in(at.asked[0].view(), "compression").value),
            protocol::as_text((array{"zstd"}).bytes()));
  EXPECT_FALSE(at.asked[1].view().find("compression"));
}

TEST(UpstreamLogin, the_users_database_is_the_uris_then_the_text_records_then_the_default) {
  const auto asked_at = [](bool given, const std::string& text_record) {
    upstream_uri uri;
    uri.username = "ann";
    uri.password = config::secret("pencil");
    uri.auth_source = "shop";
    uri.auth_source_given = given;
    std::string error;
    const auto who = upstream_account::make(uri, "1.0", error);
    server at(table({ann()}));
    upstream_login login(*who, text_record);
    static_cast<void>(run(login, at));
    EXPECT_EQ(field_in(at.asked.front().view(), "$db").text(), "admin");
    return std::string(*field_in(at.asked.front().view(), "saslSupportedMechs").text()) + " " +
           std::string(*field_in(at.asked[1].view(), "$db").text());
  };
  EXPECT_EQ(asked_at(false, ""), "shop.ann shop");
  EXPECT_EQ(asked_at(false, "admin"), "admin.ann admin");
  EXPECT_EQ(asked_at(true, "admin"), "shop.ann shop");
}

TEST(UpstreamLogin, without_a_user_hello_is_all) {
  std::string error;
  const auto who = upstream_account::make(upstream_uri{}, "1.0", error);
  server at(table({}));
  upstream_login login(*who);
  EXPECT_EQ(run(login, at), upstream_login::step::done);
  EXPECT_EQ(at.asked.size(), 1U);
}

TEST(UpstreamLogin, plain_sends_user_and_password) {
  const auto who = account("ann", "pencil", "PLAIN");
  upstream_login login(*who);
  ASSERT_EQ(login.take(document{{"ok", 1.0}}.view()), upstream_login::step::more);
  protocol::byte_buffer command;
  login.append_command(command);
  const document sent(command);
  const auto payload = field_in(sent.view(), "payload");
  EXPECT_EQ(protocol::as_text(payload.value.subspan(5)), std::string_view("\0ann\0pencil", 11));
  EXPECT_EQ(login.take(document{{"ok", 1.0}, {"done", true}}.view()), upstream_login::step::done);
}

TEST(UpstreamLogin, a_server_that_does_not_know_the_keys_is_not_believed) {
  const auto who = account("ann", "pencil", "SCRAM-SHA-256");
  upstream_login login(*who);
  server at(table({ann()}));
  for (int i = 0; i < 2; ++i) {
    protocol::byte_buffer command;
    login.append_command(command);
    ASSERT_EQ(login.take(at.reply(document(command)).view()), upstream_login::step::more);
  }
  const binary forged{0, byte_buffer{'v', '=', 'A', 'A', 'A', 'A'}};
  EXPECT_EQ(login.take(document{{"ok", 1.0}, {"conversationId", 1}, {"done", true}, {"payload", forged}}.view()),
            upstream_login::step::failed);
  EXPECT_TRUE(login.is_refused());
}

TEST(UpstreamLogin, what_the_server_goes_through_is_not_the_users_fault) {
  const auto who = account("ann", "pencil");
  upstream_login at_hello(*who);
  EXPECT_EQ(at_hello.take(document{{"ok", 0.0}, {"errmsg", "no"}, {"code", 18}}.view()), upstream_login::step::failed);
  EXPECT_FALSE(at_hello.is_refused());
  upstream_login stopping(*who);
  ASSERT_EQ(stopping.take(document{{"ok", 1.0}}.view()), upstream_login::step::more);
  EXPECT_EQ(stopping.take(document{{"ok", 0.0}, {"errmsg", "no"}, {"code", 11600}}.view()),
            upstream_login::step::failed);
  EXPECT_FALSE(stopping.is_refused());
}

TEST(UpstreamLogin, mechanisms_that_the_pool_cannot_do_are_refused) {
  upstream_uri uri;
  uri.username = "ann";
  uri.auth_mechanism = "MONGODB-X509";
  std::string error;
  EXPECT_FALSE(upstream_account::make(uri, "1.0", error));
  EXPECT_NE(error.find("MONGODB-X509"), std::string::npos);
}

TEST(SaslConversation, users_are_of_admin) {
  const auto start = [](std::string_view user) {
    const auto text = "n,,n=" + std::string(user) + ",r=abc";
    return document{{"saslStart", 1},
                    {"mechanism", "SCRAM-SHA-256"},
                    {"payload", binary{0, byte_buffer(text.begin(), text.end())}}};
  };
  const auto users = table({ann()});
  const auto salt_of = [&](std::string_view user, std::string_view db) {
    sasl_conversation one(users);
    const auto said = one.start(start(user).view(), db);
    return said->payload.substr(said->payload.find(",s="));
  };
  EXPECT_EQ(salt_of("ann", "admin"), salt_of("ann", "admin"));
  EXPECT_NE(salt_of("ann", "admin"), salt_of("ann", "shop"));
}

TEST(SaslConversation, an_empty_exchange_ends_it_where_the_client_wants_one) {
  const auto users = table({ann()});
  sasl_conversation at(users);
  auth::scram_client client(
      auth::scram_hash::sha256, "ann",
      [](std::string_view salt, int rounds) {
        return auth::salted_password(auth::scram_hash::sha256, "pencil", salt, rounds);
      },
      "abc");
  const auto command = [](const std::string& payload) {
    return document{{"mechanism", "SCRAM-SHA-256"},
                    {"conversationId", 1},
                    {"payload", binary{0, byte_buffer(payload.begin(), payload.end())}}};
  };
  const auto first = at.start(command(client.first()).view(), "admin");
  ASSERT_TRUE(first);
  const auto second = at.next(command(*client.final(first->payload)).view());
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->done);
  EXPECT_FALSE(at.user());
  const auto third = at.next(command("").view());
  ASSERT_TRUE(third);
  EXPECT_TRUE(third->done);
  EXPECT_TRUE(at.user());
  EXPECT_FALSE(at.next(command("").view()));
}

TEST(UserTable, an_entry_that_stays_is_the_same_user_and_others_are_revoked) {
  const config::user bob{"bob", config::secret("x"), false, {}};
  const auto before = table({ann(), bob});
  const auto after = table({ann(), {"bob", config::secret("y"), false, {}}}, before.get());
  after->succeed(*before);
  EXPECT_EQ(before->find("ann"), after->find("ann"));
  EXPECT_FALSE(before->find("ann")->revoked.load());
  EXPECT_TRUE(before->find("bob")->revoked.load());
  EXPECT_EQ(before->made_up().secret, after->made_up().secret);
}

// Cut off for its rights, a driver with good credentials was refused until it was restarted.
TEST(UserTable, rights_alone_change_in_place_once_the_table_is_in_force) {
  const auto before = table({ann()});
  auto as_admin = ann();
  as_admin.admin = true;
  const auto after = table({as_admin}, before.get());
  const auto user = after->find("ann");
  EXPECT_EQ(before->find("ann"), user);
  EXPECT_FALSE(user->admin.load());
  after->succeed(*before);
  EXPECT_TRUE(user->admin.load());
  EXPECT_FALSE(user->revoked.load());
  table({ann()}, after.get())->succeed(*after);
  EXPECT_FALSE(user->admin.load());
}

// Its drivers go on with the sessions that they have.
TEST(UserTable, what_was_opened_belongs_to_the_name_and_to_no_other) {
  const config::user bob{"bob", config::secret("x"), false, {}};
  const auto first = table({ann(), bob});
  const auto other_password = table({ann("another"), bob}, first.get());
  const auto without = table({bob, {"carl", config::secret("x"), false, {}}}, other_password.get());
  const auto back = table({ann(), bob}, without.get());
  const auto id = first->find("ann")->id;
  EXPECT_EQ(other_password->find("ann")->id, id);
  EXPECT_EQ(back->find("ann")->id, id);
  EXPECT_NE(id, nobody);
  EXPECT_NE(first->find("bob")->id, id);
  EXPECT_NE(without->find("carl")->id, id);
  EXPECT_NE(without->find("carl")->id, without->find("bob")->id);
}

TEST(UserTable, a_secret_that_cannot_be_used_is_a_fault_that_does_not_tell_it) {
  std::vector<std::string> faults;
  EXPECT_FALSE(user_table::make({ann(),
                                 {"b", config::secret("bell\x07"), false, {}},
                                 {"c", {}, false, config::secret("SCRAM-SHA-256$9:opensesame")}},
                                nullptr, faults));
  ASSERT_EQ(faults.size(), 2U);
  EXPECT_EQ(faults[0].find("user[2].password = ***: "), 0U);
  EXPECT_EQ(faults[1].find("user[3].scram_sha_256 = ***: "), 0U);
  EXPECT_EQ(faults[1].find("opensesame"), std::string::npos);
}

}  // namespace
}  // namespace mongocached::daemon
