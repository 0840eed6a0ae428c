#include "cache/store/resp_pipeline.hpp"

#include <gtest/gtest.h>

namespace mongocached::cache {
namespace {

using protocol::as_bytes;
using std::chrono::milliseconds;

class RespPipeline : public ::testing::Test {
 protected:
  static pipeline_settings settings() {
    pipeline_settings out;
    out.timeout = milliseconds(20);
    out.max_pending = 4;
    out.max_output = 100;
    return out;
  }

  // Logs "name:outcome" and what the replies were.
  reply_handler log(const std::string& name) {
    return [this, name](const reply& answer) {
      std::string line = name + ":";
      if (answer.late) line += "late ";
      line += answer.outcome == reply_outcome::reply     ? "reply"
              : answer.outcome == reply_outcome::timeout ? "timeout"
                                                         : "closed";
      for (const auto& value : answer.values) line += " " + std::string(value.text());
      seen.push_back(line);
    };
  }
  std::vector<std::string> take() { return std::exchange(seen, {}); }
  using lines = std::vector<std::string>;

  resp_pipeline pipeline{settings()};
  const instant t = milliseconds(1000);
  lines seen;
};

TEST_F(RespPipeline, AnswersInOrder) {
  pipeline.submit(t, 1, log("a"));
  pipeline.submit(t, 2, log("b"));
  pipeline.submit(t, 1, log("c"));
  EXPECT_TRUE(pipeline.feed(as_bytes("+1\r\n+2\r\n"), t));
  EXPECT_EQ(take(), lines({"a:reply 1"}));
  EXPECT_TRUE(pipeline.feed(as_bytes("+3\r\n+4\r\n"), t));
  EXPECT_EQ(take(), lines({"b:reply 2 3", "c:reply 4"}));
  EXPECT_FALSE(pipeline.busy());
}

TEST_F(RespPipeline, RepliesMayBeSplitAnywhere) {
  const std::string bytes = "+1\r\n$3\r\nabc\r\n+2\r\n";
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    pipeline.submit(t, 2, log("a"));
    pipeline.submit(t, 1, log("b"));
    EXPECT_TRUE(pipeline.feed(as_bytes(bytes.substr(0, cut)), t));
    EXPECT_TRUE(pipeline.feed(as_bytes(bytes.substr(cut)), t));
    EXPECT_EQ(take(), lines({"a:reply 1 abc", "b:reply 2"})) << cut;
  }
}

TEST_F(RespPipeline, ATimedOutReplyIsDroppedInItsPlace) {
  pipeline.submit(t, 1, log("a"));
  pipeline.submit(t + milliseconds(10), 1, log("b"));
  pipeline.expire(t + milliseconds(14));
  EXPECT_EQ(take(), lines{});
  pipeline.expire(t + milliseconds(15));  // the next look would be too late
  EXPECT_EQ(take(), lines({"a:timeout"}));
  EXPECT_TRUE(pipeline.feed(as_bytes("+late\r\n+2\r\n"), t + milliseconds(16)));
  EXPECT_EQ(take(), lines({"b:reply 2"}));
}

TEST_F(RespPipeline, OneThatAsksForLateRepliesIsToldTwice) {
  pipeline.submit(t, 1, log("a"), true);
  pipeline.expire(t + milliseconds(20));
  pipeline.expire(t + milliseconds(40));
  EXPECT_EQ(take(), lines({"a:timeout"}));
  EXPECT_TRUE(pipeline.feed(as_bytes("+1\r\n"), t + milliseconds(50)));
  EXPECT_EQ(take(), lines({"a:late reply 1"}));
}

TEST_F(RespPipeline, CloseAnswersWhoeverStillWaits) {
  pipeline.submit(t, 1, log("a"));
  pipeline.submit(t, 1, log("b"), true);
  pipeline.submit(t + milliseconds(10), 1, log("c"));
  pipeline.expire(t + milliseconds(20));
  EXPECT_EQ(take(), lines({"a:timeout", "b:timeout"}));
  pipeline.close();
  EXPECT_EQ(take(), lines({"b:late closed", "c:closed"}));
  EXPECT_FALSE(pipeline.busy());
}

TEST_F(RespPipeline, DiscardTellsNobody) {
  pipeline.submit(t, 1, log("a"));
  pipeline.discard();
  EXPECT_EQ(take(), lines{});
}

TEST_F(RespPipeline, AfterCloseNothingOfTheOldConnectionIsLeft) {
  pipeline.submit(t, 2, log("a"));
  append_command(pipeline.output(), std::array<std::string_view, 1>{"PING"});
  EXPECT_TRUE(pipeline.feed(as_bytes("+1\r\n$10\r\nabc"), t));
  pipeline.close();
  EXPECT_TRUE(pipeline.output().empty());
  (void)take();
  pipeline.submit(t, 1, log("b"));
  EXPECT_TRUE(pipeline.feed(as_bytes("+2\r\n"), t));
  EXPECT_EQ(take(), lines({"b:reply 2"}));
}

TEST_F(RespPipeline, RefusesGarbageAndRepliesNobodyAskedFor) {
  EXPECT_FALSE(pipeline.feed(as_bytes("+1\r\n"), t));
  EXPECT_EQ(pipeline.error(), "a reply nobody asked for");
  pipeline.close();
  pipeline.submit(t, 1, log("a"));
  EXPECT_FALSE(pipeline.feed(as_bytes("garbage\r\n"), t));
  EXPECT_EQ(pipeline.error(), "a malformed reply");
}

class RespMessages : public RespPipeline {
 protected:
  RespMessages() {
    auto with = settings();
    with.on_message = [this](byte_view channel, byte_view message) {
      seen.push_back(std::string(protocol::as_text(channel)) + ":" + std::string(protocol::as_text(message)));
      if (seen.back() == "c:close") subscribed.close();
    };
    subscribed = resp_pipeline(with);
  }
  static std::string message(const std::string& text) {
    return "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
  }
  resp_pipeline subscribed{settings()};
};

TEST_F(RespMessages, ComeAtAnyTimeAndInNoRequestsPlace) {
  const auto bytes = message("1") + "+a\r\n" + message("2") + "+b\r\n" + message("3");
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    subscribed.submit(t, 2, log("request"));
    EXPECT_TRUE(subscribed.feed(as_bytes(bytes.substr(0, cut)), t));
    EXPECT_TRUE(subscribed.feed(as_bytes(bytes.substr(cut)), t));
    EXPECT_EQ(take(), lines({"c:1", "c:2", "request:reply a b", "c:3"})) << cut;
  }
}

