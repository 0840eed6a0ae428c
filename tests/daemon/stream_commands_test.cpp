#include "daemon/control/stream_commands.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_cluster.hpp"

namespace mongocached::daemon {
namespace {

using protocol::bson_view;
using protocol::byte_buffer;
using test_support::field_in;
using test_support::must;
using testing::array;
using testing::at;
using testing::deleted;
using testing::document;
using testing::timestamp;
using testing::token;

bson_view inside(bson_view from, std::initializer_list<std::string_view> path) {
  for (const auto name : path) from = must(field_in(from, name).document());
  return from;
}

bson_view parsed(const byte_buffer& bytes) {
  const bson_view view = must(bson_view::parse(bytes));
  EXPECT_TRUE(view.validate());
  return view;
}

TEST(stream_commands, fullest_request_asks_for_everything) {
  const byte_buffer bytes = open_command(stream_request::expanded, {{}, at(5)}, 1000);
  const bson_view command = parsed(bytes);
  const bson_view stage = inside(command, {"pipeline", "0", "$changeStream"});
  EXPECT_EQ(field_in(stage, "allChangesForCluster").truthy(), true);
  EXPECT_EQ(field_in(stage, "showExpandedEvents").truthy(), true);
  EXPECT_EQ(field_in(stage, "startAtOperationTime").timestamp(), at(5));
  const bson_view projection = inside(command, {"pipeline", "1", "$project"});
  EXPECT_TRUE(projection.find("documentKey"));
  const bson_view test = inside(projection, {"fullDocument", "$cond", "0", "$lte"});
  EXPECT_EQ(field_in(test, "1").integer(), 1000);
  EXPECT_EQ(field_in(inside(command, {"readConcern"}), "level").text(), "majority");
}

TEST(stream_commands, each_request_asks_for_less) {
  std::optional<stream_request> request = fullest_request(17);
  std::vector<std::array<bool, 3>> seen;  // expanded, projection, document
  for (; request; request = next_request(*request)) {
    const byte_buffer bytes = open_command(*request, {}, 1);
    const bson_view pipeline = inside(parsed(bytes), {"pipeline"});
    const auto second = pipeline.find("1");
    const bool expanded = inside(pipeline, {"0", "$changeStream"}).find("showExpandedEvents").has_value();
    const bool documents = second && inside(pipeline, {"1", "$project"}).find("fullDocument");
    seen.push_back({expanded, second.has_value(), documents});
  }
  using row = std::array<bool, 3>;
  EXPECT_THAT(seen, ::testing::ElementsAre(row{true, true, true}, row{true, true, false}, row{false, true, true},
                                           row{false, true, false}, row{false, false, false}));
  EXPECT_EQ(fullest_request(16), stream_request::plain);
}

TEST(stream_commands, token_outranks_the_time) {
  const byte_buffer bytes = open_command(stream_request::plain, {token(at(3)).bytes(), at(5)}, 1);
  const bson_view stage = inside(parsed(bytes), {"pipeline", "0", "$changeStream"});
  EXPECT_TRUE(stage.find("resumeAfter"));
  EXPECT_FALSE(stage.find("startAtOperationTime"));
}

document reply(const array& batch, const document& position, std::string_view name = "nextBatch") {
  const document cursor{{"id", 77L}, {name, batch}, {"postBatchResumeToken", position}};
  return document{{"cursor", cursor}, {"ok", 1.0}, {"operationTime", timestamp{at(9)}}};
}

TEST(stream_commands, batch_is_read) {
  const document raw = reply(array{deleted(at(3), 1), deleted(at(4), 2)}, token(at(5)), "firstBatch");
  cursor_batch batch;
  ASSERT_TRUE(read_batch(raw.bytes(), batch));
  EXPECT_EQ(batch.cursor, 77);
  EXPECT_EQ(batch.events.size(), 2U);
  EXPECT_TRUE(protocol::equal(batch.token, token(at(5)).bytes()));
  EXPECT_EQ(batch.operation_time, at(9));
  EXPECT_EQ(batch.last_event, at(4));
  EXPECT_TRUE(batch.tokens_agree);
  EXPECT_FALSE(batch.invalidated);
}

TEST(stream_commands, last_event_is_the_position_where_the_server_names_none) {
  const document cursor{{"id", 77L}, {"nextBatch", array{deleted(at(3), 1), deleted(at(4), 2)}}};
  const document raw{{"cursor", cursor}};
  cursor_batch batch;
  ASSERT_TRUE(read_batch(raw.bytes(), batch));
  EXPECT_TRUE(protocol::equal(batch.token, token(at(4), "2b").bytes()));
  EXPECT_EQ(batch.operation_time, 0U);
}

TEST(stream_commands, token_of_another_time_is_noted) {
  const document wrong{{"_id", token(at(8))}, {"clusterTime", timestamp{at(7)}}};
  const document raw = reply(array{wrong, deleted(at(9), 1)}, token(at(9)));
  cursor_batch batch;
  ASSERT_TRUE(read_batch(raw.bytes(), batch));
  EXPECT_FALSE(batch.tokens_agree);
}

TEST(stream_commands, malformed_batch_is_none) {
  cursor_batch batch;
  const document id_text{{"id", "77"}, {"nextBatch", array{}}};
  const document no_batch{{"id", 77L}};
  const document no_array{{"id", 77L}, {"nextBatch", document{}}};
  const document no_token{{"id", 77L}, {"nextBatch", array{}}, {"postBatchResumeToken", 1}};
  for (const document& cursor : {id_text, no_batch, no_array, no_token}) {
    EXPECT_FALSE(read_batch(document{{"cursor", cursor}}.bytes(), batch));
  }
  EXPECT_FALSE(read_batch(document{{"cursor", array{}}}.bytes(), batch));
  EXPECT_FALSE(read_batch(reply(array{1}, token(1)).bytes(), batch));
  EXPECT_FALSE(read_batch(reply(array{document{{"operationType", "drop"}}}, token(1)).bytes(), batch));
  EXPECT_FALSE(read_batch({}, batch));
  byte_buffer cut = reply(array{deleted(at(3), 1)}, token(at(5))).bytes();
  cut.pop_back();
  EXPECT_FALSE(read_batch(cut, batch));
}

TEST(stream_commands, event_as_deep_as_the_server_allows_is_read) {
  document deep{{"x", 1}};
  for (int depth = 1; depth < protocol::max_depth; ++depth) deep = document{{"d", deep}};
  ASSERT_TRUE(deep.view().validate());
  const document event{{"_id", token(at(3))}, {"clusterTime", timestamp{at(3)}}, {"fullDocument", deep}};
  cursor_batch batch;
  const document raw = reply(array{event}, token(at(3)));
  EXPECT_TRUE(read_batch(raw.bytes(), batch));
}

TEST(stream_commands, invalidate_is_noticed) {
  const document raw = reply(array{document{{"_id", token(at(3))}, {"operationType", "invalidate"}}}, token(at(3)));
  cursor_batch batch;
  ASSERT_TRUE(read_batch(raw.bytes(), batch));
  EXPECT_TRUE(batch.invalidated);
}

TEST(stream_commands, hello_of_a_primary) {
  const document operation{{"ts", timestamp{at(4)}}, {"t", 1L}};
  const document raw{{"isWritablePrimary", true},
                     {"setName", "rs"},
                     {"setVersion", 2},
                     {"electionId", test_support::object_id{{0x7f, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa1}}},
                     {"lastWrite", document{{"majorityOpTime", operation}}},
                     {"maxWireVersion", 21},
                     {"operationTime", timestamp{at(5)}},
                     {"ok", 1.0}};
  const auto hello = must(read_hello(raw.bytes()));
  EXPECT_TRUE(hello.writable);
  EXPECT_TRUE(hello.replica_set);
  EXPECT_FALSE(hello.mongos);
  EXPECT_EQ(hello.max_wire_version, 21);
  EXPECT_EQ(hello.operation_time, at(5));
  EXPECT_EQ(hello.majority, at(4));
  EXPECT_EQ(hello.election, "7fff000000000000000000a1/2");
}

TEST(stream_commands, hello_with_wrong_types_tells_nothing) {
  const document raw{{"ismaster", "yes"},        {"setName", 1},         {"electionId", "x"}, {"lastWrite", array{}},
                     {"maxWireVersion", "many"}, {"operationTime", 5.0}, {"msg", document{}}, {"ok", 1.0}};
  const auto hello = must(read_hello(raw.bytes()));
  EXPECT_FALSE(hello.writable);
  EXPECT_FALSE(hello.replica_set);
  EXPECT_FALSE(hello.mongos);
  EXPECT_EQ(hello.max_wire_version, 0);
  EXPECT_EQ(hello.operation_time, 0U);
  EXPECT_EQ(hello.majority, 0U);
  EXPECT_TRUE(hello.election.empty());
  EXPECT_FALSE(read_hello(document{{"ok", 0.0}}.bytes()));
  EXPECT_FALSE(read_hello({}));
}

TEST(stream_commands, errors_are_told_apart) {
  for (const int code : {13, 18, 391}) EXPECT_EQ(classify(code), stream_trouble::denied) << code;
  for (const int code : {20, 40573, 40324, 59, 8000, 303, 323}) {
    EXPECT_EQ(classify(code), stream_trouble::refused) << code;
  }
  for (const int code : {286, 280, 260, 222, 10334}) EXPECT_EQ(classify(code), stream_trouble::history_lost) << code;
  for (const int code : {9, 168, 40415, 31325}) EXPECT_EQ(classify(code), stream_trouble::not_understood) << code;
  for (const int code : {0, 6, 43, 89, 91, 133, 189, 237, 9001, 10107, 11600, 11602, 13388, 13435, 13436, -5}) {
    EXPECT_EQ(classify(code), stream_trouble::lost) << code;
  }
}

}  // namespace
}  // namespace mongocached::daemon
