#include "daemon/cached_reply.hpp"

#include <gtest/gtest.h>

#include "support/message_builders.hpp"

namespace mongocached::daemon {
namespace {

using namespace test_support;  // NOLINT: tests read as JSON

constexpr std::uint64_t upper = 42;

class CachedReply : public ::testing::Test {
 protected:
  CachedReply() {
    std::ranges::copy(time_document.bytes(), clock.document.begin());
    clock.size = time_document.bytes().size();
    clock.time = upper;
  }
  reply_frame frame(const char* tail = "oct") const {
    return {.request_id = 5,
            .response_to = 6,
            .db = "shop",
            .collection = "things",
            .tail = tail,
            .operation_time = upper,
            .cluster_time = &clock};
  }
  byte_buffer built(const std::vector<document>& rows, const char* tail = "oct") const {
    byte_buffer out;
    const auto with = frame(tail);
    cached_reply reply(out, with);
    for (const auto& one : rows) reply.append_document(one.bytes());
    reply.finish();
    return out;
  }
  static byte_buffer message(const document& body) { return op_msg_message(body, {.request_id = 5, .response_to = 6}); }
  static document cursor(const array& batch) {
    return document{{"firstBatch", batch}, {"id", 0L}, {"ns", "shop.things"}};
  }

  const document time_document{{"clusterTime", timestamp{upper}}};
  signed_time clock;
  const document row{{"_id", 1}, {"x", "value"}};
};

TEST_F(CachedReply, is_the_servers_reply_byte_for_byte_S8) {
  const document expected{{"cursor", cursor(array{row, row})},
                          {"ok", 1.0},
                          {"$clusterTime", time_document},
                          {"operationTime", timestamp{upper}}};
  EXPECT_EQ(built({row, row}), message(expected));
}

TEST_F(CachedReply, keeps_the_order_of_the_trailing_fields_S8) {
  const document expected{{"cursor", cursor(array{row})},
                          {"operationTime", timestamp{upper}},
                          {"ok", 1.0},
                          {"$clusterTime", time_document}};
  EXPECT_EQ(built({row}, "toc"), message(expected));
}

TEST_F(CachedReply, leaves_out_what_a_standalone_leaves_out_S8) {
  EXPECT_EQ(built({row}, "o"), message(document{{"cursor", cursor(array{row})}, {"ok", 1.0}}));
}

TEST_F(CachedReply, has_an_empty_batch_where_nothing_was_found) {
  EXPECT_EQ(built({}, "o"), message(document{{"cursor", cursor(array{})}, {"ok", 1.0}}));
}

TEST_F(CachedReply, takes_a_whole_batch) {
  byte_buffer out;
  const auto with = frame("o");
  cached_reply reply(out, with);
  reply.append_batch(array{row, row}.bytes());
  reply.finish();
  EXPECT_EQ(out, message(document{{"cursor", cursor(array{row, row})}, {"ok", 1.0}}));
}

TEST_F(CachedReply, counts_its_rows_past_ten) {
  const std::vector<document> rows(11, row);
  EXPECT_EQ(
      built(rows, "o"),
      message(document{{"cursor", cursor(array{row, row, row, row, row, row, row, row, row, row, row})}, {"ok", 1.0}}));
}

TEST_F(CachedReply, stands_behind_what_the_buffer_held) {
  byte_buffer out{1, 2, 3};
  const auto with = frame("o");
  cached_reply reply(out, with);
  reply.append_document(row.bytes());
  reply.finish();
  EXPECT_EQ(byte_buffer(out.begin() + 3, out.end()), built({row}, "o"));
}

TEST_F(CachedReply, may_show_a_time_that_is_not_older_than_the_entry_S8) {
  cache::entry_meta meta{.tail = {'o', 'c', 't'}, .upper = upper};
  EXPECT_TRUE(can_show(meta, clock));
  meta.upper = upper + 1;
  EXPECT_FALSE(can_show(meta, clock));
}

TEST_F(CachedReply, needs_a_time_only_where_the_server_gives_one_S8) {
  EXPECT_FALSE(can_show(cache::entry_meta{.tail = {'o', 'c', 't'}}, signed_time{}));
  EXPECT_TRUE(can_show(cache::entry_meta{.tail = {'o'}, .upper = upper}, signed_time{}));
}

}  // namespace
}  // namespace mongocached::daemon
