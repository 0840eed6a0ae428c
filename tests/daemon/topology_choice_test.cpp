#include "daemon/control/topology_choice.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/bson_builder.hpp"

namespace mongocached::daemon {
namespace {

upstream_server server(const std::string& host, server_type type, std::uint8_t election = 0) {
  upstream_server out{host, 27017, type, 1, {}};
  protocol::bson_builder b(out.hello);
  if (type == server_type::primary || type == server_type::secondary) b.append_string("setName", "rs");
  if (election != 0) {
    b.append_object_id("electionId", std::array<std::uint8_t, 12>{election});
    b.append_int32("setVersion", 3);
  }
  b.finish();
  return out;
}

topology_observation seen(std::vector<upstream_server> servers) {
  topology_observation out;
  out.servers = std::move(servers);
  return out;
}

const upstream_snapshot nothing;

TEST(ChooseTarget, MongosIsStickyWhateverTheOrder) {
  const auto first = choose_target(nothing, seen({server("b", server_type::mongos)}));
  EXPECT_EQ(first.host, "b");
  EXPECT_EQ(first.version, 1U);
  const auto second = choose_target(first, seen({server("a", server_type::mongos), server("b", server_type::mongos)}));
  EXPECT_EQ(second.host, "b");
  EXPECT_EQ(second.version, 1U);
  const auto third = choose_target(second, seen({server("a", server_type::mongos), server("b", server_type::unknown)}));
  EXPECT_EQ(third.host, "a");
  EXPECT_EQ(third.version, 2U);
  const auto fourth = choose_target(third, seen({server("a", server_type::mongos), server("b", server_type::mongos)}));
  EXPECT_EQ(fourth.host, "a");
  EXPECT_EQ(fourth.version, 2U);
}

TEST(ChooseTarget, SecondaryIsATargetOnlyOfADirectConnection) {
  auto view = seen({server("a", server_type::secondary)});
  EXPECT_FALSE(choose_target(nothing, view).available);
  EXPECT_EQ(choose_target(nothing, view).kind, upstream_kind::replica_set);
  view.direct = true;
  EXPECT_TRUE(choose_target(nothing, view).available);
}

TEST(ChooseTarget, ElectionIsReadFromTheHello) {
  const auto s = choose_target(nothing, seen({server("a", server_type::primary, 7)}));
  ASSERT_EQ(s.election_id.size(), 12U);
  EXPECT_EQ(s.election_id[0], 7);
  EXPECT_EQ(s.set_version, 3);
  EXPECT_EQ(s.set_name, "rs");
  EXPECT_EQ(choose_target(s, seen({server("a", server_type::primary, 8)})).version, s.version + 1);
}

TEST(ChooseTarget, MalformedHelloIsNoElection) {
  upstream_server odd = server("a", server_type::primary);
  odd.hello = {1, 2, 3};
  const auto s = choose_target(nothing, seen({odd}));
  EXPECT_TRUE(s.available);
  EXPECT_TRUE(s.election_id.empty());
}

TEST(ChooseTarget, DescriptionNamesEveryServerAndReasonOnOneLine) {
  auto view = seen({server("b", server_type::unknown), server("a", server_type::secondary)});
  view.errors["b:27017"] = "connection\nrefused";
  EXPECT_EQ(choose_target(nothing, view).description,
            "no primary: a:27017 is secondary; b:27017 is unknown (connection refused)");
}

// What has yet to answer, or was passed over by an election, is as unknown as what is silent, and may be well.
TEST(ChooseTarget, OnlyAFailedCheckMakesAServerUnreachable) {
  auto view = seen({server("a", server_type::unknown), server("b", server_type::primary)});
  view.errors["b:27017"] = "of before";
  const auto first = choose_target(nothing, view);
  EXPECT_FALSE(first.servers[0].unreachable);
  EXPECT_FALSE(first.servers[1].unreachable);
  view.errors["a:27017"] = "connection refused";
  const auto second = choose_target(first, view);
  EXPECT_TRUE(second.servers[0].unreachable);
  EXPECT_FALSE(same_content(first, second));
}

TEST(ChooseTarget, LastTargetIsKeptWhileThereIsNone) {
  const auto first = choose_target(nothing, seen({server("a", server_type::primary, 1)}));
  const auto second = choose_target(first, seen({server("a", server_type::unknown)}));
  EXPECT_FALSE(second.available);
  EXPECT_EQ(second.host, "a");
  EXPECT_EQ(second.hello, first.hello);
  EXPECT_EQ(second.set_name, "rs");
  EXPECT_EQ(second.version, 2U);
}

class JudgeProbe : public ::testing::Test {
 protected:
  upstream_snapshot now_ =
      choose_target(nothing, seen({server("a", server_type::primary, 5), server("b", server_type::secondary)}));

