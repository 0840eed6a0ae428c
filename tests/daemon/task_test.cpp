#include "daemon/task.hpp"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace mongocached::daemon {
namespace {

// Something outside that a coroutine waits for.
struct gate {
  suspended waiting;

  static constexpr bool await_ready() noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> at) noexcept {
    waiting = suspended(at);
  }
  void await_resume() const noexcept {}
  void open() {
    auto w = std::move(waiting);
    w();
  }
};

const auto never_fails = [](const std::exception_ptr&) { FAIL(); };

struct says_goodbye {
  std::vector<std::string>* log;
  std::string name;
  ~says_goodbye() { log->push_back(name); }
};

task<int> doubled(gate& g, int n) {
  co_await g;
  co_return 2 * n;
}

task<int> sum(gate& g, int n) {
  const int a = co_await doubled(g, n);
  const int b = co_await doubled(g, n + 1);
  co_return a + b;
}

TEST(Task, runs_up_to_where_it_waits_and_on_when_it_is_called) {
  gate g;
  int got = 0;
  spawn([](gate& at, int& to) -> task<> { to = co_await sum(at, 3); }(g, got), never_fails);
  EXPECT_TRUE(g.waiting);
  g.open();
  EXPECT_EQ(got, 0);
  g.open();
  EXPECT_EQ(got, 14);
  EXPECT_FALSE(g.waiting);
}

TEST(Task, one_that_is_not_awaited_never_begins) {
  gate g;
  bool began = false;
  {
    const auto unused = [](bool& b) -> task<> {
      b = true;
      co_return;
    }(began);
  }
  EXPECT_FALSE(began);
}

TEST(Task, an_exception_passes_through_all_that_await) {
  gate g;
  std::string got;
  const auto failing = [](gate& at) -> task<int> {
    co_await at;
    throw std::runtime_error("lost");
  };
  const auto outer = [](task<int> inner, std::string& to) -> task<> {
    try {
      static_cast<void>(co_await std::move(inner));
    } catch (const std::runtime_error& e) {
      to = e.what();
      throw;
    }
  };
  bool failed = false;
  spawn(outer(failing(g), got), [&](const std::exception_ptr& e) { failed = static_cast<bool>(e); });
  g.open();
  EXPECT_EQ(got, "lost");
  EXPECT_TRUE(failed);
}

TEST(Task, thousands_that_end_at_once_take_no_stack) {
  int sum_of = 0;
  spawn(
      [](int& to) -> task<> {
        const auto one = []() -> task<int> { co_return 1; };
        for (int i = 0; i < 300'000; ++i) to += co_await one();
      }(sum_of),
      never_fails);
  EXPECT_EQ(sum_of, 300'000);
}

TEST(Task, a_wait_that_is_dropped_ends_everything_from_the_inside_out) {
  std::vector<std::string> log;
  auto g = std::make_unique<gate>();
  const auto inner = [](gate& at, std::vector<std::string>& l) -> task<> {
    const says_goodbye held{&l, "inner"};
    co_await at;
    l.emplace_back("never");
  };
  spawn(
      [](auto in, gate& at, std::vector<std::string>& l) -> task<> {
        const says_goodbye held{&l, "outer"};
        co_await in(at, l);
        l.emplace_back("never");
      }(inner, *g, log),
      never_fails);
  EXPECT_TRUE(log.empty());
  g->waiting = suspended();  // swaps ...
  g.reset();                 // ... and drops
  EXPECT_EQ(log, (std::vector<std::string>{"inner", "outer"}));
}

TEST(Task, awaits_operations_of_asio) {
  asio::io_context context;
  error_code ec = asio::error::eof;
  bool done = false;
  spawn(
      [](asio::io_context& c, error_code& e, bool& d) -> task<> {
        asio::steady_timer timer(c, std::chrono::steady_clock::duration::zero());
        co_await timer.async_wait(as_result(e));
        d = true;
      }(context, ec, done),
      never_fails);
  EXPECT_FALSE(done);
  context.run();
  EXPECT_TRUE(done);
  EXPECT_FALSE(ec);
}

TEST(Task, an_operation_s_error_is_no_exception) {
  asio::io_context context;
  error_code ec;
  asio::steady_timer timer(context, std::chrono::hours(1));
  spawn([](asio::steady_timer& t, error_code& e) -> task<> { co_await t.async_wait(as_result(e)); }(timer, ec),
        never_fails);
  timer.cancel();
  context.run();
  EXPECT_EQ(ec, asio::error::operation_aborted);
}

TEST(Task, a_context_that_goes_takes_waiting_coroutines_along) {
  std::vector<std::string> log;
  {
    asio::io_context context;
    asio::steady_timer timer(context, std::chrono::hours(1));
    spawn(
        [](asio::steady_timer& t, std::vector<std::string>& l) -> task<> {
          const says_goodbye held{&l, "waiting"};
          error_code ec;
          co_await t.async_wait(as_result(ec));
        }(timer, log),
        never_fails);
    EXPECT_TRUE(log.empty());
  }
  EXPECT_EQ(log, (std::vector<std::string>{"waiting"}));
}

}  // namespace
}  // namespace mongocached::daemon
