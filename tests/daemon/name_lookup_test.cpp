#include "daemon/name_lookup.hpp"

#include <gtest/gtest.h>

#include <atomic>

#include "held_lookups.hpp"

namespace mongocached::daemon {
namespace {

using answer = name_lookup::answer;
using testing::found;
using testing::held_lookups;
using namespace std::chrono_literals;

// Who asks. What a name_lookup tells comes on its threads.
class asker {
 public:
  std::optional<answer> ask(name_lookup& names, const std::string& host) {
    return names.find(host, told_, [to = std::weak_ptr(told_)](const answer& what) {
      const auto here = to.lock();
      if (!here) return;
      const std::scoped_lock lock(here->guard);
      here->answers.push_back(what);
      here->changed.notify_all();
    });
  }
  answer wait() {
    std::unique_lock lock(told_->guard);
    EXPECT_TRUE(told_->changed.wait_for(lock, 10s, [&] { return !told_->answers.empty(); }));
    if (told_->answers.empty()) return {asio::error::timed_out, {}};
    auto out = std::move(told_->answers.front());
    told_->answers.pop_front();
    return out;
  }
  [[nodiscard]] bool was_told() const {
    const std::scoped_lock lock(told_->guard);
    return !told_->answers.empty();
  }
  void leave() { told_ = std::make_shared<telling>(); }

 private:
  struct telling {
    std::mutex guard;
    std::condition_variable changed;
    std::deque<answer> answers;
  };
  std::shared_ptr<telling> told_ = std::make_shared<telling>();
};

class NameLookup : public ::testing::Test {
 protected:
  NameLookup() { remake({}); }
  ~NameLookup() override { system->release(); }

  void remake(name_lookup::settings with) {
    with.resolve = [s = system](const std::string& host) { return s->resolve(host); };
    with.now = [t = time] { return t->load(); };
    names.emplace(std::move(with));
  }
  void pass(cache::duration how_long) { time->store(time->load() + how_long); }

