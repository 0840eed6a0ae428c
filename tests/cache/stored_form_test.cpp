#include "cache/stored_form.hpp"

#include <gtest/gtest.h>

#include "protocol/op_msg.hpp"
#include "support/message_builders.hpp"

namespace mongocached::cache {
namespace {

using test_support::document;
using test_support::exact_copy;

struct sample {
  byte_buffer key{'d', 'a', '.', 'b', 0, 'i', 1};
  document value{{"_id", 1}, {"a", "x"}};
  stored_entry entry;

  explicit sample(entry_kind kind = entry_kind::document) {
    entry.epoch = {1, 2, 3};
    entry.generation = {9, 8};
    entry.meta.kind = kind;
    entry.meta.level = entry_level::majority;
    entry.meta.tail[0] = 'o';
    entry.meta.tail[1] = 'c';
    entry.meta.covered = kind == entry_kind::document;
    entry.lifetime_ms = 77;
    entry.meta.lower = 0x1122334455667788;
    entry.meta.upper = 0x99aabbccddeeff00;
    entry.key = key;
    if (kind == entry_kind::document || kind == entry_kind::list) entry.value = value.bytes();
  }
  [[nodiscard]] byte_buffer encoded() const {
    byte_buffer out{1, 2, 3};
    encode_stored(out, entry);
    return out;
  }
};

void set_checksum(byte_buffer& bytes) {
  protocol::store_le(bytes.data() + 4, protocol::crc32c(byte_view(bytes).subspan(8)));
}

TEST(stored_form, comes_back_as_it_went) {
  for (const auto kind : {entry_kind::document, entry_kind::absent, entry_kind::list, entry_kind::too_large}) {
    const sample s(kind);
    const exact_copy copy(s.encoded());
    const auto back = decode_stored(copy.view());
    ASSERT_TRUE(back);
    EXPECT_EQ(back->epoch, s.entry.epoch);
    EXPECT_EQ(back->generation, s.entry.generation);
    EXPECT_EQ(back->meta.kind, kind);
    EXPECT_EQ(back->meta.level, entry_level::majority);
    EXPECT_EQ(std::string_view(back->meta.tail, 4), std::string_view(s.entry.meta.tail, 4));
    EXPECT_EQ(back->meta.covered, kind == entry_kind::document);
    EXPECT_EQ(back->lifetime_ms, 77U);
    EXPECT_EQ(back->meta.lower, 0x1122334455667788U);
    EXPECT_EQ(back->meta.upper, 0x99aabbccddeeff00U);
    EXPECT_TRUE(protocol::equal(back->key, s.key));
    EXPECT_TRUE(protocol::equal(back->value, s.entry.value));
  }
}

// The form is shared by processes of several versions: a change of it needs a new magic.
TEST(stored_form, layout_is_the_documented_one) {
  const auto bytes = sample().encoded();
  EXPECT_EQ(protocol::as_text(byte_view(bytes).first(4)), "mcd2");
  EXPECT_EQ(bytes[8], 1);
  EXPECT_EQ(bytes[24], 9);
  EXPECT_EQ(bytes[40], 0);
  EXPECT_EQ(bytes[41], 1);
  EXPECT_EQ(bytes[42], 'o');
  EXPECT_EQ(bytes[46], 1);
  EXPECT_EQ(protocol::load_le<std::uint32_t>(bytes.data() + 48), 77U);
  EXPECT_EQ(protocol::load_le<std::uint64_t>(bytes.data() + 52), 0x1122334455667788U);
  EXPECT_EQ(protocol::load_le<std::uint64_t>(bytes.data() + 60), 0x99aabbccddeeff00U);
  EXPECT_EQ(protocol::load_le<std::uint32_t>(bytes.data() + 68), 7U);
  EXPECT_EQ(bytes[72], 'd');
}

TEST(stored_form, what_is_left_to_live_says_how_old_an_entry_is) {
  using std::chrono::milliseconds;
  const entry_meta meta{.filled = milliseconds(1000), .expires = milliseconds(61'000)};
  stored_entry stored;
  stored.lifetime_ms = lifetime_ms_of(meta);
  EXPECT_EQ(stored.lifetime_ms, 60'000U);
  EXPECT_EQ(age_ms_of(stored, milliseconds(60'000)), 0U);
  EXPECT_EQ(age_ms_of(stored, milliseconds(45'000)), 15'000U);
  EXPECT_EQ(age_ms_of(stored, duration(1)), 60'000U) << "rounded up";
  EXPECT_EQ(age_ms_of(stored, milliseconds(70'000)), 0U);
  EXPECT_EQ(age_ms_of(stored, milliseconds(-5)), 60'000U);
}

TEST(stored_form, an_entry_that_does_not_say_how_long_it_lives_is_of_unknown_age) {
  EXPECT_EQ(age_ms_of(stored_entry{}, std::chrono::seconds(5)), unknown_age_ms);
  const entry_meta for_ever{.filled = {}, .expires = std::chrono::hours(24 * 365)};
  EXPECT_EQ(lifetime_ms_of(for_ever), 0U);
  EXPECT_EQ(lifetime_ms_of({.filled = std::chrono::seconds(2), .expires = std::chrono::seconds(1)}), 0U);
}

TEST(stored_form, every_shorter_length_is_refused) {
  const auto bytes = sample().encoded();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const exact_copy copy(byte_view(bytes).first(size));
    EXPECT_FALSE(decode_stored(copy.view())) << size;
  }
}

TEST(stored_form, every_changed_byte_is_refused) {
  const auto bytes = sample().encoded();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto changed = bytes;
    changed[i] ^= 0x10;
    EXPECT_FALSE(decode_stored(changed)) << i;
  }
}

TEST(stored_form, a_byte_more_is_refused) {
  auto bytes = sample().encoded();
  bytes.push_back(0);
  set_checksum(bytes);
  EXPECT_FALSE(decode_stored(bytes));
}

struct bad_field {
  std::size_t at;
  std::uint8_t content;
  const char* what;
};

TEST(stored_form, a_valid_checksum_does_not_excuse_bad_fields) {
  for (const auto& bad : {bad_field{0, 'M', "magic"},
                          {3, '1', "another version"},
                          {40, 4, "kind"},
                          {40, 1, "absent with a value"},
                          {41, 3, "level"},
                          {42, 'x', "a letter that no tail has"},
                          {43, 'o', "a letter twice"},
                          {45, 't', "a tail without an end"},
                          {46, 2, "covered"},
                          {47, 1, "padding"},
                          {68, 8, "key size"},
                          {71, 0xff, "key size beyond the end"}}) {
    auto bytes = sample().encoded();
    bytes[bad.at] = bad.content;
    set_checksum(bytes);
    EXPECT_FALSE(decode_stored(bytes)) << bad.what;
  }
}

TEST(stored_form, a_value_that_is_no_document_is_refused) {
  sample s;
  const byte_buffer junk{6, 0, 0, 0, 0};
  s.entry.value = junk;
  EXPECT_FALSE(decode_stored(s.encoded()));
  s.entry.value = {};
  EXPECT_FALSE(decode_stored(s.encoded()));
}

}  // namespace
}  // namespace mongocached::cache
