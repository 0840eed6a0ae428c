// cluster_watch against a scripted server: real sockets and libmongoc's own connections, ports chosen by the kernel.
#include "daemon/control/cluster_watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/store/boot_clock.hpp"
#include "daemon/control/driver_runtime.hpp"
#include "fake_cluster.hpp"
#include "watch_follower.hpp"

namespace mongocached::daemon {
namespace {

using testing::array;
using testing::at;
using testing::deleted;
using testing::document;
using testing::fake_cluster;
using testing::follower;
using testing::token;
using role = fake_cluster::role;
using test_support::failed;
using namespace std::chrono_literals;

class ClusterWatch : public ::testing::Test {
 protected:
  driver_runtime runtime_{nullptr};
  fake_cluster cluster_;
};

TEST_F(ClusterWatch, OpensAtTheServersTimeAndTellsItsPosition) {
  follower f(cluster_.uri());
  EXPECT_EQ(f.state(stream_state::opened), "expanded");
  EXPECT_EQ(f.begins(), 1);
  const document stage = cluster_.stage(0);
  EXPECT_EQ(test_support::field_in(stage.view(), "startAtOperationTime").timestamp(), at(100));
  EXPECT_FALSE(stage.view().find("resumeAfter"));
  EXPECT_TRUE(f.batch_at(at(100) - 1).token.empty()) << "what an opening names is not to be resumed at";
  EXPECT_EQ(f.batch_at(at(100)).token, token(at(100)).bytes());  // an empty batch behind it
}

TEST_F(ClusterWatch, LostBehindItsOpeningItIsOpenedAtTheSameTimeAgain) {
  cluster_.on_get_more(testing::answer::hang_up());
  follower f(cluster_.uri());
  f.state(stream_state::opened);
  f.state(stream_state::lost);
  f.state(stream_state::opened);
  const document stage = cluster_.stage(1);
  EXPECT_EQ(test_support::field_in(stage.view(), "startAtOperationTime").timestamp(), at(100));
  EXPECT_FALSE(stage.view().find("resumeAfter"));
}

TEST_F(ClusterWatch, BeginsBehindTheTokenThatItIsGiven) {
  follower f(cluster_.uri(), token(at(90)).bytes());
  f.state(stream_state::opened);
  const document stage = cluster_.stage(0);
  EXPECT_TRUE(protocol::equal(test_support::field_in(stage.view(), "resumeAfter").value, token(at(90)).bytes()));
  EXPECT_FALSE(stage.view().find("startAtOperationTime"));
  f.batch_at(at(90));
}

TEST_F(ClusterWatch, EventsComeInOrderAndEmptyBatchesMoveThePosition) {
  follower f(cluster_.uri());
  f.batch_at(at(100));
  cluster_.tick(at(200));
  cluster_.push(array{deleted(at(101), 1), deleted(at(102), 2)}, token(at(102), "2b"));
  cluster_.push(array{deleted(at(102), 3)}, token(at(102), "2b"));  // the same transaction
  const auto first = f.batch_with_events();
  EXPECT_THAT(first.deleted, ::testing::ElementsAre(1, 2));
  EXPECT_EQ(first.position, at(102) - 1);
  const auto second = f.batch_with_events();
  EXPECT_THAT(second.deleted, ::testing::ElementsAre(3));
  EXPECT_EQ(second.position, at(102) - 1);
  EXPECT_THAT(f.batch_at(at(102)).deleted, ::testing::IsEmpty());
  cluster_.push(array{}, token(at(150)));
  EXPECT_EQ(f.batch_at(at(150)).token, token(at(150)).bytes());
}

TEST_F(ClusterWatch, ResumesBehindTheLastBatchAfterALostConnection) {
  follower f(cluster_.uri());
  f.state(stream_state::opened);
  cluster_.tick(at(200));
  cluster_.push(array{deleted(at(101), 1)}, token(at(101), "2b"));
  f.batch_with_events();
  cluster_.on_get_more(testing::answer::hang_up());
  EXPECT_FALSE(f.state(stream_state::lost).empty());
  f.state(stream_state::opened);
  EXPECT_TRUE(protocol::equal(test_support::field_in(cluster_.stage(1).view(), "resumeAfter").value,
                              token(at(101), "2b").bytes()));
  cluster_.push(array{deleted(at(103), 2)}, token(at(103), "2b"));
  EXPECT_THAT(f.batch_with_events().deleted, ::testing::ElementsAre(2));
  EXPECT_EQ(f.begins(), 1);
}

TEST_F(ClusterWatch, ChangeOfPrimaryIsALossOnly) {
  follower f(cluster_.uri());
  f.state(stream_state::opened);
  cluster_.on_get_more(failed(10107, "not primary"));
  EXPECT_THAT(f.state(stream_state::lost), ::testing::HasSubstr("10107"));
  f.state(stream_state::opened);
  EXPECT_EQ(f.begins(), 1);
}

TEST_F(ClusterWatch, BatchThatCouldNotBeAppliedComesAgain) {
  follower f(cluster_.uri());
  f.batch_at(at(100));
  f.fail_next_batch();
  cluster_.tick(at(200));
  cluster_.push(array{deleted(at(101), 1)}, token(at(101), "2b"));
  EXPECT_EQ(f.state(stream_state::lost), "cannot apply");
  f.state(stream_state::opened);
  EXPECT_TRUE(
      protocol::equal(test_support::field_in(cluster_.stage(1).view(), "resumeAfter").value, token(at(100)).bytes()));
}

TEST_F(ClusterWatch, LostHistoryAsksWhereToBegin) {
  cluster_.on_open(failed(286, "the oplog is gone"));
  follower f(cluster_.uri(), token(at(50)).bytes());
  EXPECT_THAT(f.state(stream_state::history_lost), ::testing::HasSubstr("286"));
  f.begin_with({});
  f.state(stream_state::opened);
  EXPECT_GE(f.begins(), 2);
}

TEST_F(ClusterWatch, TokenThatNoServerUnderstandsIsLostHistory) {
  for (int i = 0; i < 5; ++i) cluster_.on_open(failed(9, "resume token is not a valid resume token"));
  follower f(cluster_.uri(), token(at(50)).bytes());
  f.state(stream_state::history_lost);
  f.state(stream_state::opened);
  EXPECT_EQ(f.begins(), 2);
}

TEST_F(ClusterWatch, MalformedTokenIsNotTakenForNone) {
  follower f(cluster_.uri(), {1, 2, 3});
  EXPECT_EQ(f.state(stream_state::history_lost), "the resume token is malformed");
  EXPECT_EQ(cluster_.server().count("aggregate"), 0U);
}

TEST_F(ClusterWatch, InvalidateIsLostHistory) {
  follower f(cluster_.uri());
  f.state(stream_state::opened);
  cluster_.push(array{document{{"_id", token(at(101))}, {"operationType", "invalidate"}}}, token(at(101)));
  f.state(stream_state::history_lost);
  f.state(stream_state::opened);
  EXPECT_EQ(f.begins(), 2);
}

TEST_F(ClusterWatch, ServerThatKnowsLessIsAskedForLess) {
  cluster_.on_open(failed(168, "Unrecognized expression '$bsonSize'"));
  cluster_.on_open(failed(40415, "BSON field '$changeStream.showExpandedEvents' is an unknown field"));
  follower f(cluster_.uri());
  EXPECT_EQ(f.state(stream_state::opened), "plain");
  EXPECT_TRUE(cluster_.stage(1).view().find("showExpandedEvents"));
  EXPECT_FALSE(cluster_.stage(2).view().find("showExpandedEvents"));
}

TEST_F(ClusterWatch, ServerWithoutStartingTimesIsOpenedFromNow) {
  for (int i = 0; i < 5; ++i) cluster_.on_open(failed(40415, "startAtOperationTime is an unknown field"));
  follower f(cluster_.uri());
  EXPECT_EQ(f.state(stream_state::opened), "expanded");
  EXPECT_FALSE(cluster_.stage(5).view().find("startAtOperationTime"));
}

TEST_F(ClusterWatch, RefusalIsSaidAndAskedAgain) {
  cluster_.on_open(failed(40573, "only supported on replica sets"));
  follower f(cluster_.uri());
  EXPECT_THAT(f.state(stream_state::refused), ::testing::HasSubstr("40573"));
  f.state(stream_state::opened);
}

// Once taken for a server without change streams, which leaves mode bounded with what ttl promises.
TEST_F(ClusterWatch, UserWhoMayNotIsDeniedAndAskedAgain) {
  cluster_.on_open(failed(13, "not authorized"));
  follower f(cluster_.uri());
  EXPECT_THAT(f.state(stream_state::denied), ::testing::HasSubstr("code 13"));
  f.state(stream_state::opened);
}

TEST_F(ClusterWatch, UserWhoMayNoLongerGoesOnWhereTheStreamStopped) {
  follower f(cluster_.uri());
  f.state(stream_state::opened);
  cluster_.push(array{deleted(at(101), 7)}, token(at(102)));
  f.batch_with_events();
  cluster_.on_get_more(failed(13, "not authorized"));
  f.state(stream_state::denied);
  f.state(stream_state::opened);
  EXPECT_EQ(f.begins(), 1);
  EXPECT_TRUE(cluster_.stage(1).view().find("resumeAfter"));
}

TEST_F(ClusterWatch, LoginThatFailsIsDenied) {
  cluster_.server().on("saslStart", [](const testing::asked&) { return failed(18, "Authentication failed."); });
  follower f("mongodb://ann:pa55word@" + cluster_.uri().substr(std::string("mongodb://").size()));
  EXPECT_THAT(f.state(stream_state::denied), ::testing::Not(::testing::HasSubstr("pa55word")));
}

TEST_F(ClusterWatch, StandaloneIsRefusedUnasked) {
  cluster_.play(role::standalone);
  follower f(cluster_.uri());
  EXPECT_THAT(f.state(stream_state::refused), ::testing::HasSubstr("standalone"));
  EXPECT_EQ(cluster_.server().count("aggregate"), 0U);
  const auto sample = f.sample([](const cluster_sample&) { return true; });
  EXPECT_EQ(sample.operation_time, 0U);
  EXPECT_TRUE(sample.election.empty());
}

TEST_F(ClusterWatch, RestartBeginsAnewAndMayGoBack) {
  follower f(cluster_.uri());
  f.batch_at(at(100));
  cluster_.tick(at(101));
  cluster_.push(array{}, token(at(100, 5)));
  f.batch_at(at(100, 5));
  cluster_.tick(at(80));  // restored from a backup
  f.begin_with(token(at(70)).bytes());
  f.watch().restart();
  f.batch_at(at(70));
  EXPECT_EQ(f.begins(), 2);
}

// Once they were those of the start, for good: a smaller max_lag left the gate shut most of the time.
TEST_F(ClusterWatch, TakesOtherPeriodsWhileItFollows) {
  auto options = follower::quick();
  options.sample_period = 1h;
  follower f(cluster_.uri(), {}, options);
  f.state(stream_state::opened);
  f.sample([](const cluster_sample&) { return true; });
  options.sample_period = 20ms;
  options.await = 37ms;
  f.watch().renew(options);
  f.sample([](const cluster_sample&) { return true; });
  cluster_.wait_for_patience(37ms);
  EXPECT_EQ(cluster_.server().count("aggregate"), 1U);
}

TEST_F(ClusterWatch, OtherDocumentsAreAskedForWhereTheStreamStands) {
  follower f(cluster_.uri());
  f.batch_at(at(100));
  cluster_.tick(at(200));
  cluster_.push(array{deleted(at(101), 1)}, token(at(101), "2b"));
  f.batch_with_events();
  auto options = follower::quick();
  ++options.max_document;
  f.watch().renew(options);
  EXPECT_TRUE(protocol::equal(test_support::field_in(cluster_.stage(1).view(), "resumeAfter").value,
                              token(at(101), "2b").bytes()));
  cluster_.push(array{deleted(at(103), 2)}, token(at(103), "2b"));
  EXPECT_THAT(f.batch_with_events().deleted, ::testing::ElementsAre(2));
  EXPECT_EQ(f.begins(), 1);
}

TEST_F(ClusterWatch, MalformedBatchIsNotApplied) {
  follower f(cluster_.uri());
  f.state(stream_state::opened);
  const document cursor{{"id", 77L}, {"nextBatch", array{1}}, {"ns", "x"}};
  cluster_.on_get_more(document{{"cursor", cursor}, {"ok", 1.0}});
  EXPECT_EQ(f.state(stream_state::lost), "a batch is malformed");
  f.state(stream_state::opened);
}

TEST_F(ClusterWatch, CursorThatTheServerClosedIsReopened) {
  follower f(cluster_.uri());
  f.state(stream_state::opened);
  const document cursor{{"id", 0L}, {"nextBatch", array{}}, {"ns", "x"}};
  cluster_.on_get_more(document{{"cursor", cursor}, {"ok", 1.0}});
  f.state(stream_state::lost);
  f.state(stream_state::opened);
}

TEST_F(ClusterWatch, SamplesThePrimary) {
  const auto before = cache::boot_now();
  follower f(cluster_.uri());
  const auto first = f.sample([](const cluster_sample&) { return true; });
  EXPECT_GE(first.sent, before);
  EXPECT_LE(first.sent, cache::boot_now());
  EXPECT_EQ(first.operation_time, at(100));
  EXPECT_EQ(first.majority, at(100) - 1);
  EXPECT_EQ(first.election, "7fff00000000000000000009/3");
  EXPECT_FALSE(first.mongos);
  cluster_.tick(at(105));
  f.sample([](const cluster_sample& s) { return s.operation_time == at(105); });
}

TEST_F(ClusterWatch, SecondaryGivesNoSampleUntilItIsPrimaryAgain) {
  follower f(cluster_.uri());
  f.sample([](const cluster_sample&) { return true; });
  cluster_.tick(at(110));
  cluster_.play(role::secondary);
  EXPECT_FALSE(f.gap().empty());
  cluster_.tick(at(120));
  cluster_.play(role::primary);
  f.sample([](const cluster_sample& s) { return s.operation_time == at(120); });
}

TEST_F(ClusterWatch, MongosIsAskedThroughEveryShard) {
  cluster_.play(role::mongos);
  follower f(cluster_.uri());
  const auto sample = f.sample([](const cluster_sample&) { return true; });
  EXPECT_TRUE(sample.mongos);
  EXPECT_EQ(sample.operation_time, at(100));
  EXPECT_EQ(sample.majority, 0U);
  EXPECT_TRUE(sample.election.empty());
  EXPECT_GE(cluster_.server().count("listDatabases"), 1U);
  f.state(stream_state::opened);
}

TEST_F(ClusterWatch, ReasonsHoldNoPassword) {
  std::string address;
  {
    fake_cluster gone;
    address = gone.uri().substr(std::string("mongodb://").size());
  }
  follower f("mongodb://ann:pa55word@" + address);
  EXPECT_THAT(f.state(stream_state::lost), ::testing::Not(::testing::HasSubstr("pa55word")));
  EXPECT_THAT(f.gap(), ::testing::Not(::testing::HasSubstr("pa55word")));
}

TEST_F(ClusterWatch, EndsSoon) {
  auto f = std::make_unique<follower>(cluster_.uri());
  f->state(stream_state::opened);
  const auto begin = std::chrono::steady_clock::now();
  f.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
}

// Once it was waited for until the server's silence counted as an error, ten seconds later.
TEST_F(ClusterWatch, EndsSoonThoughTheServerKeepsSilent) {
  const test_support::held_answer batch(failed(11601));
  const test_support::held_answer sample(failed(11601));
  auto f = std::make_unique<follower>(cluster_.uri());
  f->state(stream_state::opened);
  cluster_.server().on("getMore", batch.handler());
  cluster_.server().on("killCursors", batch.handler());
  batch.wait_until_asked_for();
  for (const char* name : {"hello", "isMaster", "ismaster"}) cluster_.server().on(name, sample.handler());
  sample.wait_until_asked_for();
  const auto begin = std::chrono::steady_clock::now();
  f->watch().ask_to_stop();
  f.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
}

}  // namespace
}  // namespace mongocached::daemon
