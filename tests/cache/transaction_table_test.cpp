#include "cache/transaction_table.hpp"

#include <gtest/gtest.h>

#include "coherence_support.hpp"

namespace mongocached::cache {
namespace {

constexpr std::int64_t number = 7;

class TransactionTable : public ::testing::Test {
 protected:
  void collect(bool starts, std::vector<write_target> targets) {
    table.collect(session, number, starts, std::move(targets));
  }
  [[nodiscard]] std::vector<write_target> committed() const { return table.committed(session, number); }
  [[nodiscard]] bool reaches_everything() const {
    const auto targets = committed();
    return targets.size() == 1 && targets[0].reach == extent::everything;
  }
  // The ids of target `i`, in order.
  static std::string keys_in(const write_target& target) {
    std::string out;
    for (const auto& [begin, end] : target.keys) {
      const auto key = protocol::as_text(byte_view(target.key_bytes).subspan(begin, end - begin));
      out += key.substr(key.find('\0') + 1);
    }
    return out;
  }

  const byte_buffer session{1, 2, 3};
  transaction_table table;
};

// Race 20: the commit of a transaction that was not seen whole.
TEST_F(TransactionTable, a_commit_of_an_unseen_transaction_reaches_everything_W4) {
  EXPECT_TRUE(reaches_everything());
}

TEST_F(TransactionTable, a_transaction_not_seen_from_its_start_reaches_everything_W4) {
  collect(false, one(keys_target({"a"})));
  EXPECT_TRUE(reaches_everything());
}

TEST_F(TransactionTable, a_commit_reaches_what_was_written_W6) {
  collect(true, one(keys_target({"a"})));
  const auto targets = committed();
  ASSERT_EQ(targets.size(), 1U);
  EXPECT_EQ(targets[0].reach, extent::keys);
  EXPECT_EQ(keys_in(targets[0]), "a");
}

TEST_F(TransactionTable, a_transaction_that_only_reads_reaches_nothing) {
  collect(true, {});
  EXPECT_TRUE(committed().empty());
}

TEST_F(TransactionTable, writes_of_one_collection_become_one_target) {
  collect(true, one(keys_target({"a"})));
  collect(false, one(keys_target({"b"})));
  const auto targets = committed();
  ASSERT_EQ(targets.size(), 1U);
  EXPECT_EQ(keys_in(targets[0]), "ab");
}

TEST_F(TransactionTable, writes_of_two_collections_stay_two_targets) {
  collect(true, one(keys_target({"a"})));
  collect(false, one(keys_target({"a"}, "others")));
  EXPECT_EQ(committed().size(), 2U);
}

TEST_F(TransactionTable, keys_and_the_whole_of_one_collection_are_both_kept) {
  collect(true, one(keys_target({"a"})));
  collect(false, one(target_of(extent::collection, "shop", "things")));
  const auto targets = committed();
  ASSERT_EQ(targets.size(), 2U);
  EXPECT_EQ(targets[1].reach, extent::collection);
}

TEST_F(TransactionTable, ddl_in_any_of_the_writes_is_remembered) {
  collect(true, one(target_of(extent::collection, "shop", "things")));
  auto created = target_of(extent::collection, "shop", "things");
  created.ddl = true;
  collect(false, one(created));
  EXPECT_TRUE(committed().at(0).ddl);
}

TEST_F(TransactionTable, keeps_its_targets_for_the_retries_of_the_commit_W6) {
  collect(true, one(keys_target({"a"})));
  static_cast<void>(committed());
  EXPECT_EQ(keys_in(committed().at(0)), "a");
}

TEST_F(TransactionTable, forgets_an_aborted_transaction) {
  collect(true, one(keys_target({"a"})));
  table.aborted(session, number);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_TRUE(reaches_everything());
}

TEST_F(TransactionTable, an_abort_of_an_unseen_transaction_is_harmless) {
  table.aborted(session, number);
  EXPECT_EQ(table.size(), 0U);
}

TEST_F(TransactionTable, keeps_transactions_of_one_session_apart) {
  collect(true, one(keys_target({"a"})));
  table.collect(session, number + 1, true, one(keys_target({"b"})));
  EXPECT_EQ(keys_in(committed().at(0)), "a");
  EXPECT_EQ(keys_in(table.committed(session, number + 1).at(0)), "b");
}

TEST_F(TransactionTable, keeps_sessions_apart) {
  const byte_buffer other{9};
  collect(true, one(keys_target({"a"})));
  table.collect(other, number, true, one(keys_target({"b"})));
  EXPECT_EQ(keys_in(table.committed(other, number).at(0)), "b");
}

TEST_F(TransactionTable, more_keys_than_planned_widen_to_the_collection) {
  auto many = keys_target({"a"});
  many.keys.resize(max_planned_keys, many.keys.front());
  collect(true, one(many));
  collect(false, one(keys_target({"b"})));
  const auto targets = committed();
  ASSERT_EQ(targets.size(), 2U);
  EXPECT_EQ(targets[1].reach, extent::collection);
}

TEST_F(TransactionTable, more_collections_than_are_kept_reach_everything) {
  collect(true, {});
  for (int i = 0; i < 65; ++i) collect(false, one(keys_target({"a"}, "c" + std::to_string(i))));
  EXPECT_TRUE(reaches_everything());
}

// Ten thousand transactions with a thousand long keys each filled the memory.
TEST_F(TransactionTable, more_bytes_than_a_record_may_hold_reach_everything) {
  const std::string long_id(transaction_table::max_record_bytes / 4, 'k');
  collect(true, one(keys_target({long_id})));
  EXPECT_FALSE(reaches_everything());
  for (int i = 0; i < 100; ++i) collect(false, one(keys_target({long_id})));
  EXPECT_TRUE(reaches_everything());
  EXPECT_LT(table.bytes(), 1000U);
  collect(false, one(keys_target({"a"})));
  EXPECT_TRUE(reaches_everything()) << "what was left out is not known any more";
}

TEST_F(TransactionTable, one_command_larger_than_a_record_reaches_everything) {
  const std::string long_id(transaction_table::max_record_bytes, 'k');
  collect(true, one(keys_target({long_id})));
  EXPECT_TRUE(reaches_everything());
  EXPECT_LT(table.bytes(), 1000U);
}

TEST_F(TransactionTable, an_aborted_transaction_gives_its_bytes_back) {
  collect(true, one(keys_target({"a"})));
  EXPECT_GT(table.bytes(), 0U);
  table.aborted(session, number);
  EXPECT_EQ(table.bytes(), 0U);
}

TEST(transaction_table, the_oldest_give_way_where_all_together_hold_too_much) {
  constexpr std::size_t most = 100'000;
  transaction_table table(1000, most);
  const byte_buffer session{1};
  const std::string long_id(10'000, 'k');
  for (int i = 0; i < 50; ++i) {
    table.collect(session, i, true, one(keys_target({long_id})));
    EXPECT_LE(table.bytes(), most);
  }
  EXPECT_GT(table.size(), 2U);
  EXPECT_EQ(table.committed(session, 49).at(0).reach, extent::keys);
  EXPECT_EQ(table.committed(session, 0).at(0).reach, extent::everything);
}

TEST(transaction_table, the_least_recently_used_is_forgotten_at_the_limit) {
  transaction_table table(2);
  const byte_buffer session{1};
  table.collect(session, 1, true, {});
  table.collect(session, 2, true, {});
  table.collect(session, 1, false, {});
  table.collect(session, 3, true, {});
  EXPECT_EQ(table.size(), 2U);
  EXPECT_TRUE(table.committed(session, 1).empty());
  EXPECT_EQ(table.committed(session, 2).at(0).reach, extent::everything);
}

TEST(transaction_table, a_write_that_may_belong_to_any_makes_all_reach_everything) {
  transaction_table table(2);
  const byte_buffer session{1};
  table.collect(session, 1, true, {});
  table.lose_sight();
  EXPECT_EQ(table.committed(session, 1).at(0).reach, extent::everything);
  table.collect(session, 2, true, {});
  EXPECT_TRUE(table.committed(session, 2).empty());
}

TEST(transaction_table, one_that_was_forgotten_and_goes_on_reaches_everything) {
  transaction_table table(1);
  const byte_buffer session{1};
  table.collect(session, 1, true, {});
  table.collect(session, 2, true, {});
  table.collect(session, 1, false, {});
  EXPECT_EQ(table.committed(session, 1).at(0).reach, extent::everything);
}

}  // namespace
}  // namespace mongocached::cache
