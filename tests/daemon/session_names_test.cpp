// The upstream by its name, while the name server keeps silent.
#include <gtest/gtest.h>

#include "daemon/session/session.hpp"
#include "held_lookups.hpp"
#include "session_world.hpp"

namespace mongocached::daemon {
namespace {

using testing::found;
using testing::held_lookups;

std::shared_ptr<name_lookup> looked_up_by(const std::shared_ptr<held_lookups>& system) {
  return std::make_shared<name_lookup>(
      name_lookup::settings{.resolve = [system](const std::string& host) { return system->resolve(host); }, .now = {}});
}

class named_world : public session_world {
 protected:
  explicit named_world(std::shared_ptr<const config::settings> with)
      : named_world(std::move(with), std::make_shared<held_lookups>()) {}
  ~named_world() override { system->release(); }

  static document count(int max_time_ms) {
    return document{{"count", "things"}, {"maxTimeMS", max_time_ms}, {"$db", "shop"}};
  }

 private:
  named_world(std::shared_ptr<const config::settings> with, const std::shared_ptr<held_lookups>& held)
      : session_world(std::move(with), looked_up_by(held)), system(held) {
    auto named = known();
    named.host = "db.test";
    named.version = 2;
    thread.set_upstream(std::make_shared<upstream_snapshot>(named));
  }

 protected:
  const std::shared_ptr<held_lookups> system;
};

class SessionNames : public named_world {
 protected:
  SessionNames() : named_world(settings()) {}
  loopback_client client{port()};
  loopback_client other{port()};
};

TEST_F(SessionNames, clients_share_a_look_up_and_what_it_found) {
  client.send(ping());
  other.send(ping());
  system->wait_until_begun("db.test");
  system->give("db.test", found("127.0.0.1"));
  EXPECT_TRUE(is_ok(client.reply()));
  EXPECT_TRUE(is_ok(other.reply()));
  loopback_client third{port()};
  EXPECT_TRUE(is_ok(third.ask(ping())));
  EXPECT_EQ(system->begun("db.test"), 1);
}

TEST_F(SessionNames, its_addresses_are_tried_in_turns) {
  auto both = found("127.0.0.2");  // where nobody listens
  both.addresses.push_back(asio::ip::make_address("127.0.0.1"));
  system->give("db.test", both);
  EXPECT_TRUE(is_ok(client.ask(ping())));
}

TEST_F(SessionNames, one_that_does_not_exist_is_no_server) {
  system->give("db.test", {asio::error::host_not_found, {}});
  EXPECT_EQ(code_of(client.ask(count(1))), 133);
}

// Once it waited until the name server's time was up, for half a minute.
TEST_F(SessionNames, a_client_waits_no_longer_than_maxTimeMS_for_a_look_up_that_hangs) {
  EXPECT_EQ(code_of(client.ask(count(1))), 133);
  EXPECT_EQ(code_of(client.ask(count(1))), 133) << "nor for the same one the next time";
  EXPECT_EQ(system->begun("db.test"), 1);
  system->give("db.test", found("127.0.0.1"));
  EXPECT_TRUE(is_ok(client.ask(ping())));
}

// Once the thread could not be joined before the look-up had ended.
TEST_F(SessionNames, the_thread_ends_while_a_look_up_hangs) {
  client.send(ping());
  system->wait_until_begun("db.test");
  door.stop();  // as the server does
  thread.stop();
  EXPECT_TRUE(client.is_closed_by_peer());
  EXPECT_EQ(thread.session_count(), 0U);
}

class SessionNamesHurried : public named_world {
 protected:
  SessionNamesHurried() : named_world(hurried()) {}
  static std::shared_ptr<const config::settings> hurried() {
    auto out = std::make_shared<config::settings>(*settings());
    out->upstream.connect_timeout = std::chrono::milliseconds(1);
    return out;
  }
  loopback_client client{port()};
};

TEST_F(SessionNamesHurried, a_look_up_counts_towards_the_connect_timeout) {
  EXPECT_EQ(code_of(client.ask(count(1000))), 133);
  EXPECT_GE(topology_checks, 2) << "each attempt that failed asks for a check";
  EXPECT_EQ(system->begun("db.test"), 1);
}

class SessionNamesPooled : public named_world {
 protected:
  SessionNamesPooled() : named_world(pooled(2)) { log_in_without_a_user(); }
  loopback_client client{port()};
};

TEST_F(SessionNamesPooled, a_client_waits_no_longer_than_maxTimeMS_and_its_room_is_free_again) {
  for (int i = 0; i < 3; ++i) EXPECT_NE(code_of(client.ask(count(1))), 0);
  system->give("db.test", found("127.0.0.1"));
  EXPECT_TRUE(is_ok(client.ask(ping())));
  EXPECT_EQ(system->begun("db.test"), 1);
}

TEST_F(SessionNamesPooled, the_thread_ends_while_its_probe_looks_up) {
  thread.try_login();
  system->wait_until_begun("db.test");
  door.stop();  // as the server does
  thread.stop();
}

}  // namespace
}  // namespace mongocached::daemon