  std::shared_ptr<held_lookups> system = std::make_shared<held_lookups>();
  std::shared_ptr<std::atomic<cache::instant>> time = std::make_shared<std::atomic<cache::instant>>(cache::instant(1h));
  std::optional<name_lookup> names;
  asker ann, bob;
};

TEST_F(NameLookup, an_address_is_its_own_answer) {
  for (const std::string host : {"127.0.0.1", "::1", "fe80::1"}) {
    const auto known = ann.ask(*names, host);
    ASSERT_TRUE(known) << host;
    EXPECT_EQ(known->addresses, std::vector{asio::ip::make_address(host)});
    EXPECT_EQ(system->begun(host), 0);
  }
}

TEST_F(NameLookup, all_who_want_a_name_share_one_look_up) {
  EXPECT_FALSE(ann.ask(*names, "db.test"));
  system->wait_until_begun("db.test");
  EXPECT_FALSE(bob.ask(*names, "db.test"));
  system->give("db.test", {{}, {asio::ip::make_address("10.0.0.2"), asio::ip::make_address("10.0.0.1")}});
  const std::vector in_order{asio::ip::make_address("10.0.0.2"), asio::ip::make_address("10.0.0.1")};
  EXPECT_EQ(ann.wait().addresses, in_order);
  EXPECT_EQ(bob.wait().addresses, in_order);
  EXPECT_EQ(system->begun("db.test"), 1);
}

TEST_F(NameLookup, an_answer_is_kept_for_a_few_seconds) {
  system->give("db.test", found("10.0.0.1"));
  EXPECT_FALSE(ann.ask(*names, "db.test"));
  EXPECT_FALSE(ann.wait().error);
  pass(4s);
  const auto known = bob.ask(*names, "db.test");
  ASSERT_TRUE(known);
  EXPECT_EQ(known->addresses, found("10.0.0.1").addresses);
  pass(1s);
  system->give("db.test", found("10.0.0.9"));
  EXPECT_FALSE(bob.ask(*names, "db.test"));
  EXPECT_EQ(bob.wait().addresses, found("10.0.0.9").addresses);
}

TEST_F(NameLookup, a_failure_is_told_and_not_kept) {
  system->give("db.test", {asio::error::host_not_found, {}});
  EXPECT_FALSE(ann.ask(*names, "db.test"));
  EXPECT_EQ(ann.wait().error, asio::error::host_not_found);
  system->give("db.test", found("10.0.0.1"));
  EXPECT_FALSE(ann.ask(*names, "db.test"));
  EXPECT_FALSE(ann.wait().error);
}

TEST_F(NameLookup, one_that_throws_is_a_failure) {
  name_lookup throwing({.resolve = [](const std::string&) -> answer { throw std::bad_alloc(); }, .now = {}});
  EXPECT_FALSE(ann.ask(throwing, "db.test"));
  EXPECT_EQ(ann.wait().error, asio::error::no_recovery);
}

TEST_F(NameLookup, one_that_hangs_does_not_hold_up_another_name) {
  EXPECT_FALSE(ann.ask(*names, "hangs.test"));
  system->wait_until_begun("hangs.test");
  system->give("db.test", found("10.0.0.1"));
  EXPECT_FALSE(bob.ask(*names, "db.test"));
  EXPECT_FALSE(bob.wait().error);
  EXPECT_FALSE(ann.was_told());
}

TEST_F(NameLookup, one_that_hangs_is_tried_once_more_and_no_more) {
  EXPECT_FALSE(ann.ask(*names, "hangs.test"));
  system->wait_until_begun("hangs.test");
  pass(9s);
  EXPECT_FALSE(ann.ask(*names, "hangs.test"));
  pass(1s);
  EXPECT_FALSE(ann.ask(*names, "hangs.test"));
  system->wait_until_begun("hangs.test", 2);
  pass(1h);
  EXPECT_FALSE(bob.ask(*names, "hangs.test"));
  system->give("hangs.test", found("10.0.0.1"));
  EXPECT_FALSE(bob.wait().error);
  EXPECT_EQ(system->begun("hangs.test"), 2);
}

TEST_F(NameLookup, so_many_threads_and_no_more) {
  remake({.resolve = {}, .now = {}, .threads = 2});
  for (const char* host : {"a.test", "b.test", "c.test"}) EXPECT_FALSE(ann.ask(*names, host));
  system->wait_until_begun("a.test");
  system->wait_until_begun("b.test");
  EXPECT_EQ(system->begun("c.test"), 0);
  system->give("c.test", found("10.0.0.3"));
  system->give("a.test", found("10.0.0.1"));
  EXPECT_FALSE(ann.wait().error);
  EXPECT_FALSE(ann.wait().error);
  EXPECT_EQ(system->begun("c.test"), 1);
}

TEST_F(NameLookup, so_many_names_and_no_more) {
  remake({.resolve = {}, .now = {}, .hosts = 2});
  EXPECT_FALSE(ann.ask(*names, "a.test"));
  EXPECT_FALSE(ann.ask(*names, "b.test"));
  const auto refused = ann.ask(*names, "c.test");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->error, asio::error::no_buffer_space);
  system->give("a.test", found("10.0.0.1"));
  EXPECT_FALSE(ann.wait().error);
  pass(5s);
  EXPECT_FALSE(ann.ask(*names, "c.test")) << "what was known of a.test has had its time";
}

TEST_F(NameLookup, who_no_longer_waits_is_not_told) {
  EXPECT_FALSE(ann.ask(*names, "db.test"));
  EXPECT_FALSE(bob.ask(*names, "db.test"));
  ann.leave();
  system->give("db.test", found("10.0.0.1"));
  EXPECT_FALSE(bob.wait().error);
  EXPECT_FALSE(ann.was_told());
}

TEST_F(NameLookup, those_who_left_are_forgotten_though_the_look_up_hangs) {
  const auto something = std::make_shared<int>();
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(names->find("hangs.test", std::make_shared<int>(), [something](const answer&) {}));
  }
  EXPECT_LT(something.use_count(), 200);
}

TEST_F(NameLookup, stopped_it_tells_nobody_and_waits_for_nothing) {
  EXPECT_FALSE(ann.ask(*names, "db.test"));
  system->wait_until_begun("db.test");
  names->stop();
  names.reset();  // while the look-up hangs
  system->give("db.test", found("10.0.0.1"));
  EXPECT_FALSE(ann.was_told());
}

}  // namespace
}  // namespace mongocached::daemon