  probe_verdict judge(std::vector<upstream_server> servers) { return judge_probe(now_, seen(std::move(servers))); }
};

TEST_F(JudgeProbe, SamePrimaryAgrees) {
  EXPECT_EQ(judge({server("a", server_type::primary, 5), server("b", server_type::secondary)}), probe_verdict::agrees);
}

TEST_F(JudgeProbe, NewerPrimaryContradictsEvenWhileTheOldOneIsSilent) {
  EXPECT_EQ(judge({server("a", server_type::unknown), server("b", server_type::primary, 6)}),
            probe_verdict::contradicts);
  EXPECT_EQ(judge({server("a", server_type::secondary), server("b", server_type::primary, 6)}),
            probe_verdict::contradicts);
}

TEST_F(JudgeProbe, PrimaryOfAnOlderElectionIsNotBelieved) {
  EXPECT_EQ(judge({server("a", server_type::unknown), server("b", server_type::primary, 4)}), probe_verdict::silent);
}

TEST_F(JudgeProbe, DeposedTargetContradicts) {
  EXPECT_EQ(judge({server("a", server_type::secondary), server("b", server_type::secondary)}),
            probe_verdict::contradicts);
}

TEST_F(JudgeProbe, SilentTargetIsNotYetALostOne) {
  EXPECT_EQ(judge({server("a", server_type::unknown), server("b", server_type::secondary)}), probe_verdict::silent);
}

TEST_F(JudgeProbe, WhileThereIsNoPrimaryADeposedOneIsNotTaken) {
  now_ = choose_target(now_, seen({server("a", server_type::unknown), server("b", server_type::secondary)}));
  ASSERT_FALSE(now_.available);
  EXPECT_EQ(judge({server("b", server_type::primary, 4)}), probe_verdict::agrees);
  EXPECT_EQ(judge({server("b", server_type::primary, 6)}), probe_verdict::contradicts);
  EXPECT_EQ(judge({server("b", server_type::secondary)}), probe_verdict::agrees);
}

TEST(JudgeProbeOfMongos, AnotherOneThatAnswersIsNoReasonToMove) {
  const auto now = choose_target(nothing, seen({server("b", server_type::mongos)}));
  EXPECT_EQ(judge_probe(now, seen({server("a", server_type::mongos), server("b", server_type::unknown)})),
            probe_verdict::silent);
}

TEST(TopologyObservation, ServersThatDoNotAnswerStayKnown) {
  topology_observation o;
  o.open("a", 27017);
  o.open("b", 27017);
  o.open("a", 27017);
  o.update({server("b", server_type::primary)});
  ASSERT_EQ(o.servers.size(), 2U);
  EXPECT_EQ(o.servers[0].host, "b");
  EXPECT_EQ(o.servers[0].type, server_type::primary);
  EXPECT_EQ(o.servers[1].type, server_type::unknown);
  o.close("b", 27017);
  EXPECT_EQ(o.servers.size(), 1U);
}

TEST(HostAndPort, BracketsAnIPv6Address) {
  EXPECT_EQ(host_and_port("::1", 1), "[::1]:1");
  EXPECT_EQ(host_and_port("db", 27017), "db:27017");
}

}  // namespace
}  // namespace mongocached::daemon
