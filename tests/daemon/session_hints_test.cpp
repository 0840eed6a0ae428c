// What a find's comment asks of the cache, through a session (cache/read_hint.hpp).
#include <gtest/gtest.h>

#include <thread>

#include "session_world.hpp"

namespace mongocached::daemon {
namespace {

class SessionHints : public session_world {
 protected:
  // The upstream's documents hold this from now on.
  void set_text(std::string_view text) {
    upstream.on("find", [text = std::string(text)](const asked& q) {
      const auto id = must(field_in(must(field_in(q.body.view(), "filter").document()), "_id").integer());
      return found({document{{"_id", id}, {"x", text}}});
    });
  }
  static document hinted(std::string_view comment, int id = 1) {
    return document{{"find", "things"}, {"filter", document{{"_id", id}}}, {"comment", comment}, {"$db", "shop"}};
  }
  static document batch(std::string_view comment, int one, int other) {
    const document ids{{"_id", document{{"$in", array{one, other}}}}};
    return document{{"find", "things"}, {"filter", ids}, {"comment", comment}, {"$db", "shop"}};
  }
  static std::string text_in(const document& reply) {
    const auto cursor = must(field_in(reply.view(), "cursor").document());
    const auto batch = must(field_in(cursor, "firstBatch").document());
    return std::string(must(field_in(must(field_in(batch, "0").document()), "x").text()));
  }
  std::string read(const document& command) { return text_in(client.ask(command)); }
  [[nodiscard]] std::uint64_t bypassed() const {
    return thread.metrics.bypass[static_cast<std::size_t>(cache::bypass_reason::hint)].value();
  }

