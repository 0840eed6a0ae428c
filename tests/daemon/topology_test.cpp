// topology_monitor against scripted members: real sockets and libmongoc's own monitors, ports chosen by the kernel.
#include "daemon/control/topology.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "daemon/control/driver_runtime.hpp"
#include "fake_member.hpp"

namespace mongocached::daemon {
namespace {

using testing::fake_member;
using namespace std::chrono_literals;

upstream_uri parse(const std::string& text) {
  std::string error;
  auto uri = parse_upstream_uri(text, error);
  if (!uri) throw std::runtime_error(error);
  return *uri;
}

// Follows a monitor's snapshots.
class follower {
 public:
  explicit follower(const std::string& uri)
      : monitor_(parse(uri), 2s, [this](snapshot_ptr s) { take(std::move(s)); }) {}

  // The first snapshot that satisfies `wanted`, of those not yet looked at; null after 10 s.
  template <class Predicate>
  snapshot_ptr wait_for(Predicate wanted) {
    std::unique_lock lock(guard_);
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (true) {
      while (!seen_.empty()) {
        const snapshot_ptr next = std::move(seen_.front());
        seen_.pop_front();
        if (wanted(*next)) return next;
      }
      if (changed_.wait_until(lock, deadline) == std::cv_status::timeout) return nullptr;
    }
  }

  snapshot_ptr wait_for_target(std::uint16_t port) {
    return wait_for([=](const upstream_snapshot& s) { return s.available && s.port == port; });
  }

  snapshot_ptr wait_for_none() {
    return wait_for([](const upstream_snapshot& s) { return !s.available; });
  }

  topology_monitor& monitor() { return monitor_; }

 private:
  void take(snapshot_ptr snapshot) {
    const std::lock_guard lock(guard_);
    seen_.push_back(std::move(snapshot));
    changed_.notify_all();
  }

