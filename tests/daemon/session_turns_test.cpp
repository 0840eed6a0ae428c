// Large messages that stream by while other clients of the thread want something.
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <future>

#include "daemon/session/session.hpp"
#include "session_world.hpp"

namespace mongocached::daemon {
namespace {

// Small enough for sockets to hold all of it, so that nothing of it has to be waited for.
constexpr std::size_t large = 2 * session::turn_output;

class SessionTurns : public session_world {
 protected:
  void prime() {
    session_world::prime(other);
    EXPECT_TRUE(is_ok(client.ask(ping())));  // has its connection upstream
    hits_before_ = hits();
  }
  // The thread does nothing until let_go(), and has it all before it then. No test hangs where sockets hold less.
  void hold_thread(std::function<bool()> gone_by) {
    gone_by_ = std::move(gone_by);
    thread.post([this] {
      go_.get_future().wait_for(std::chrono::seconds(10));
      look();
    });
  }
  void let_go() { go_.set_value(); }
  [[nodiscard]] bool is_a_hit_answered_before_it_has_gone_by() {
    EXPECT_TRUE(is_ok(client.reply()));
    EXPECT_TRUE(is_ok(other.reply()));
    over_.get_future().wait();
    return answered_;
  }

  loopback_client client{port()};
  loopback_client other{port()};

 private:
  [[nodiscard]] std::uint64_t hits() const { return counted(outcome::l1_hit, "find"); }
  // Once a turn of the thread.
  void look() {
    if (gone_by_()) return over_.set_value();
    answered_ = answered_ || hits() > hits_before_;
    asio::post(thread.context(), [this] { look(); });
  }

  std::function<bool()> gone_by_;
  std::promise<void> go_;
  std::promise<void> over_;
  std::uint64_t hits_before_ = 0;
  bool answered_ = false;
};

TEST_F(SessionTurns, others_are_answered_while_a_large_request_streams_by) {
  prime();
  const auto sent = thread.metrics.upstream_busy_ended.value();
  hold_thread([this, sent] { return thread.metrics.upstream_busy_ended.value() > sent; });
  const document row{{"_id", 1}, {"x", std::string(large, 'x')}};
  client.send(document{{"insert", "others"}, {"documents", array{row}}, {"$db", "shop"}});
  other.send(find());
  let_go();
  EXPECT_TRUE(is_a_hit_answered_before_it_has_gone_by());
}

TEST_F(SessionTurns, others_are_answered_while_a_large_reply_streams_by) {
  prime();
  upstream.on("distinct", [this](const asked& q) {
    hold_thread([this] { return counted(outcome::bypass, "distinct") > 0; });
    other.send(find());
    const document whole{{"values", array{std::string(large, 'x')}}, {"ok", 1.0}};
    auto out = answer::raw(op_msg_message(whole, {.request_id = 1, .response_to = q.id}));
    out.first = out.bytes.size();
    out.pause = [this] { let_go(); };
    return out;
  });
  client.send(document{{"distinct", "things"}, {"key", "x"}, {"$db", "shop"}});
  EXPECT_TRUE(is_a_hit_answered_before_it_has_gone_by());
}

}  // namespace
}  // namespace mongocached::daemon
