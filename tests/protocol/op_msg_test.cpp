#include "protocol/op_msg.hpp"

#include <gtest/gtest.h>

#include "random_documents.hpp"
#include "support/message_builders.hpp"

namespace mongocached::protocol {
namespace {

using namespace test_support;

op_msg_error parse(const byte_buffer& message) {
  const exact_copy copy(message);
  op_msg out;
  return parse_op_msg(copy.view(), out);
}

// A message of these bytes behind the flags.
byte_buffer with_sections(std::initializer_list<byte_buffer> sections, std::uint32_t flags = 0) {
  byte_buffer message;
  (void)begin_op_msg(message, 1, 0);
  message.pop_back();
  store_le(message.data() + header_size, flags);
  for (const auto& section : sections) message.insert(message.end(), section.begin(), section.end());
  fix_length(message);
  return message;
}

const byte_buffer body_section = {0, 5, 0, 0, 0, 0};

byte_buffer sequence_section(std::int32_t size, const byte_buffer& rest) {
  byte_buffer section{1, 0, 0, 0, 0};
  store_le(section.data() + 1, size);
  section.insert(section.end(), rest.begin(), rest.end());
  return section;
}

const byte_buffer insert_message =
    op_msg_message({{"insert", "things"}, {"$db", "shop"}}, {.request_id = 7},
                   {{"documents", {document{{"_id", 1}}, document{{"_id", 2}}, document{}}}});

TEST(op_msg, body_is_found) {
  const auto message = op_msg_message({{"ping", 1}, {"$db", "admin"}});
  op_msg out;
  ASSERT_EQ(parse_op_msg(message, out), op_msg_error::none);
  EXPECT_EQ(field_in(out.body, "ping").integer(), 1);
}

TEST(op_msg, sequence_is_found) {
  op_msg out;
  ASSERT_EQ(parse_op_msg(insert_message, out), op_msg_error::none);
  ASSERT_EQ(out.sequence_count, 1U);
  EXPECT_EQ(out.sequences[0].name, "documents");
  EXPECT_EQ(out.sequences[0].count, 3U);
  EXPECT_EQ(field_in(must(bson_view::parse_front(out.sequences[0].documents)), "_id").integer(), 1);
}

TEST(op_msg, sequence_may_come_before_the_body) {
  EXPECT_EQ(parse(with_sections({sequence_section(6, {'a', 0}), body_section})), op_msg_error::none);
}

TEST(op_msg, sequence_may_be_empty) {
  EXPECT_EQ(parse(with_sections({body_section, sequence_section(5, {0})})), op_msg_error::none);
}

TEST(op_msg, result_of_an_earlier_parse_is_forgotten) {
  op_msg out;
  ASSERT_EQ(parse_op_msg(insert_message, out), op_msg_error::none);
  const auto ping = op_msg_message({{"ping", 1}});
  ASSERT_EQ(parse_op_msg(ping, out), op_msg_error::none);
  EXPECT_EQ(out.sequence_count, 0U);
}

TEST(op_msg, flags_are_given) {
  op_msg out;
  ASSERT_EQ(
      parse_op_msg(with_sections({body_section}, op_msg_flags::more_to_come | op_msg_flags::exhaust_allowed), out),
      op_msg_error::none);
  EXPECT_TRUE(out.has(op_msg_flags::more_to_come));
  EXPECT_TRUE(out.has(op_msg_flags::exhaust_allowed));
}

TEST(op_msg, unknown_required_flag_is_refused) {
  for (int bit = 2; bit < 16; ++bit) {
    EXPECT_EQ(parse(with_sections({body_section}, 1U << bit)), op_msg_error::unknown_flag) << bit;
  }
}

TEST(op_msg, unknown_optional_flag_is_ignored) {
  for (int bit = 16; bit < 32; ++bit) {
    EXPECT_EQ(parse(with_sections({body_section}, 1U << bit)), op_msg_error::none) << bit;
  }
}

TEST(op_msg, right_checksum_is_accepted) {
  EXPECT_EQ(parse(with_checksum(insert_message)), op_msg_error::none);
}

TEST(op_msg, checksum_covers_every_byte) {
  const auto good = with_checksum(insert_message);
  // Not the length (checked before) and not the flags (whose bit says that there is a checksum).
  for (std::size_t at = 4; at < good.size(); ++at) {
    if (at >= header_size && at < header_size + 4) continue;
    auto bad = good;
    bad[at] ^= 0x10;
    EXPECT_EQ(parse(bad), op_msg_error::bad_checksum) << at;
  }
}

TEST(op_msg, checksum_without_room_for_it_is_truncated) {
  EXPECT_EQ(parse(with_sections({{0, 5, 0}}, op_msg_flags::checksum_present)), op_msg_error::truncated);
}

TEST(op_msg, no_section_is_no_body) {
  EXPECT_EQ(parse(with_sections({})), op_msg_error::no_body);
}

TEST(op_msg, sequence_alone_is_no_body) {
  EXPECT_EQ(parse(with_sections({sequence_section(5, {0})})), op_msg_error::no_body);
}

TEST(op_msg, two_bodies_are_refused) {
  EXPECT_EQ(parse(with_sections({body_section, body_section})), op_msg_error::two_bodies);
}

TEST(op_msg, body_beyond_the_end_is_refused) {
  EXPECT_EQ(parse(with_sections({{0, 6, 0, 0, 0, 0}})), op_msg_error::bad_body);
}

TEST(op_msg, body_without_terminator_is_refused) {
  EXPECT_EQ(parse(with_sections({{0, 5, 0, 0, 0, 1}})), op_msg_error::bad_body);
}

TEST(op_msg, section_kind_2_is_refused) {
  EXPECT_EQ(parse(with_sections({body_section, {2}})), op_msg_error::bad_section_kind);
}

TEST(op_msg, sequence_size_is_bounded_below) {
  for (const auto size : {-1, 0, 3, 4}) {
    EXPECT_EQ(parse(with_sections({body_section, sequence_section(size, {0})})), op_msg_error::bad_sequence) << size;
  }
}

TEST(op_msg, sequence_size_is_bounded_above) {
  EXPECT_EQ(parse(with_sections({body_section, sequence_section(6, {0})})), op_msg_error::bad_sequence);
  EXPECT_EQ(parse(with_sections({body_section, sequence_section(0x7fffffff, {0})})), op_msg_error::bad_sequence);
}

TEST(op_msg, sequence_name_must_end_inside) {
  EXPECT_EQ(parse(with_sections({sequence_section(5, {'a'}), body_section})), op_msg_error::bad_sequence);
}

TEST(op_msg, sequence_document_must_end_inside) {
  EXPECT_EQ(parse(with_sections({body_section, sequence_section(10, {0, 6, 0, 0, 0, 0})})), op_msg_error::bad_sequence);
}

TEST(op_msg, two_sequences_of_one_name_are_refused) {
  EXPECT_EQ(parse(with_sections({body_section, sequence_section(6, {'a', 0}), sequence_section(6, {'a', 0})})),
            op_msg_error::bad_sequence);
}

TEST(op_msg, four_sequences_are_accepted_and_five_refused) {
  const auto named = [](char name) { return sequence_section(6, {static_cast<std::uint8_t>(name), 0}); };
  EXPECT_EQ(parse(with_sections({body_section, named('a'), named('b'), named('c'), named('d')})), op_msg_error::none);
  EXPECT_EQ(parse(with_sections({body_section, named('a'), named('b'), named('c'), named('d'), named('e')})),
            op_msg_error::too_many_sequences);
}

TEST(op_msg, length_field_must_be_the_size) {
  auto longer = insert_message;
  longer.push_back(0);
  EXPECT_EQ(parse(longer), op_msg_error::truncated);
}

TEST(op_msg, every_truncation_is_refused) {
  for (std::size_t size = 0; size < insert_message.size(); ++size) {
    const exact_copy copy(byte_view(insert_message).first(size));
    op_msg out;
    EXPECT_EQ(parse_op_msg(copy.view(), out), op_msg_error::truncated) << size;
  }
}

// With the length corrected the cut is only seen inside: it is refused everywhere but at the end of the body.
TEST(op_msg, every_truncation_with_a_right_length_is_refused) {
  const auto body_end = op_msg_message({{"insert", "things"}, {"$db", "shop"}}).size();
  for (std::size_t size = header_size; size < insert_message.size(); ++size) {
    auto bytes = byte_buffer(insert_message.begin(), insert_message.begin() + static_cast<std::ptrdiff_t>(size));
    fix_length(bytes);
    EXPECT_EQ(parse(bytes) == op_msg_error::none, size == body_end) << size;
  }
}

TEST(op_msg, damaged_messages_are_read_within_bounds) {
  random_source random(1);
  for (int i = 0; i < 20000; ++i) {
    auto message = insert_message;
    damage(message, random);
    fix_length(message);
    const exact_copy copy(message);
    op_msg out;
    if (parse_op_msg(copy.view(), out) != op_msg_error::none) continue;
    const auto end = copy.view().data() + copy.view().size();
    ASSERT_LE(out.body.bytes().data() + out.body.size(), end);
  }
}

TEST(op_msg, every_error_has_a_name) {
  for (int i = 0; i <= static_cast<int>(op_msg_error::too_many_sequences); ++i) {
    EXPECT_STRNE(name_of(static_cast<op_msg_error>(i)), "unknown");
  }
}

}  // namespace
}  // namespace mongocached::protocol
