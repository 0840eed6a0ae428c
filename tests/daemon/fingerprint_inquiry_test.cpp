// fingerprint_inquiry against a scripted server: real sockets and libmongoc's own connections, ports chosen by the
// kernel.
#include "daemon/control/fingerprint_inquiry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>

#include "daemon/control/driver_runtime.hpp"
#include "fake_cluster.hpp"
#include "watch_follower.hpp"

namespace mongocached::daemon {
namespace {

using namespace std::chrono_literals;
using test_support::answer;
using test_support::array;
using test_support::asked;
using test_support::binary;
using test_support::cursor_reply;
using test_support::document;
using test_support::failed;
using testing::fake_cluster;
using testing::parse;

constexpr std::string_view ones = "01010101010101010101010101010101";

document listing(std::uint8_t byte) {
  const document info{{"uuid", binary{4, protocol::byte_buffer(16, byte)}}};
  return cursor_reply(array{document{{"name", "system.version"}, {"info", info}}}, "admin.$cmd.listCollections");
}

class FingerprintInquiry : public ::testing::Test {
 protected:
  // The answers to come, one each; the last one stays.
  void script(std::deque<answer> answers) {
    const auto left = std::make_shared<std::deque<answer>>(std::move(answers));
    const auto guard = std::make_shared<std::mutex>();
    cluster_.server().on("listCollections", [left, guard](const asked&) {
      const std::lock_guard lock(*guard);
      answer next = left->front();
      if (left->size() > 1) left->pop_front();
      return next;
    });
  }

  fingerprint_inquiry& begin(const std::string& options = "") {
    inquiry_events events;
    events.answered = [this](const fingerprint_answer& a) { put(answers_, a); };
    events.delayed = [this](const std::string& reason) { put(delays_, reason); };
    const inquiry_options quick{.shortest_pause = 1ms, .longest_pause = 5ms, .refused_pause = 5ms};
    inquiry_ = std::make_unique<fingerprint_inquiry>(parse(cluster_.uri() + options), quick, std::move(events));
    return *inquiry_;
  }

  fingerprint_answer next_answer() { return next(answers_); }
  std::string next_delay() { return next(delays_); }
  bool told_anything() {
    const std::lock_guard lock(guard_);
    return !answers_.empty() || !delays_.empty();
  }
  std::size_t asked_so_often() { return cluster_.server().count("listCollections"); }

  driver_runtime runtime_{nullptr};
  fake_cluster cluster_;
  std::unique_ptr<fingerprint_inquiry> inquiry_;  // ends before the queues: see TearDown

  void TearDown() override { inquiry_.reset(); }

 private:
  template <class T>
  void put(std::deque<T>& queue, const T& what) {
    const std::lock_guard lock(guard_);
    queue.push_back(what);
    changed_.notify_all();
  }
  template <class T>
  T next(std::deque<T>& queue) {
    std::unique_lock lock(guard_);
    if (!changed_.wait_for(lock, 20s, [&] { return !queue.empty(); })) throw std::runtime_error("nothing came");
    T out = std::move(queue.front());
    queue.pop_front();
    return out;
  }

