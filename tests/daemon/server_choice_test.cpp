#include "daemon/pooled/server_choice.hpp"

#include <gtest/gtest.h>

#include "support/message_builders.hpp"

namespace mongocached::daemon {
namespace {

using namespace test_support;  // NOLINT: tests read as JSON

upstream_server member(const char* host, server_type type, const document& tags = {}, std::int64_t round_trip = 1) {
  upstream_server out;
  out.host = host;
  out.port = 27017;
  out.type = type;
  out.round_trip_ms = round_trip;
  out.hello = document{{"tags", tags}}.bytes();
  return out;
}

class ServerChoice : public ::testing::Test {
 protected:
  ServerChoice() {
    now.kind = upstream_kind::replica_set;
    now.available = true;
    now.host = "p";
    now.port = 27017;
    now.servers = {member("p", server_type::primary), member("s", server_type::secondary, {{"dc", "east"}}),
                   member("t", server_type::secondary, {{"dc", "west"}, {"disk", "ssd"}})};
  }
  std::string choose(const document& preference, std::size_t dice = 0) {
    const auto wanted = parse_read_preference(preference.view());
    if (!wanted) return "malformed";
    const auto where = choose_server(now, *wanted, [dice](std::size_t) { return dice; });
    return where ? where->host : "none";
  }
  void lose_primary() {
    now.available = false;
    now.servers.front().type = server_type::unknown;
  }
  void heard(std::size_t which, std::int64_t last_write_ms, std::int64_t heard_ms) {
    now.servers[which].last_write_ms = last_write_ms;
    now.servers[which].heard_ms = heard_ms;
  }
  static document mode(const char* name) { return document{{"mode", name}}; }

  upstream_snapshot now;
};

TEST_F(ServerChoice, modes_choose_as_the_specification_says) {
  EXPECT_EQ(choose(mode("primary")), "p");
  EXPECT_EQ(choose(mode("primaryPreferred")), "p");
  EXPECT_EQ(choose(mode("secondary"), 0), "s");
  EXPECT_EQ(choose(mode("secondary"), 1), "t");
  EXPECT_EQ(choose(mode("secondaryPreferred"), 1), "t");
  EXPECT_EQ(choose(mode("nearest"), 2), "p");
}

TEST_F(ServerChoice, without_a_primary) {
  lose_primary();
  EXPECT_EQ(choose(mode("primary")), "none");
  EXPECT_EQ(choose(mode("primaryPreferred")), "s");
  EXPECT_EQ(choose(mode("secondary")), "s");
  EXPECT_EQ(choose(mode("nearest"), 1), "t");
}

TEST_F(ServerChoice, without_secondaries) {
  now.servers.resize(1);
  EXPECT_EQ(choose(mode("secondary")), "none");
  EXPECT_EQ(choose(mode("secondaryPreferred")), "p");
  EXPECT_EQ(choose(mode("nearest")), "p");
}

TEST_F(ServerChoice, the_first_tag_set_that_anybody_carries_counts) {
  const auto tagged = [](const array& sets) { return document{{"mode", "secondary"}, {"tags", sets}}; };
  EXPECT_EQ(choose(tagged(array{document{{"dc", "west"}}})), "t");
  EXPECT_EQ(choose(tagged(array{document{{"dc", "west"}, {"disk", "hdd"}}, document{{"dc", "east"}}})), "s");
  EXPECT_EQ(choose(tagged(array{document{{"dc", "north"}}})), "none");
  EXPECT_EQ(choose(tagged(array{document{{"dc", "north"}}, document()}), 1), "t");
  EXPECT_EQ(choose(document{{"mode", "secondaryPreferred"}, {"tags", array{document{{"dc", "north"}}}}}), "p");
}

TEST_F(ServerChoice, far_servers_are_left_out) {
  now.servers[1].round_trip_ms = 17;
  EXPECT_EQ(choose(mode("secondary"), 0), "t");
  EXPECT_EQ(choose(mode("secondary"), 1), "t");
  now.servers[1].round_trip_ms = 16;
  EXPECT_EQ(choose(mode("secondary"), 0), "s");
}

TEST_F(ServerChoice, stale_secondaries_are_left_out) {
  const document wanted{{"mode", "secondary"}, {"maxStalenessSeconds", 120}};
  EXPECT_EQ(choose(wanted), "none");  // nothing is known of them
  heard(0, 1'000'000, 5'000);
  heard(1, 890'000, 5'000);  // 110 s behind the primary, and a heartbeat of 10 s
  heard(2, 889'999, 5'000);
  EXPECT_EQ(choose(wanted, 0), "s");
  EXPECT_EQ(choose(wanted, 1), "s");
  EXPECT_EQ(choose(document{{"mode", "secondary"}, {"maxStalenessSeconds", -1}}, 1), "t");
}

TEST_F(ServerChoice, without_a_primary_the_newest_secondary_is_the_measure) {
  lose_primary();
  heard(1, 1'000'000, 5'000);
  heard(2, 900'000, 5'000);
  EXPECT_EQ(choose(document{{"mode", "secondary"}, {"maxStalenessSeconds", 109}}, 1), "s");
  EXPECT_EQ(choose(document{{"mode", "secondary"}, {"maxStalenessSeconds", 110}}, 1), "t");
}

TEST_F(ServerChoice, a_mongos_or_a_single_server_serves_every_mode) {
  now.kind = upstream_kind::sharded;
  EXPECT_EQ(choose(mode("secondary")), "p");
  now.kind = upstream_kind::replica_set;
  now.direct = true;
  EXPECT_EQ(choose(mode("secondary")), "p");
}

TEST_F(ServerChoice, what_is_no_preference_is_refused) {
  EXPECT_EQ(choose(document()), "malformed");
  EXPECT_EQ(choose(mode("Primary")), "malformed");
  EXPECT_EQ(choose(document{{"mode", 1}}), "malformed");
  EXPECT_EQ(choose(document{{"mode", "nearest"}, {"tags", document()}}), "malformed");
  EXPECT_EQ(choose(document{{"mode", "nearest"}, {"tags", array{1}}}), "malformed");
  EXPECT_EQ(choose(document{{"mode", "nearest"}, {"tags", array{document{{"dc", 1}}}}}), "malformed");
  EXPECT_EQ(choose(document{{"mode", "nearest"}, {"maxStalenessSeconds", "x"}}), "malformed");
}

}  // namespace
}  // namespace mongocached::daemon
