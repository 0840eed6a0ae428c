// Reads without a read concern, by what the upstream tells of the cluster's default (wire rule S2).
#include <gtest/gtest.h>

#include "session_world.hpp"

namespace mongocached::daemon {
namespace {

// The upstream answers with the value that a majority has where it is asked for that, and with a newer one otherwise.
class SessionDefaultLevel : public session_world {
 protected:
  SessionDefaultLevel() {
    upstream.on("find", [this](const asked& q) {
      const auto concern = q.body.view().find("readConcern");
      const bool majority = concern && must(concern->document()).text_of("level") == "majority";
      return found({document{{"_id", 1}, {"x", majority ? 1 : 2}}}, majority ? first_time : newest.load());
    });
    upstream.on("update", [this](const asked&) { return okay(newest = first_time + 5); });
  }
  void refuse() {
    upstream.on("getDefaultRWConcern", [](const asked&) { return failed(13, "not authorized"); });
  }
  void tell(const char* level) {
    upstream.on("getDefaultRWConcern", [level](const asked&) {
      return document{{"defaultReadConcern", document{{"level", level}}}, {"ok", 1.0}};
    });
  }
  // As with a change stream and samples, as of now.
  void follow() {
    shared.stream_refused = false;
    shared.coherence.follow(true);
    majority_has(first_time);
  }
  void majority_has(cache::cluster_time time) {
    const cache::primary_sample sample{
        .sent = data_thread::now() + std::chrono::hours(1), .operation_time = time, .majority = time, .election = "1"};
    for (int i = 0; i < 2; ++i) static_cast<void>(shared.coherence.sampled(sample));
    shared.coherence.applied(time);
  }
  document after(std::uint64_t time) {
    return document{{"find", "things"},
                    {"filter", document{{"_id", 1}}},
                    {"readConcern", document{{"afterClusterTime", timestamp{time}}}},
                    {"$db", "shop"}};
  }
  static std::int64_t x_of(const document& reply) {
    const auto batch = must(field_in(must(field_in(reply.view(), "cursor").document()), "firstBatch").document());
    return must(field_in(must(field_in(batch, "0").document()), "x").integer());
  }
  [[nodiscard]] bool went_as_it_came(const document& command) const {
    return protocol::equal(upstream.last("find").body.bytes(), command.bytes());
  }

  std::atomic<std::uint64_t> newest{first_time};
  loopback_client client{port()};
};

TEST_F(SessionDefaultLevel, one_that_is_not_told_is_left_to_the_server) {
  refuse();
  EXPECT_EQ(x_of(client.ask(find())), 2);
  EXPECT_TRUE(went_as_it_came(find()));
  EXPECT_EQ(x_of(client.ask(find())), 2);
  EXPECT_EQ(finds(), 1U);
}

TEST_F(SessionDefaultLevel, what_was_read_by_it_is_not_for_who_wants_a_majoritys) {
  refuse();
  static_cast<void>(client.ask(find()));
  const document command{{"find", "things"},
                         {"filter", document{{"_id", 1}}},
                         {"readConcern", document{{"level", "majority"}}},
                         {"$db", "shop"}};
  EXPECT_EQ(x_of(client.ask(command)), 1);
  EXPECT_EQ(finds(), 2U);
}

TEST_F(SessionDefaultLevel, behind_ones_own_write_the_read_goes_as_it_came) {
  for (const bool followed : {false, true}) {
    refuse();
    if (followed) follow();
    static_cast<void>(client.ask(find()));
    static_cast<void>(client.ask(update()));
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(x_of(client.ask(find())), 2);
      EXPECT_TRUE(went_as_it_came(find()));
    }
  }
}

// The default is `majority`, as nobody tells: the write is seen once a majority has it, and not a `ttl` later.
TEST_F(SessionDefaultLevel, what_may_lack_a_write_of_before_is_not_kept) {
  refuse();
  static_cast<void>(client.ask(find()));
  static_cast<void>(client.ask(update()));
  for (const int value : {1, 2}) {
    upstream.on("find", [value](const asked&) { return found({document{{"_id", 1}, {"x", value}}}); });
    EXPECT_EQ(x_of(client.ask(find())), value);
  }
}

TEST_F(SessionDefaultLevel, where_the_stream_is_followed_a_majoritys_is_kept) {
  refuse();
  follow();
  EXPECT_TRUE(is_ok(client.ask(find())));
  const auto sent = upstream.last("find").body;
  const auto concern = must(field_in(sent.view(), "readConcern").document());
  EXPECT_EQ(concern.text_of("level"), "majority");
  EXPECT_EQ(field_in(concern, "afterClusterTime").timestamp(), first_time);
  EXPECT_TRUE(is_ok(client.ask(find())));
  EXPECT_EQ(finds(), 1U);
}

// The server applies its default only where nothing of a read concern is given.
TEST_F(SessionDefaultLevel, who_gives_a_time_reads_what_is_local_whatever_the_default_is) {
  tell("majority");
  static_cast<void>(client.ask(ping()));
  static_cast<void>(client.ask(find()));
  EXPECT_EQ(x_of(client.ask(after(first_time))), 2);
  EXPECT_TRUE(went_as_it_came(after(first_time)));
}

TEST_F(SessionDefaultLevel, one_that_orphans_may_be_read_by_is_not_served) {
  tell("available");
  for (std::size_t i = 1; i <= 3; ++i) {
    EXPECT_TRUE(is_ok(client.ask(find())));
    EXPECT_TRUE(went_as_it_came(find()));
    EXPECT_EQ(finds(), i);
  }
}

TEST_F(SessionDefaultLevel, what_was_read_by_it_falls_when_it_is_changed) {
  refuse();
  static_cast<void>(client.ask(find()));
  static_cast<void>(client.ask(find()));
  EXPECT_EQ(finds(), 1U);
  EXPECT_TRUE(is_ok(client.ask(document{
      {"setDefaultRWConcern", 1}, {"defaultReadConcern", document{{"level", "majority"}}}, {"$db", "admin"}})));
  EXPECT_TRUE(is_ok(client.ask(find())));
  EXPECT_EQ(finds(), 2U);
}

}  // namespace
}  // namespace mongocached::daemon