  std::mutex guard_;
  std::condition_variable changed_;
  std::deque<fingerprint_answer> answers_;
  std::deque<std::string> delays_;
};

TEST_F(FingerprintInquiry, TellsWhatTheClusterSays) {
  script({listing(1)});
  const auto question = begin().ask();
  const auto told = next_answer();
  EXPECT_EQ(told.fingerprint, ones);
  EXPECT_EQ(told.question, question);
  EXPECT_EQ(asked_so_often(), 1U);
  const auto command = cluster_.server().last("listCollections").body;
  EXPECT_EQ(command.view().text_of("$db"), "admin");
  const auto filter = test_support::must(test_support::field_in(command.view(), "filter").object());
  EXPECT_EQ(filter.text_of("name"), "system.version");
}

TEST_F(FingerprintInquiry, AsksNothingUnlessItIsAsked) {
  script({listing(1)});
  begin();
  inquiry_.reset();
  EXPECT_EQ(asked_so_often(), 0U);
  EXPECT_FALSE(told_anything());
}

TEST_F(FingerprintInquiry, NoUuidIsAnAnswer) {
  script({cursor_reply(array{}, "admin.$cmd.listCollections")});
  begin().ask();
  const auto told = next_answer();
  EXPECT_EQ(told.fingerprint, "");
  EXPECT_THAT(told.why_none, ::testing::HasSubstr("system.version"));
}

TEST_F(FingerprintInquiry, RefusalIsAnAnswer) {
  script({failed(13, "not authorized on admin")});
  begin().ask();
  const auto told = next_answer();
  EXPECT_EQ(told.fingerprint, "");
  EXPECT_THAT(told.why_none, ::testing::HasSubstr("not authorized"));
}

TEST_F(FingerprintInquiry, WhatPassesIsTriedAgain) {
  script({failed(10107, "not primary"), answer::hang_up(), document{{"ok", 1.0}}, failed(262, "too slow"), listing(1)});
  begin().ask();
  EXPECT_EQ(next_answer().fingerprint, ones);
  EXPECT_THAT(next_delay(), ::testing::HasSubstr("not primary"));
}

TEST_F(FingerprintInquiry, SameReasonIsToldOnce) {
  script({failed(262, "too slow"), failed(262, "too slow"), failed(262, "too slow"), failed(91, "going down"),
          listing(1)});
  begin().ask();
  next_answer();
  EXPECT_THAT(next_delay(), ::testing::HasSubstr("too slow"));
  EXPECT_THAT(next_delay(), ::testing::HasSubstr("going down"));
}

TEST_F(FingerprintInquiry, FailedLoginIsNoAnswer) {
  cluster_.server().on("saslStart", [](const asked&) { return failed(18, "Authentication failed."); });
  std::string uri = cluster_.uri();
  uri.insert(std::string_view("mongodb://").size(), "ann:hunter2@");
  script({listing(1)});
  inquiry_events events;
  std::promise<std::string> reason;
  std::atomic<bool> answered{false};
  events.answered = [&](const fingerprint_answer&) { answered = true; };
  events.delayed = [&, first = true](const std::string& why) mutable {
    if (std::exchange(first, false)) reason.set_value(why);
  };
  fingerprint_inquiry inquiry(parse(uri), {}, std::move(events));
  inquiry.ask();
  auto told = reason.get_future();
  ASSERT_EQ(told.wait_for(20s), std::future_status::ready);
  EXPECT_THAT(told.get(), ::testing::Not(::testing::HasSubstr("hunter2")));
  EXPECT_FALSE(answered);
}

TEST_F(FingerprintInquiry, AskedWhileAQuestionIsUnderWayItAnswersTheNewestToo) {
  test_support::held_answer held(listing(1));
  cluster_.server().on("listCollections", held.handler());
  const auto first = begin().ask();
  held.wait_until_asked_for();
  script({listing(2)});
  const auto second = inquiry_->ask();
  held.release();
  EXPECT_LT(first, second);
  EXPECT_EQ(next_answer().question, first);
  const auto newest = next_answer();
  EXPECT_EQ(newest.question, second);
  EXPECT_EQ(newest.fingerprint, "02020202020202020202020202020202");
}

TEST_F(FingerprintInquiry, KeepsNoConnectionOnceItHasAnswered) {
  script({listing(1), listing(2)});
  begin().ask();
  EXPECT_EQ(next_answer().fingerprint, ones);
  inquiry_->ask();
  EXPECT_EQ(next_answer().fingerprint, "02020202020202020202020202020202");
}

TEST_F(FingerprintInquiry, DirectlyConnectedSecondaryIsAskedInAWayThatItAnswers) {
  cluster_.play(fake_cluster::role::secondary);
  script({listing(1)});
  begin("?directConnection=true").ask();
  EXPECT_EQ(next_answer().fingerprint, ones);
  const auto asked = cluster_.server().last("listCollections");
  const auto preference = test_support::must(test_support::field_in(asked.body.view(), "$readPreference").object());
  EXPECT_EQ(preference.text_of("mode"), "primaryPreferred");
}

TEST_F(FingerprintInquiry, IsLetGoOfWhileTheServerIsSilent) {
  test_support::held_answer held(listing(1));
  cluster_.server().on("listCollections", held.handler());
  begin().ask();
  held.wait_until_asked_for();
  const auto before = std::chrono::steady_clock::now();
  inquiry_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - before, 5s);
  EXPECT_FALSE(told_anything());
}

TEST_F(FingerprintInquiry, EndsAtOnceWhileItWaitsToTryAgain) {
  script({failed(262, "too slow")});
  inquiry_events events;
  std::promise<void> waits;
  events.answered = [](const fingerprint_answer&) {};
  events.delayed = [&](const std::string&) { waits.set_value(); };
  {
    fingerprint_inquiry inquiry(parse(cluster_.uri()), {.shortest_pause = 1h, .longest_pause = 1h}, std::move(events));
    inquiry.ask();
    ASSERT_EQ(waits.get_future().wait_for(20s), std::future_status::ready);
  }
  EXPECT_EQ(asked_so_often(), 1U);
}

}  // namespace
}  // namespace mongocached::daemon