  loopback_client client{port()};
};

TEST_F(SessionHints, bypass_is_forwarded_as_it_is_and_leaves_the_cache_alone) {
  set_text("old");
  EXPECT_EQ(read(find()), "old");
  set_text("new");
  const auto command = hinted("mongocached:bypass");
  EXPECT_EQ(read(command), "new");
  EXPECT_EQ(upstream.last("find").body.bytes(), command.bytes());
  EXPECT_EQ(read(find()), "old");
  EXPECT_EQ(finds(), 2U);
  EXPECT_EQ(bypassed(), 1U);
}

TEST_F(SessionHints, bypass_fills_nothing) {
  set_text("old");
  EXPECT_EQ(read(hinted("mongocached:bypass", 2)), "old");
  set_text("new");
  EXPECT_EQ(read(find(2)), "new");
  EXPECT_EQ(finds(), 2U);
}

TEST_F(SessionHints, what_is_not_understood_is_forwarded) {
  set_text("old");
  EXPECT_EQ(read(find()), "old");
  for (const auto* comment : {"mongocached:foo", "mongocached:ttl=abc"}) {
    EXPECT_EQ(read(hinted(comment)), "old");
    EXPECT_EQ(upstream.last("find").body.bytes(), hinted(comment).bytes());
  }
  EXPECT_EQ(finds(), 3U);
  static_cast<void>(client.ask(ping()));  // a request is counted behind its reply, but before the next
  EXPECT_EQ(bypassed(), 2U);
}

TEST_F(SessionHints, another_comment_changes_nothing) {
  set_text("old");
  EXPECT_EQ(read(find()), "old");
  EXPECT_EQ(read(hinted("who asks")), "old");
  EXPECT_EQ(finds(), 1U);
}

TEST_F(SessionHints, refresh_reads_upstream_and_fills_anew) {
  set_text("old");
  EXPECT_EQ(read(find()), "old");
  set_text("new");
  EXPECT_EQ(read(find()), "old");
  EXPECT_EQ(read(hinted("mongocached:refresh")), "new");
  EXPECT_EQ(field_in(upstream.last("find").body.view(), "comment").text(), "mongocached:refresh");
  EXPECT_EQ(read(find()), "new");
  EXPECT_EQ(finds(), 2U);
}

TEST_F(SessionHints, others_are_served_what_is_there_until_it_is_replaced) {
  set_text("old");
  EXPECT_EQ(read(find()), "old");
  const held_answer held(found({document{{"_id", 1}, {"x", "new"}}}));
  upstream.on("find", held.handler());
  loopback_client other(port());
  other.send(hinted("mongocached:refresh"));
  held.wait_until_asked_for();
  EXPECT_EQ(read(find()), "old");
  held.release();
  EXPECT_EQ(text_in(other.reply()), "new");
  EXPECT_EQ(read(find()), "new");
  EXPECT_EQ(finds(), 2U);
}

TEST_F(SessionHints, refresh_joins_no_read_that_began_before_it) {
  set_text("old");
  EXPECT_EQ(read(find()), "old");
  const held_answer held(found({document{{"_id", 2}, {"x", "old"}}}));
  upstream.on("find", held.handler());
  client.send(find(2));
  held.wait_until_asked_for();
  set_text("new");
  loopback_client other(port());
  loopback_client third(port());
  other.send(hinted("mongocached:refresh", 2));
  third.send(hinted("mongocached:refresh", 2));
  // Whoever is counted here waits by the end of the turn, before the thread hears of the first read's answer.
  while (shared.in_flight.load() < 3) std::this_thread::yield();
  held.release();
  EXPECT_EQ(text_in(client.reply()), "old");
  EXPECT_EQ(text_in(other.reply()), "new");
  EXPECT_EQ(text_in(third.reply()), "new");
  EXPECT_EQ(read(find(2)), "new");
  EXPECT_EQ(finds(), 3U) << "the two share the read that began behind them";
}

TEST_F(SessionHints, a_batch_to_refresh_overtakes_the_read_that_it_cannot_wait_for) {
  set_text("old");
  EXPECT_EQ(read(find()), "old");
  const held_answer held(found({document{{"_id", 2}, {"x", "old"}}}));
  upstream.on("find", held.handler());
  client.send(find(2));
  held.wait_until_asked_for();
  upstream.on("find", [](const asked&) {
    return found({document{{"_id", 2}, {"x", "new"}}, document{{"_id", 3}, {"x", "new"}}});
  });
  loopback_client other(port());
  EXPECT_EQ(text_in(other.ask(batch("mongocached:refresh", 2, 3))), "new");
  held.release();
  EXPECT_EQ(text_in(client.reply()), "old");
  EXPECT_EQ(read(find(2)), "new") << "what was overtaken is not stored";
  EXPECT_EQ(finds(), 3U);
}

TEST_F(SessionHints, a_bound_on_the_age_is_kept_by_memory) {
  set_text("old");
  EXPECT_EQ(read(find()), "old");
  set_text("new");
  EXPECT_EQ(read(hinted("mongocached:ttl=1h")), "old");
  EXPECT_EQ(read(hinted("mongocached:ttl=1ns")), "new");
  EXPECT_EQ(finds(), 2U);
}

TEST_F(SessionHints, what_a_bounded_read_fills_lasts_no_longer) {
  set_text("old");
  EXPECT_EQ(read(find()), "old");
  set_text("new");
  EXPECT_EQ(read(hinted("mongocached:ttl=0", 2)), "new");
  set_text("newer");
  EXPECT_EQ(read(find(2)), "newer");
  EXPECT_EQ(read(hinted("mongocached:ttl=1h", 3)), "newer");
  set_text("newest");
  EXPECT_EQ(read(find(3)), "newer");
  EXPECT_EQ(finds(), 4U);
}

TEST_F(SessionHints, batches_are_read_anew_as_a_whole) {
  const auto many = [](std::string_view comment) { return batch(comment, 1, 2); };
  const auto answer_with = [this](std::string_view text) {
    upstream.on("find", [text = std::string(text)](const asked&) {
      return found({document{{"_id", 1}, {"x", text}}, document{{"_id", 2}, {"x", text}}});
    });
  };
  answer_with("old");
  EXPECT_EQ(read(many("")), "old");
  answer_with("new");
  EXPECT_EQ(read(many("mongocached:ttl=1h")), "old");
  EXPECT_EQ(read(many("mongocached:refresh")), "new");
  EXPECT_EQ(read(many("")), "new");
  EXPECT_EQ(finds(), 2U);
}

TEST_F(SessionHints, reads_that_are_not_served_show_by_shape_and_reason) {
  set_text("old");
  EXPECT_EQ(read(hinted("mongocached:bypass")), "old");
  EXPECT_EQ(read(find()), "old");
  EXPECT_EQ(read(find()), "old");
  static_cast<void>(client.ask(ping()));
  const auto seen = thread.uncached.now().held;
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].what.shape, "find {filter: {_id: ?}}");
  EXPECT_EQ(seen[0].what.ns, "shop.things");
  EXPECT_EQ(seen[0].what.reason, cache::bypass_reason::hint);
  EXPECT_EQ(seen[0].count, 1U);
}

}  // namespace
}  // namespace mongocached::daemon
