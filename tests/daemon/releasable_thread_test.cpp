#include "daemon/control/releasable_thread.hpp"

#include <gtest/gtest.h>

#include <atomic>

namespace mongocached::daemon {
namespace {

// Something to hang in, and something owned by the work.
struct hang {
  std::atomic<bool> released{false};
  std::atomic<bool> begun{false};

  void wait() {
    begun = true;
    begun.notify_all();
    released.wait(false);
  }
  void release() {
    released = true;
    released.notify_all();
  }
};

TEST(ReleasableThread, one_that_ends_is_joined_and_has_given_back_what_it_owned) {
  const auto owned = std::make_shared<int>();
  releasable_thread thread("ends", [owned] {});
  EXPECT_TRUE(thread.finish());
  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_TRUE(thread.finish()) << "a second time does nothing";
}

TEST(ReleasableThread, one_that_hangs_is_let_go_of) {
  const auto in = std::make_shared<hang>();
  releasable_thread thread("hangs", [in] { in->wait(); });
  in->begun.wait(false);
  EXPECT_FALSE(thread.finish());
  EXPECT_TRUE(releasable_thread::any_let_go());
  EXPECT_GT(in.use_count(), 1) << "what it uses is still its own";
  in->release();
}

TEST(ReleasableThread, its_time_runs_from_when_it_was_asked) {
  const auto in = std::make_shared<hang>();
  releasable_thread first("hangs", [in] { in->wait(); });
  releasable_thread second("hangs", [in] { in->wait(); });
  first.was_asked();
  second.was_asked();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(first.finish());
  EXPECT_FALSE(second.finish());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2 * releasable_thread::patience) << "one behind the other";
  in->release();
}

TEST(CallGate, nothing_passes_once_it_is_shut) {
  call_gate gate;
  int passed = 0;
  gate.pass([&] { ++passed; });
  gate.shut();
  gate.pass([&] { ++passed; });
  EXPECT_EQ(passed, 1);
}

TEST(CallGate, who_is_inside_is_waited_for) {
  call_gate gate;
  hang in;
  std::atomic<bool> left{false};
  std::thread inside([&] {
    gate.pass([&] {
      in.wait();
      left = true;
    });
  });
  in.begun.wait(false);
  std::thread releasing([&] { in.release(); });
  gate.shut();
  EXPECT_TRUE(left);
  inside.join();
  releasing.join();
}

}  // namespace
}  // namespace mongocached::daemon
