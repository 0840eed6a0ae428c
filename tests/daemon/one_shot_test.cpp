#include "daemon/one_shot.hpp"

#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <thread>

namespace mongocached::daemon {
namespace {

class OneShot : public ::testing::Test {
 protected:
  // Waits in a coroutine; what it got goes to `got`.
  void wait() {
    spawn([](std::shared_ptr<one_shot<int>> s, int& to) -> task<void> { to = co_await s->wait(); }(shot, got),
          [](const std::exception_ptr&) { FAIL(); });
  }

  asio::io_context context{1};
  std::shared_ptr<one_shot<int>> shot = std::make_shared<one_shot<int>>(context.get_executor());
  int got = 0;
};

TEST_F(OneShot, a_value_that_came_first_is_there_for_the_waiter) {
  shot->deliver(5);
  context.run();
  context.restart();
  wait();
  context.run();
  EXPECT_EQ(got, 5);
}

TEST_F(OneShot, a_waiter_that_came_first_gets_the_value) {
  wait();
  context.poll();
  EXPECT_EQ(got, 0);
  shot->deliver(5);
  context.restart();
  context.run();
  EXPECT_EQ(got, 5);
}

TEST_F(OneShot, the_waiter_never_resumes_inside_deliver) {
  wait();
  context.poll();
  shot->deliver(5);
  EXPECT_EQ(got, 0);
  context.restart();
  context.run();
  EXPECT_EQ(got, 5);
}

TEST_F(OneShot, delivered_here_the_waiter_goes_on_at_once) {
  wait();
  shot->deliver_here(5);
  EXPECT_EQ(got, 5);
  shot->deliver_here(6);
  EXPECT_EQ(got, 5);
}

TEST_F(OneShot, the_second_delivery_does_nothing) {
  shot->deliver(5);
  shot->deliver(6);
  wait();
  context.run();
  EXPECT_EQ(got, 5);
}

TEST_F(OneShot, may_be_delivered_from_another_thread) {
  const auto work = asio::make_work_guard(context);
  wait();
  std::thread other([this] {
    shot->deliver(5);
    asio::post(context, [this] { context.stop(); });
  });
  context.run();
  other.join();
  EXPECT_EQ(got, 5);
}

}  // namespace
}  // namespace mongocached::daemon
