// The verifier's thread, which waits for an upstream that keeps silent.
#include "daemon/verifier.hpp"

#include <gtest/gtest.h>

#include "daemon/control/driver_runtime.hpp"
#include "daemon/control/releasable_thread.hpp"
#include "fake_cluster.hpp"
#include "watch_follower.hpp"

namespace mongocached::daemon {
namespace {

using test_support::document;
using namespace std::chrono_literals;

class Verifier : public ::testing::Test {
 protected:
  static served_hit hit() {
    served_hit out;
    out.db = "shop";
    const auto question = document{{"find", "things"}, {"filter", document{{"_id", 1}}}};
    out.command.assign(question.bytes().begin(), question.bytes().end());
    return out;
  }

  driver_runtime runtime{nullptr};
  testing::fake_cluster cluster;
  logger log{config::log_level::error, config::log_format::text};
  std::optional<process> shared{std::in_place, std::make_shared<config::settings>(), log, 1U};
  std::optional<verifier> subject{std::in_place, *shared, testing::parse(cluster.uri()),
                                  [](const cache::invalidation&) { ADD_FAILURE(); }};
};

TEST_F(Verifier, ends_at_once_where_it_has_nothing_to_do) {
  const auto begin = std::chrono::steady_clock::now();
  subject.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, releasable_thread::patience);
}

// Once it was waited for until the server's silence counted as an error, ten seconds later. What it touches behind that
// must be its own: the sanitizers look.
TEST_F(Verifier, ends_soon_though_the_upstream_keeps_silent) {
  const test_support::held_answer find(test_support::found({}));
  cluster.server().on("find", find.handler());
  subject->verify(hit());
  find.wait_until_asked_for();
  const auto begin = std::chrono::steady_clock::now();
  subject->ask_to_stop();
  subject.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
  shared.reset();
  find.release();
}

}  // namespace
}  // namespace mongocached::daemon
