#include "protocol/reply.hpp"

#include <gtest/gtest.h>
#include <array>

#include "random_documents.hpp"
#include "support/message_builders.hpp"

namespace mongocached::protocol {
namespace {

using namespace test_support;

reply_view view(const document& body) {
  reply_view out;
  EXPECT_TRUE(view_reply(body.view(), out));
  return out;
}

cursor_view cursor_of(const document& body) {
  cursor_view out;
  EXPECT_TRUE(view_cursor(view(body), out));
  return out;
}

document cursor(const document& content) {
  return {{"cursor", content}, {"ok", 1.0}};
}

document with_cluster_time(const value& time, const value& key) {
  return {{"ok", 1}, {"$clusterTime", document{{"clusterTime", time}, {"signature", document{{"keyId", key}}}}}};
}

std::string tail(const document& body) {
  return view(body).tail;
}

document write_errors(std::initializer_list<int> codes) {
  byte_buffer bytes;
  {
    bson_builder builder(bytes);
    std::size_t index = 0;
    for (const auto code : codes) builder.append_document(std::to_string(index++), document{{"code", code}}.view());
  }
  return {{"ok", 1}, {"writeErrors", raw_value{bson_type::array, bytes}}};
}

TEST(reply, comes_in_the_opcode_of_the_request) {
  const document body{{"ok", 1}};
  for (const auto code : {opcode::query, opcode::msg}) {
    message_header request;
    request.request_id = 7;
    request.code = code;
    byte_buffer out;
    append_reply(out, request, 9, body.view());
    message_header header;
    ASSERT_EQ(read_header(out, header), frame_error::none);
    EXPECT_EQ(header.code, code == opcode::query ? opcode::reply : opcode::msg);
    EXPECT_EQ(header.request_id, 9);
    EXPECT_EQ(header.response_to, 7);
  }
}

TEST(reply, ok_of_any_number_type_or_bool) {
  for (const auto& ok : std::vector<value>{1, 1L, 1.0, true}) EXPECT_TRUE(view(document{{"ok", ok}}).ok);
  for (const auto& ok : std::vector<value>{0, 0L, 0.0, false, "1", null_value{}}) {
    EXPECT_FALSE(view(document{{"ok", ok}}).ok);
  }
}

TEST(reply, without_ok_is_not_ok) {
  EXPECT_FALSE(view(document{}).ok);
}

TEST(reply, code_of_an_error) {
  EXPECT_EQ(view(document{{"ok", 0}, {"errmsg", "x"}, {"code", 13}}).code, 13);
  EXPECT_EQ(view(document{{"code", 13}, {"ok", 0}}).code, 13);
}

TEST(reply, code_beside_ok_1_is_no_error) {
  EXPECT_EQ(view(document{{"code", 13}, {"ok", 1}}).code, 0);
}

TEST(reply, code_beyond_int32_is_none) {
  EXPECT_EQ(view(document{{"ok", 0}, {"code", 1LL << 40}}).code, 0);
}

TEST(reply, first_write_error_gives_its_code) {
  const auto v = view(write_errors({11000, 121}));
  EXPECT_TRUE(v.has_write_errors);
  EXPECT_EQ(v.write_code, 11000);
}

TEST(reply, state_change_outranks_an_earlier_write_error) {
  EXPECT_EQ(view(write_errors({11000, 10107, 91})).write_code, 10107);
}

TEST(reply, write_concern_error_gives_its_code) {
  EXPECT_EQ(view(document{{"ok", 1}, {"writeConcernError", document{{"code", 91}}}}).write_code, 91);
}

TEST(reply, operation_time) {
  EXPECT_EQ(view(document{{"ok", 1}, {"operationTime", timestamp{42}}}).operation_time, 42U);
}

TEST(reply, cluster_time_with_its_key) {
  const auto body = with_cluster_time(timestamp{42}, 9L);
  const auto v = view(body);
  EXPECT_EQ(v.cluster_time_value, 42U);
  EXPECT_EQ(signing_key(v.cluster_time), 9);
  EXPECT_TRUE(equal(v.cluster_time, field_in(body.view(), "$clusterTime").value));
}

TEST(reply, cluster_time_of_wrong_types_has_no_value) {
  const auto body = with_cluster_time(5L, "x");
  const auto v = view(body);
  EXPECT_EQ(v.cluster_time_value, 0U);
  EXPECT_EQ(signing_key(v.cluster_time), 0);
}

TEST(reply, cluster_time_that_is_no_document_has_no_key) {
  EXPECT_EQ(signing_key({}), 0);
  EXPECT_EQ(signing_key(document{{"signature", 5}}.bytes()), 0);
  EXPECT_EQ(signing_key(document{{"signature", document{}}}.bytes()), 0);
}

TEST(reply, topology_version_is_noticed) {
  EXPECT_TRUE(view(document{{"ok", 0}, {"topologyVersion", document{}}}).has_topology_version);
}

TEST(reply, find_reply_has_its_first_batch) {
  const auto body = cursor({{"firstBatch", array{document{{"_id", 1}}}}, {"id", 0L}, {"ns", "shop.things"}});
  const auto v = cursor_of(body);
  EXPECT_EQ(v.id, 0);
  EXPECT_EQ(v.ns, "shop.things");
  ASSERT_TRUE(v.first_batch);
  EXPECT_EQ(field_in(must(field_in(must(v.first_batch), "0").document()), "_id").integer(), 1);
}

TEST(reply, first_batch_of_any_other_cursor_is_not_given) {
  const value none = array{};
  EXPECT_FALSE(cursor_of(cursor({{"id", 0L}, {"firstBatch", none}, {"ns", "a.b"}})).first_batch);
  EXPECT_FALSE(cursor_of(cursor({{"firstBatch", none}, {"id", 0L}})).first_batch);
  EXPECT_FALSE(cursor_of(cursor({{"firstBatch", none}, {"id", 0}, {"ns", "a.b"}})).first_batch);
  EXPECT_FALSE(cursor_of(cursor({{"firstBatch", none}, {"id", 0L}, {"ns", 1}})).first_batch);
  EXPECT_FALSE(cursor_of(cursor({{"firstBatch", document{}}, {"id", 0L}, {"ns", "a.b"}})).first_batch);
  EXPECT_FALSE(cursor_of(cursor({{"firstBatch", none}, {"id", 0L}, {"ns", "a.b"}, {"more", 1}})).first_batch);
  EXPECT_FALSE(cursor_of(cursor({{"nextBatch", none}, {"id", 0L}, {"ns", "a.b"}})).first_batch);
}

TEST(reply, open_cursor_has_its_id) {
  EXPECT_EQ(cursor_of(cursor({{"nextBatch", array{}}, {"id", 77L}, {"ns", "a.b"}})).id, 77);
}

TEST(reply, tail_is_the_order_behind_the_cursor) {
  const document c;
  EXPECT_EQ(tail({{"cursor", c}, {"ok", 1.0}}), "o");
  EXPECT_EQ(tail({{"cursor", c}, {"ok", 1.0}, {"$clusterTime", c}, {"operationTime", timestamp{1}}}), "oct");
  EXPECT_EQ(tail({{"cursor", c}, {"ok", 1.0}, {"operationTime", timestamp{1}}, {"$clusterTime", c}}), "otc");
}

TEST(reply, tail_of_any_other_reply_is_empty) {
  const document c;
  EXPECT_EQ(tail({{"cursor", c}}), "");
  EXPECT_EQ(tail({{"ok", 1.0}, {"cursor", c}}), "");
  EXPECT_EQ(tail({{"cursor", c}, {"ok", 1.0}, {"more", 1}}), "");
  EXPECT_EQ(tail({{"cursor", c}, {"more", 1}, {"ok", 1.0}}), "");
  EXPECT_EQ(tail({{"cursor", c}, {"ok", 1.0}, {"ok", 1.0}}), "");
  EXPECT_EQ(tail({{"cursor", c}, {"cursor", c}, {"ok", 1.0}}), "");
}

TEST(reply, malformed_top_level_is_refused) {
  reply_view out;
  EXPECT_FALSE(view_reply(document{{"ok", 1}, {"a", raw_value{bson_type::boolean, {2}}}}.view(), out));
}

TEST(reply, malformed_cursor_is_refused) {
  const auto body = cursor({{"id", raw_value{bson_type::boolean, {2}}}});
  cursor_view out;
  EXPECT_FALSE(view_cursor(view(body), out));
}

TEST(reply, without_a_cursor_there_is_nothing_to_read_from_it) {
  for (const auto& body : {document{{"ok", 1}}, document{{"cursor", 1}, {"ok", 1}}}) {
    EXPECT_EQ(cursor_of(body).id, 0);
    EXPECT_FALSE(cursor_of(body).first_batch);
  }
}

TEST(reply, damaged_replies_are_read_within_bounds) {
  const document whole{
      {"cursor", document{{"firstBatch", array{document{{"_id", 1}}}}, {"id", 0L}, {"ns", "shop.things"}}},
      {"ok", 1.0},
      {"$clusterTime", document{{"clusterTime", timestamp{42}}, {"signature", document{{"keyId", 9L}}}}},
      {"operationTime", timestamp{42}},
      {"writeErrors", array{document{{"code", 1}}}}};
  random_source random(1);
  for (int i = 0; i < 20000; ++i) {
    auto bytes = whole.bytes();
    damage(bytes, random);
    const exact_copy copy(bytes);
    reply_view out;
    const auto body = bson_view::parse(copy.view());
    if (!body || !view_reply(*body, out)) continue;
    cursor_view inside;
    (void)view_cursor(out, inside);
  }
}

TEST(reply, op_msg_is_parsed_as_built) {
  byte_buffer message;
  append_op_msg(message, 5, 6, op_msg_flags::more_to_come, document{{"ok", 1}}.view());
  message_header header;
  ASSERT_EQ(read_header(message, header), frame_error::none);
  EXPECT_EQ(header.request_id, 5);
  EXPECT_EQ(header.response_to, 6);
  EXPECT_EQ(header.code, opcode::msg);
  op_msg out;
  ASSERT_EQ(parse_op_msg(message, out), op_msg_error::none);
  EXPECT_EQ(out.flags, op_msg_flags::more_to_come);
}

TEST(reply, two_messages_in_one_buffer) {
  byte_buffer messages;
  append_error_reply(messages, 1, 2, error_code::bad_value, "no");
  const auto first = messages.size();
  append_error_reply(messages, 3, 4, error_code::bad_value, "no");
  op_msg out;
  EXPECT_EQ(parse_op_msg(byte_view(messages).first(first), out), op_msg_error::none);
  EXPECT_EQ(parse_op_msg(byte_view(messages).subspan(first), out), op_msg_error::none);
}

TEST(reply, error_has_the_fields_of_a_servers_error) {
  byte_buffer message;
  append_error_reply(message, 1, 2, error_code::host_unreachable, "gone");
  op_msg out;
  ASSERT_EQ(parse_op_msg(message, out), op_msg_error::none);
  const document expected{{"ok", 0.0}, {"errmsg", "gone"}, {"code", 6}, {"codeName", "HostUnreachable"}};
  EXPECT_TRUE(equal(out.body.bytes(), expected.bytes()));
}

TEST(reply, error_has_its_labels) {
  byte_buffer message;
  append_error_reply(message, 1, 2, error_code::host_unreachable, "gone",
                     std::array<std::string_view, 2>{"RetryableWriteError", "Other"});
  op_msg out;
  ASSERT_EQ(parse_op_msg(message, out), op_msg_error::none);
  const document labels{{"0", "RetryableWriteError"}, {"1", "Other"}};
  EXPECT_TRUE(equal(field_in(out.body, "errorLabels").value, labels.bytes()));
}

TEST(reply, state_changes_are_those_of_the_sdam_specification) {
  for (const auto code : {11600, 11602, 13436, 189, 91, 10107, 13435, 10058})
    EXPECT_TRUE(is_state_change(code)) << code;
  for (const auto code : {0, 1, 6, 50, 133, 262, 11000, 11601, -1}) EXPECT_FALSE(is_state_change(code)) << code;
}

TEST(reply, an_error_about_the_server_is_told_from_one_about_the_read_R4) {
  for (const auto code : {6, 7, 89, 91, 189, 9001, 10107, 11600, 11602, 13435, 13436})
    EXPECT_TRUE(is_server_trouble(code)) << code;
  // 50, 134 and 262 may come of the time that a read was told to wait for.
  for (const auto code : {0, 1, 9, 13, 26, 50, 134, 246, 262, 11000, -6}) EXPECT_FALSE(is_server_trouble(code)) << code;
}

TEST(reply, topology_version_is_taken_out) {
  const auto message = op_msg_message({{"ok", 0}, {"topologyVersion", document{{"counter", 6L}}}, {"code", 91}},
                                      {.request_id = 5, .response_to = 6});
  byte_buffer out;
  append_without_topology_version(out, message);
  EXPECT_EQ(out, op_msg_message({{"ok", 0}, {"code", 91}}, {.request_id = 5, .response_to = 6}));
}

TEST(reply, nested_topology_version_stays) {
  const auto message = op_msg_message({{"a", document{{"topologyVersion", 1}}}});
  byte_buffer out;
  append_without_topology_version(out, message);
  EXPECT_EQ(out, message);
}

TEST(reply, sequences_are_kept_without_topology_version) {
  const std::vector<sequence> sequences{{"docs", {document{{"_id", 1}}, document{}}}};
  const auto message = op_msg_message({{"topologyVersion", document{}}, {"ok", 1}}, {}, sequences);
  byte_buffer out;
  append_without_topology_version(out, message);
  EXPECT_EQ(out, op_msg_message({{"ok", 1}}, {}, sequences));
}

TEST(reply, checksum_goes_with_topology_version) {
  const auto message = with_checksum(op_msg_message({{"ok", 1}, {"topologyVersion", document{}}}));
  byte_buffer out;
  append_without_topology_version(out, message);
  EXPECT_EQ(out, op_msg_message({{"ok", 1}}));
}

TEST(reply, every_code_has_the_servers_name) {
  EXPECT_STREQ(name_of(error_code::not_writable_primary), "NotWritablePrimary");
  EXPECT_STREQ(name_of(error_code::failed_to_satisfy_read_preference), "FailedToSatisfyReadPreference");
  EXPECT_STREQ(name_of(static_cast<error_code>(4711)), "UnknownError");
}

}  // namespace
}  // namespace mongocached::protocol