  std::mutex guard_;
  std::condition_variable changed_;
  std::deque<snapshot_ptr> seen_;
  topology_monitor monitor_;
};

class Topology : public ::testing::Test {
 protected:
  driver_runtime runtime_{nullptr};
  fake_member a_, b_;
  std::vector<std::string> both_{a_.address(), b_.address()};
  std::string seeds_ = "mongodb://" + a_.address() + "," + b_.address() + "/";
  // The least that libmongoc allows, for members that do not stream.
  std::string fast_ = "heartbeatFrequencyMS=500";
};

TEST_F(Topology, ReplicaSetIsFoundThroughOneSeed) {
  a_.play_secondary("rs", both_);
  b_.play_primary("rs", both_, 1);
  follower f("mongodb://" + a_.address() + "/");
  const auto s = f.wait_for_target(b_.port());
  ASSERT_TRUE(s);
  EXPECT_EQ(s->kind, upstream_kind::replica_set);
  EXPECT_EQ(s->host, "127.0.0.1");
  EXPECT_EQ(s->set_name, "rs");
  EXPECT_EQ(s->set_version, 1);
  EXPECT_EQ(s->election_id, (protocol::byte_buffer{0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1}));
  EXPECT_EQ(s->servers.size(), 2U);
  const auto hello = protocol::bson_view::parse(s->hello);
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->find("maxWireVersion")->integer(), 17);
  EXPECT_EQ(f.monitor().current()->version, s->version);
}

TEST_F(Topology, ChangeOfPrimaryIsPushedByAStream) {
  a_.play_primary("rs", both_, 1, true);
  b_.play_secondary("rs", both_, true);
  follower f(seeds_);
  const auto first = f.wait_for_target(a_.port());
  ASSERT_TRUE(first);
  a_.play_secondary("rs", both_, true);
  const auto none = f.wait_for_none();
  ASSERT_TRUE(none);
  EXPECT_GT(none->version, first->version);
  EXPECT_EQ(none->kind, upstream_kind::replica_set);
  EXPECT_THAT(none->description, ::testing::StartsWith("no primary: "));
  b_.play_primary("rs", both_, 2, true);
  const auto second = f.wait_for_target(b_.port());
  ASSERT_TRUE(second);
  EXPECT_GT(second->version, none->version);
}

TEST_F(Topology, ElectionOfTheSameServerIsANewVersion) {
  a_.play_primary("rs", {a_.address()}, 1, true);
  follower f("mongodb://" + a_.address() + "/");
  const auto first = f.wait_for_target(a_.port());
  ASSERT_TRUE(first);
  a_.play_primary("rs", {a_.address()}, 2, true);
  const auto second = f.wait_for([](const upstream_snapshot& s) { return s.election_id.back() == 2; });
  ASSERT_TRUE(second);
  EXPECT_GT(second->version, first->version);
}

TEST_F(Topology, ElectionSignalFindsANewPrimaryLongBeforeTheNextHeartbeat) {
  a_.play_primary("rs", both_, 1);  // members that do not stream
  b_.play_secondary("rs", both_);
  follower f(seeds_ + "?heartbeatFrequencyMS=600000");
  ASSERT_TRUE(f.wait_for_target(a_.port()));
  a_.play_secondary("rs", both_);
  b_.play_primary("rs", both_, 2);
  f.monitor().request_check();
  EXPECT_TRUE(f.wait_for_target(b_.port()));
}

TEST_F(Topology, ElectionSignalThatWasNoneChangesNothing) {
  a_.play_primary("rs", both_, 1);
  b_.play_secondary("rs", both_);
  follower f(seeds_);
  const auto first = f.wait_for_target(a_.port());
  ASSERT_TRUE(first);
  f.monitor().request_check();
  b_.play_primary("rs", both_, 2);  // seen by a later check only
  f.monitor().request_check();
  EXPECT_TRUE(f.wait_for_target(b_.port()));
}

TEST_F(Topology, PrimaryThatForgetsToTellIsFoundAgain) {
  a_.play_primary("rs", both_, 1, true);
  b_.stop();
  follower f(seeds_ + "?heartbeatFrequencyMS=600000");
  ASSERT_TRUE(f.wait_for_target(a_.port()));
  a_.play_secondary("rs", both_);  // the stream ends with this word
  ASSERT_TRUE(f.wait_for_none());
  a_.play_primary("rs", both_, 2);
  EXPECT_TRUE(f.wait_for_target(a_.port()));
}

TEST_F(Topology, MongosIsKeptUntilItFails) {
  a_.play_mongos();
  b_.play_mongos();
  follower f(seeds_ + "?" + fast_);
  const auto first = f.wait_for([](const upstream_snapshot& s) {
    return s.available && s.servers[0].type == server_type::mongos && s.servers[1].type == server_type::mongos;
  });
  ASSERT_TRUE(first);
  EXPECT_EQ(first->kind, upstream_kind::sharded);
  fake_member& chosen = first->port == a_.port() ? a_ : b_;
  fake_member& other = first->port == a_.port() ? b_ : a_;
  f.monitor().request_check();
  chosen.stop();
  const auto second = f.wait_for_target(other.port());
  ASSERT_TRUE(second);
  EXPECT_EQ(second->version, first->version + 1);  // never moved before
}

TEST_F(Topology, Standalone) {
  a_.play_standalone();
  follower f("mongodb://" + a_.address() + "/");
  const auto s = f.wait_for_target(a_.port());
  ASSERT_TRUE(s);
  EXPECT_EQ(s->kind, upstream_kind::standalone);
  EXPECT_TRUE(s->election_id.empty());
}

TEST_F(Topology, DirectConnectionStaysWithASecondary) {
  a_.play_secondary("rs", both_);
  b_.play_primary("rs", both_, 1);
  follower f("mongodb://" + a_.address() + "/?directConnection=true");
  const auto s = f.wait_for_target(a_.port());
  ASSERT_TRUE(s);
  EXPECT_EQ(s->kind, upstream_kind::replica_set);
  EXPECT_EQ(s->servers.size(), 1U);
}

TEST_F(Topology, UnreachableIsSaidWithItsReason) {
  const std::string address = a_.address();
  a_.stop();
  follower f("mongodb://user:pa55word@" + address + "/?" + fast_);
  const auto s = f.wait_for_none();
  ASSERT_TRUE(s);
  EXPECT_EQ(s->kind, upstream_kind::unknown);
  EXPECT_TRUE(s->host.empty());
  EXPECT_THAT(s->description, ::testing::StartsWith("no server reachable: " + address));
  EXPECT_THAT(s->description, ::testing::Not(::testing::HasSubstr("pa55word")));
}

TEST_F(Topology, LostServerKeepsItsName) {
  a_.play_standalone();
  follower f("mongodb://" + a_.address() + "/?" + fast_);
  const auto first = f.wait_for_target(a_.port());
  ASSERT_TRUE(first);
  a_.stop();
  const auto lost = f.wait_for_none();
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->port, first->port);
  EXPECT_EQ(lost->hello, first->hello);
  EXPECT_EQ(lost->version, first->version + 1);
}

TEST_F(Topology, WrongSetNameIsSaid) {
  a_.play_primary("rs", {a_.address()}, 1);
  follower f("mongodb://" + a_.address() + "/?replicaSet=other");
  const auto s = f.wait_for_none();
  ASSERT_TRUE(s);
  EXPECT_THAT(s->description, ::testing::HasSubstr("a member of replica set other"));
}

TEST_F(Topology, MonitorEndsWhileAServerKeepsSilent) {
  const int silent = ::socket(AF_INET, SOCK_STREAM, 0);  // accepts by its backlog and never answers
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(silent, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(silent, 16), 0);
  ::getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size);
  auto f = std::make_unique<follower>("mongodb://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) +
                                      "/?connectTimeoutMS=3000");
  const int taken = ::accept(silent, nullptr, nullptr);  // the monitor waits for a reply now
  const auto begin = std::chrono::steady_clock::now();
  f.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
  ::close(taken);
  ::close(silent);
}

}  // namespace
}  // namespace mongocached::daemon
