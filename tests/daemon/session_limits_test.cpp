// What a session does when there is more to do than there is room for.
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <future>

#include "cache/write_plan.hpp"
#include "daemon/session/session.hpp"
#include "session_world.hpp"

namespace mongocached::daemon {
namespace {

constexpr std::int64_t try_again_later = 262;

class SessionLimits : public session_world {
 protected:
  ~SessionLimits() override { let_go(); }

  void set(std::uint32_t max_in_flight, std::chrono::milliseconds buffer_timeout) {
    auto fresh = std::make_shared<config::settings>(*settings());
    fresh->listen.max_in_flight = max_in_flight;
    fresh->listen.buffer_timeout = buffer_timeout;
    shared.settings.store(std::move(fresh));
    wait_for_sweeps();
  }
  // The upstream, which outlives this, does not answer this command until let_go().
  void hold(const std::string& command, const document& reply = okay()) {
    upstream.on(command, [released = released_, reply](const asked&) {
      released.wait();
      return reply;
    });
  }
  void let_go() {
    if (!std::exchange(is_released_, true)) release_.set_value();
  }
  // What a flow counts, it counts behind its reply.
  static void wait_until(const std::function<bool()>& so) {
    while (!so()) std::this_thread::yield();
  }
  void occupy(loopback_client& whose) {
    hold("count");
    whose.send(count());
    wait_until([this] { return upstream.count("count") == 1; });
  }
  [[nodiscard]] std::uint64_t shed(shed_reason why) const {
    return thread.metrics.shed[static_cast<std::size_t>(why)].value();
  }
  [[nodiscard]] std::uint64_t answered(outcome how) const {
    return thread.metrics.requests[static_cast<std::size_t>(how)][cache::command_label("find")].value();
  }
  // Twice: the first find may only have proven the right to read.
  void prime() { session_world::prime(client); }
  void find_something_large() {
    upstream.on("find", [](const asked&) { return found({document{{"_id", 1}, {"x", std::string(100'000, 'x')}}}); });
  }
  static document count() { return document{{"count", "things"}, {"$db", "shop"}}; }
  // 200 kB.
  static document large() {
    return document{{"distinct", "things"}, {"comment", std::string(200'000, 'x')}, {"$db", "shop"}};
  }
  static document session_of(const char* command, const value& first) {
    return document{
        {command, first}, {"lsid", document{{"id", binary{4, byte_buffer(16)}}}}, {"txnNumber", 1L}, {"$db", "shop"}};
  }
  static void expect_shed(const document& reply) {
    EXPECT_EQ(code_of(reply), try_again_later);
    EXPECT_FALSE(is_ok(reply));
    for (const auto* label : {"SystemOverloadedError", "RetryableError", "NoWritesPerformed"}) {
      EXPECT_TRUE(has_label(reply, label)) << label;
    }
  }

  loopback_client client{port()};
  loopback_client other{port()};

 private:
  std::promise<void> release_;
  std::shared_future<void> released_{release_.get_future()};
  bool is_released_ = false;
};

TEST_F(SessionLimits, requests_beyond_max_in_flight_are_shed_and_hits_are_not) {
  prime();
  set(1, {});
  occupy(other);
  expect_shed(client.ask(ping()));
  EXPECT_TRUE(is_ok(client.ask(find())));
  EXPECT_TRUE(is_ok(client.ask(document{{"hello", 1}, {"$db", "admin"}})));
  EXPECT_EQ(finds(), 1U);
  EXPECT_EQ(shed(shed_reason::in_flight), 1U);
  EXPECT_EQ(upstream.count("ping"), 0U);
  let_go();
  EXPECT_TRUE(is_ok(other.reply()));
  EXPECT_TRUE(is_ok(client.ask(ping())));
  wait_until([this] { return shared.in_flight == 0; });
}

TEST_F(SessionLimits, a_shed_retryable_write_says_so_F3) {
  set(1, {});
  occupy(other);
  const auto write = client.ask(session_of("insert", "things"));
  expect_shed(write);
  EXPECT_TRUE(has_label(write, "RetryableWriteError"));
  expect_shed(client.ask(ping()));
  EXPECT_FALSE(has_label(client.ask(ping()), "RetryableWriteError"));
}

TEST_F(SessionLimits, what_ends_something_is_never_shed) {
  set(1, {});
  occupy(other);
  for (const auto* command : {"killCursors", "endSessions", "commitTransaction", "abortTransaction"}) {
    EXPECT_TRUE(is_ok(client.ask(session_of(command, 1)))) << command;
  }
  EXPECT_TRUE(is_ok(client.ask(document{{"getMore", 5L}, {"collection", "things"}, {"$db", "shop"}})));
  EXPECT_EQ(shed(shed_reason::in_flight), 0U);
}

TEST_F(SessionLimits, an_awaited_getMore_takes_nobody_s_place) {
  set(1, {});
  hold("getMore");
  other.send(document{{"getMore", 5L}, {"collection", "things"}, {"maxTimeMS", 60'000}, {"$db", "shop"}});
  wait_until([this] { return upstream.count("getMore") == 1; });
  EXPECT_TRUE(is_ok(client.ask(ping())));
}

// It was logged as slow, and took the histogram of what is relayed for itself.
TEST_F(SessionLimits, an_awaited_getMore_has_no_duration) {
  client.send(document{{"getMore", 5L}, {"collection", "things"}, {"maxTimeMS", 60'000}, {"$db", "shop"}});
  EXPECT_TRUE(is_ok(client.reply()));
  const auto bypass = static_cast<std::size_t>(outcome::bypass);
  wait_until([&] { return thread.metrics.requests[bypass][cache::command_label("getMore")].value() == 1; });
  for (std::size_t i = 0; i <= duration_histogram::bounds.size(); ++i) {
    EXPECT_EQ(thread.metrics.request_duration[bypass].bucket(i), 0U) << i;
    EXPECT_EQ(thread.metrics.upstream_duration.bucket(i), 0U) << i;
  }
}

TEST_F(SessionLimits, a_shed_write_without_reply_is_dropped_and_counted) {
  set(1, {});
  occupy(other);
  client.send(document{{"insert", "things"}, {"$db", "shop"}}, {.flags = protocol::op_msg_flags::more_to_come});
  expect_shed(client.ask(ping()));
  EXPECT_EQ(shed(shed_reason::in_flight), 2U);
  EXPECT_EQ(upstream.count("insert"), 0U);
}

TEST_F(SessionLimits, a_large_request_that_is_shed_is_skipped) {
  set(1, {});
  occupy(other);
  const document row{{"_id", 1}, {"x", std::string(5'000'000, 'x')}};
  expect_shed(client.ask(document{{"insert", "things"}, {"documents", array{row}}, {"$db", "shop"}}));
  EXPECT_TRUE(is_ok(client.ask(document{{"hello", 1}, {"$db", "admin"}})));
}

TEST_F(SessionLimits, no_upstream_is_counted_F5) {
  lose_upstream();
  EXPECT_EQ(code_of(client.ask(document{{"count", "things"}, {"maxTimeMS", 1}, {"$db", "shop"}})), 133);
  EXPECT_EQ(shed(shed_reason::no_upstream), 1U);
}

// The message has begun, and waits for room; small ones of others do not.
TEST_F(SessionLimits, a_request_waits_for_room) {
  set(100, std::chrono::minutes(1));
  auto everything = shared.buffers.hold(shared.buffers.limit());
  client.send(large());
  EXPECT_TRUE(is_ok(other.ask(ping())));
  EXPECT_EQ(upstream.count("distinct"), 0U);
  everything.release();
  EXPECT_TRUE(is_ok(client.reply()));
  EXPECT_EQ(upstream.last("distinct").body.bytes(), large().bytes());
  wait_until([this] { return shared.buffers.used() == 0; });
}

TEST_F(SessionLimits, a_request_that_gets_no_room_in_time_is_shed) {
  set(100, {});
  auto everything = shared.buffers.hold(shared.buffers.limit());
  expect_shed(client.ask(large()));
  EXPECT_EQ(shed(shed_reason::memory), 1U);
  EXPECT_TRUE(is_ok(client.ask(ping())));
  everything.release();
  EXPECT_TRUE(is_ok(client.ask(large())));
}

TEST_F(SessionLimits, a_client_that_leaves_while_it_waits_for_room_leaves_the_line) {
  set(100, std::chrono::minutes(1));
  constexpr std::size_t little = 10'000;  // not enough for a large request, enough for others unless one is in line
  auto rest = shared.buffers.hold(shared.buffers.limit() - little);
  ASSERT_TRUE(shared.buffers.has_room(little));
  auto leaving = std::make_unique<loopback_client>(port());
  leaving->send(byte_view(op_msg_message(large())).first(4'000));  // is read at once, however full it is
  wait_until([this] { return !shared.buffers.has_room(little); });
  leaving.reset();
  wait_until([this] { return closed(disconnect::client_closed) == 1; });
  wait_until([this] { return shared.buffers.has_room(little); });
  rest.release();
  EXPECT_TRUE(is_ok(client.ask(large())));
}

TEST_F(SessionLimits, a_reply_without_room_streams_by_and_is_not_stored) {
  find_something_large();
  set(100, {});
  static_cast<void>(client.ask(find(2)));
  const auto before = finds();
  auto everything = shared.buffers.hold(shared.buffers.limit());
  EXPECT_GT(client.ask(find()).bytes().size(), 100'000U);
  const auto& rejected = thread.metrics.fills_rejected[static_cast<std::size_t>(fill_rejection::memory)];
  wait_until([&] { return rejected.value() == 1; });
  everything.release();
  EXPECT_TRUE(is_ok(client.ask(find())));
  EXPECT_EQ(finds(), before + 2);
  EXPECT_TRUE(is_ok(client.ask(find()))) << "not remembered as too large";
  EXPECT_EQ(finds(), before + 2);
}

TEST_F(SessionLimits, a_hit_without_room_waits_for_it) {
  find_something_large();
  set(100, std::chrono::minutes(10));
  prime();
  auto everything = shared.buffers.hold(shared.buffers.limit());
  client.send(find());
  EXPECT_TRUE(is_ok(other.ask(ping())));
  wait_until([this] { return answered(outcome::l1_hit) == 1; });
  everything.release();
  EXPECT_GT(client.reply().bytes().size(), 100'000U);
  EXPECT_EQ(finds(), 1U);
}

TEST_F(SessionLimits, a_hit_that_gets_no_room_in_time_passes_through) {
  find_something_large();
  set(100, {});
  prime();
  const auto everything = shared.buffers.hold(shared.buffers.limit());
  EXPECT_GT(client.ask(find()).bytes().size(), 100'000U);
  EXPECT_EQ(finds(), 2U);
  const auto& passed_by = thread.metrics.bypass[static_cast<std::size_t>(cache::bypass_reason::memory)];
  wait_until([&] { return passed_by.value() == 1; });
}

TEST_F(SessionLimits, a_client_that_takes_nothing_is_cut_when_others_need_the_room) {
  find_something_large();
  set(100, std::chrono::milliseconds(1));
  prime();
  byte_buffer all;
  for (std::int32_t id = 1; id <= 100; ++id) {
    const auto one = op_msg_message(find(), {.request_id = id});
    all.insert(all.end(), one.begin(), one.end());
  }
  other.send(all);
  wait_until([this] { return shared.buffers.used() > 0; });
  wait_for_sweeps();
  EXPECT_EQ(closed(disconnect::stalled), 0U);
  auto everything = shared.buffers.hold(shared.buffers.limit());
  wait_until([this] { return closed(disconnect::stalled) == 1; });
  wait_until([this] { return shared.buffers.used() == shared.buffers.limit(); });
  EXPECT_TRUE(is_ok(client.ask(ping())));
}

TEST_F(SessionLimits, one_who_joined_a_read_and_leaves_waits_no_longer) {
  static_cast<void>(client.ask(find(2)));
  hold("find", found({document{{"_id", 1}}}));
  client.send(find());
  wait_until([this] { return finds() == 2; });
  auto leaving = std::make_unique<loopback_client>(port());
  leaving->send(find());
  wait_until([this] { return shared.in_flight == 2; });
  leaving.reset();
  wait_until([this] { return shared.in_flight == 1; });
  let_go();
  EXPECT_TRUE(is_ok(client.reply()));
}

// A client that sends without waiting has its turn, and then the others have theirs.
TEST_F(SessionLimits, pipelined_hits_are_answered_in_turns) {
  prime();
  constexpr int requests = 500;
  byte_buffer all;
  for (std::int32_t id = 1; id <= requests; ++id) {
    const auto one = op_msg_message(find(), {.request_id = id});
    all.insert(all.end(), one.begin(), one.end());
  }
  ASSERT_LT(all.size(), thread.input.size()) << "they can be read at once";
  std::promise<void> sent;
  thread.post([&] { sent.get_future().wait(); });
  std::uint64_t seen = answered(outcome::l1_hit);
  client.send(all);
  std::uint64_t longest = 0;
  const auto last = seen + requests;
  std::promise<void> over;
  std::function<void()> look = [&] {  // once a turn of the thread
    const auto now = answered(outcome::l1_hit);
    longest = std::max(longest, now - std::exchange(seen, now));
    if (now == last) return over.set_value();
    asio::post(thread.context(), look);
  };
  asio::post(thread.context(), look);
  sent.set_value();
  over.get_future().wait();
  for (std::int32_t id = 1; id <= requests; ++id) {
    ASSERT_EQ(loopback_client::response_to(client.receive()), id);
  }
  EXPECT_GT(longest, 1U);
  EXPECT_LE(longest, session::turn_requests);
}

}  // namespace
}  // namespace mongocached::daemon
