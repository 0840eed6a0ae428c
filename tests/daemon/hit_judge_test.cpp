// Plants wrong answers and sees them told apart from late ones.
#include <gtest/gtest.h>

#include "daemon/verifier.hpp"
#include "support/message_builders.hpp"

namespace mongocached::daemon {
namespace {

using cache::instant;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test_support::array;
using test_support::document;
using test_support::timestamp;

constexpr instant noon = seconds(1000);

protocol::byte_buffer bytes_of(const array& a) {
  return {a.bytes().begin(), a.bytes().end()};
}

class HitJudge : public ::testing::Test {
 protected:
  HitJudge() {
    state.follow(true);
    advance(10);
    key.assign({'d', 's', '.', 't', 0, 1});
  }

  void advance(cache::cluster_time time) {
    state.applied(time);
    EXPECT_TRUE(state.sampled({.sent = noon, .operation_time = time, .majority = time, .election = "1"}));
  }

  // An entry with the value that the client was given, in memory unless `kept` is false.
  served_hit hit(const array& served, bool kept = true) {
    cache::entry_meta meta;
    meta.generation = ns.generation(cache::key_kind::document);
    meta.lower = 10;
    meta.filled = noon - seconds(3);
    meta.expires = instant::max();
    auto entry = cache::entry::make(key, cache::hash_key(key), meta, bytes_of(served));
    if (kept) local.insert(entry);
    served_hit out;
    out.batch = bytes_of(served);
    out.entries = {entry};
    out.ns = &ns;
    out.who = {.mode = cache::promise::bounded, .max_lag = seconds(1)};
    out.at = noon;
    out.covered = noon - milliseconds(200);
    out.known = 12;
    return out;
  }

  // The upstream's answers, one a question; the last is given for ever.
  hit_judge judge(std::vector<std::optional<array>> answers) {
    questions = 0;
    return {state,
            [this, answers = std::move(answers)](const served_hit&) -> std::optional<protocol::byte_buffer> {
              const auto& next = answers[std::min(questions++, answers.size() - 1)];
              return next ? std::optional(bytes_of(*next)) : std::nullopt;
            },
            [this](instant) {
              if (while_waiting) while_waiting();
              return covers;
            },
            [] { return noon; }};
  }
  [[nodiscard]] bool holds() { return static_cast<bool>(local.peek(key, cache::hash_key(key))); }

  cache::local_cache local{{.budget_bytes = 16 << 20, .shards = 4}};
  cache::coherence state{local, {}};
  cache::namespace_state& ns = *state.namespaces().find_or_add("s", "t");
  protocol::byte_buffer key;
  std::size_t questions = 0;
  bool covers = true;
  std::function<void()> while_waiting;
  const array old_value{document{{"_id", 1}, {"v", 1}}};
  const array new_value{document{{"_id", 1}, {"v", 2}}};
};

TEST_F(HitJudge, an_equal_answer_matches) {
  EXPECT_EQ(judge({old_value}).judge(hit(old_value)).result, verification::match);
  EXPECT_EQ(questions, 1U);
}

TEST_F(HitJudge, documents_that_sort_alike_may_come_in_any_order) {
  const array one_way{document{{"_id", 1}}, document{{"_id", 2}}};
  const array other_way{document{{"_id", 2}}, document{{"_id", 1}}};
  EXPECT_EQ(judge({other_way}).judge(hit(one_way)).result, verification::match);
  EXPECT_EQ(judge({array{document{{"_id", 2}}}}).judge(hit(one_way)).result, verification::mismatch);
}

TEST_F(HitJudge, no_answer_is_unclear) {
  EXPECT_EQ(judge({std::nullopt}).judge(hit(old_value)).result, verification::unclear);
}

TEST_F(HitJudge, a_planted_value_is_a_mismatch_and_is_dropped) {
  const auto verdict = judge({new_value}).judge(hit(old_value));
  EXPECT_EQ(verdict.result, verification::mismatch);
  EXPECT_EQ(verdict.staleness, milliseconds(200));
  EXPECT_FALSE(holds());
}

TEST_F(HitJudge, a_planted_value_that_came_from_redis_is_a_mismatch) {
  EXPECT_EQ(judge({new_value}).judge(hit(old_value, false)).result, verification::mismatch);
}

TEST_F(HitJudge, a_write_behind_the_answer_is_unclear) {
  const auto h = hit(old_value);
  while_waiting = [&] { state.flights().changed({key, cache::hash_key(key)}, 13); };
  EXPECT_EQ(judge({new_value}).judge(h).result, verification::unclear);
  EXPECT_EQ(questions, 1U);
}

TEST_F(HitJudge, a_write_before_the_answer_that_showed_later_is_stale) {
  const auto h = hit(old_value);
  while_waiting = [&] { state.flights().changed({key, cache::hash_key(key)}, 11); };
  const auto verdict = judge({new_value}).judge(h);
  EXPECT_EQ(verdict.result, verification::stale);
  EXPECT_EQ(verdict.staleness, milliseconds(200));
}

TEST_F(HitJudge, a_second_reading_that_agrees_is_no_alarm) {
  EXPECT_EQ(judge({new_value, old_value}).judge(hit(old_value)).result, verification::match);
}

TEST_F(HitJudge, without_the_stream_nothing_is_alleged) {
  covers = false;
  EXPECT_EQ(judge({new_value}).judge(hit(old_value)).result, verification::unclear);
  EXPECT_TRUE(holds());
}

TEST_F(HitJudge, mode_ttl_allows_an_older_answer_and_tells_its_age) {
  auto h = hit(old_value);
  h.who.mode = cache::promise::ttl;
  const auto verdict = judge({new_value}).judge(h);
  EXPECT_EQ(verdict.result, verification::stale);
  EXPECT_EQ(verdict.staleness, seconds(3));
}

TEST_F(HitJudge, asks_again_what_was_asked_without_session_and_times) {
  const document find{{"find", "t"},
                      {"filter", document{{"_id", 1}}},
                      {"lsid", document{{"id", 1}}},
                      {"readConcern", document{{"afterClusterTime", timestamp{9}}}},
                      {"$db", "s"}};
  const auto request = test_support::op_msg_message(find, {}, {});
  const auto reply = test_support::op_msg_message(
      {{"cursor", document{{"firstBatch", old_value}, {"id", 0L}, {"ns", "s.t"}}}, {"ok", 1.0}}, {}, {});
  protocol::op_msg message;
  protocol::command_view command;
  ASSERT_EQ(protocol::parse_op_msg(request, message), protocol::op_msg_error::none);
  ASSERT_EQ(protocol::view_command(message, 1, command), protocol::command_error::none);
  const auto remembered = remember_hit(command, reply, {});
  ASSERT_TRUE(remembered);
  const document expected{{"find", "t"}, {"filter", document{{"_id", 1}}}};
  EXPECT_TRUE(protocol::equal(remembered->command, expected.bytes()));
  EXPECT_EQ(remembered->batch, bytes_of(old_value));
  EXPECT_EQ(remembered->db, "s");
}

}  // namespace
}  // namespace mongocached::daemon
