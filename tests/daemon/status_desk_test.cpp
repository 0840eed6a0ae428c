#include "daemon/status_desk.hpp"

#include <gtest/gtest.h>

#include <future>
#include <stdexcept>
#include <thread>

namespace mongocached::daemon {
namespace {

using protocol::byte_buffer;

std::future<byte_buffer> asked(status_desk& desk) {
  auto promise = std::make_shared<std::promise<byte_buffer>>();
  auto out = promise->get_future();
  EXPECT_TRUE(desk.ask([promise](byte_buffer document) { promise->set_value(std::move(document)); }));
  return out;
}

TEST(StatusDesk, makes_it_on_another_thread) {
  std::thread::id where;
  status_desk desk([&where](byte_buffer& out) {
    where = std::this_thread::get_id();
    out.push_back(7);
  });
  EXPECT_EQ(asked(desk).get(), byte_buffer{7});
  EXPECT_NE(where, std::this_thread::get_id());
}

TEST(StatusDesk, only_a_few_wait) {
  std::promise<void> gate;
  status_desk desk([open = gate.get_future().share()](byte_buffer& out) {
    open.wait();
    out.push_back(1);
  });
  std::vector<std::future<byte_buffer>> waiting;
  for (unsigned i = 0; i < status_desk::most_waiting; ++i) waiting.push_back(asked(desk));
  EXPECT_FALSE(desk.ask([](const byte_buffer&) { FAIL() << "it was refused"; }));
  gate.set_value();
  for (auto& one : waiting) EXPECT_EQ(one.get(), byte_buffer{1});
  EXPECT_EQ(asked(desk).get(), byte_buffer{1});  // there is room again
}

TEST(StatusDesk, what_could_not_be_made_is_empty) {
  status_desk desk([](byte_buffer& out) {
    out.push_back(1);
    throw std::runtime_error("no");
  });
  EXPECT_TRUE(asked(desk).get().empty());
}

TEST(StatusDesk, takes_nothing_once_it_is_stopped) {
  status_desk desk([](byte_buffer&) {});
  desk.stop();
  EXPECT_FALSE(desk.ask([](const byte_buffer&) { FAIL() << "it was stopped"; }));
}

}  // namespace
}  // namespace mongocached::daemon