TEST_F(RespMessages, WhatIsNoMessageIsAReplyNobodyAskedFor) {
  for (const std::string bytes :
       {"*2\r\n$7\r\nmessage\r\n$1\r\nc\r\n", "*3\r\n$8\r\nmessages\r\n$1\r\nc\r\n$1\r\nx\r\n",
        "*3\r\n$7\r\nmessage\r\n:1\r\n$1\r\nx\r\n", "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$-1\r\n"}) {
    EXPECT_FALSE(subscribed.feed(as_bytes(bytes), t)) << bytes;
    EXPECT_EQ(subscribed.error(), "a reply nobody asked for");
    subscribed.close();
  }
  EXPECT_FALSE(pipeline.feed(as_bytes(message("1")), t));  // who asked for none gets none
  EXPECT_EQ(take(), lines{});
}

TEST_F(RespMessages, TheirHandlerMayCloseAndTheyProveThatThePeerLives) {
  subscribed.submit(t, 1, log("request"));
  EXPECT_TRUE(subscribed.feed(as_bytes(message("1")), t + milliseconds(190)));
  EXPECT_FALSE(subscribed.stuck(t + milliseconds(389)));
  EXPECT_TRUE(subscribed.feed(as_bytes(message("close") + message("2")), t + milliseconds(200)));
  EXPECT_EQ(take(), lines({"c:1", "c:close", "request:closed"}));
}

TEST_F(RespPipeline, IsStuckAfterTenTimeoutsWithoutAnyReply) {
  EXPECT_FALSE(pipeline.stuck(t));
  pipeline.submit(t, 1, log("a"));
  pipeline.submit(t, 1, log("b"));
  EXPECT_FALSE(pipeline.stuck(t + milliseconds(199)));
  EXPECT_TRUE(pipeline.stuck(t + milliseconds(200)));
  EXPECT_TRUE(pipeline.feed(as_bytes("+1\r\n"), t + milliseconds(190)));
  EXPECT_FALSE(pipeline.stuck(t + milliseconds(389)));
  EXPECT_TRUE(pipeline.stuck(t + milliseconds(390)));
}

TEST_F(RespPipeline, IsFullAtItsCeilings) {
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(pipeline.full());
    pipeline.submit(t, 1, log("a"));
  }
  EXPECT_TRUE(pipeline.full());
  pipeline.close();
  EXPECT_FALSE(pipeline.full());
  pipeline.output().resize(100);
  EXPECT_TRUE(pipeline.full());
}

TEST_F(RespPipeline, AHandlerMaySubmitOrCloseOrDiscard) {
  pipeline.submit(t, 1, [&](const reply&) { pipeline.submit(t, 1, log("b")); });
  EXPECT_TRUE(pipeline.feed(as_bytes("+1\r\n+2\r\n"), t));
  EXPECT_EQ(take(), lines({"b:reply 2"}));

  pipeline.submit(t, 1, [&](const reply&) { pipeline.close(); });
  pipeline.submit(t, 1, log("c"));
  EXPECT_TRUE(pipeline.feed(as_bytes("+1\r\n+2\r\n+3\r\n"), t));  // the rest is of the old connection
  EXPECT_EQ(take(), lines({"c:closed"}));

  pipeline.submit(t, 1, [&](const reply&) { pipeline.discard(); });
  pipeline.submit(t, 1, log("d"));
  pipeline.expire(t + milliseconds(20));
  EXPECT_EQ(take(), lines{});
}

}  // namespace
}  // namespace mongocached::cache
