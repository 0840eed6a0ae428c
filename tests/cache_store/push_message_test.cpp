#include "cache/store/push_message.hpp"

#include <gtest/gtest.h>

#include "cache/key.hpp"

namespace mongocached::cache {
namespace {

constexpr sender_id me = {1, 2, 3};
constexpr sender_id them = {9};

invalidation sample(std::initializer_list<std::string_view> ids) {
  invalidation out;
  out.ns = "db.c";
  out.lists = false;
  out.fence = 0x64000000'00000005;
  for (const auto id : ids) {
    const auto begin = out.key_bytes.size();
    append_key_prefix(out.key_bytes, key_kind::document, "db", "c");
    const auto bytes = protocol::as_bytes(id);
    out.key_bytes.insert(out.key_bytes.end(), bytes.begin(), bytes.end());
    out.keys.emplace_back(begin, out.key_bytes.size());
  }
  return out;
}

TEST(PushMessage, ComesBackAsItWent) {
  auto what = sample({"1", "22"});
  const auto bytes = encode_push(them, what);
  const auto back = decode_push(me, bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->ns, "db.c");
  EXPECT_EQ(back->fence, what.fence);
  EXPECT_FALSE(back->documents);
  EXPECT_FALSE(back->lists);
  ASSERT_EQ(back->keys.size(), 2u);
  EXPECT_EQ(protocol::as_text(back->keys[1]), std::string("ddb.c\0", 6) + "22");
  what.documents = what.lists = true;
  what.keys.clear();
  const auto all = encode_push(them, what);
  const auto more = decode_push(me, all);
  ASSERT_TRUE(more);
  EXPECT_TRUE(more->documents && more->lists && more->keys.empty());
}

TEST(PushMessage, OnesOwnIsNotHeard) {
  EXPECT_FALSE(decode_push(me, encode_push(me, sample({"1"}))));
}

TEST(PushMessage, EventsAndNewEpochsAreNotTold) {
  auto what = sample({"1"});
  what.seen = true;
  EXPECT_TRUE(encode_push(them, what).empty());
  what.seen = false;
  what.everything = true;
  EXPECT_TRUE(encode_push(them, what).empty());
}

TEST(PushMessage, TooManyKeysBecomeAllDocuments) {
  // A key is 4 + 6 bytes and its id.
  const std::string fits(push_keys_ceiling - 10, 'x');
  const auto told = encode_push(them, sample({fits}));
  EXPECT_LE(told.size(), push_message_ceiling);
  EXPECT_EQ(decode_push(me, told)->keys.size(), 1u);
  const auto beyond = encode_push(them, sample({fits + "x"}));
  const auto back = decode_push(me, beyond);
  ASSERT_TRUE(back);
  EXPECT_TRUE(back->documents);
  EXPECT_TRUE(back->keys.empty());
  EXPECT_FALSE(back->lists);
}

TEST(PushMessage, EveryShorterLengthIsRefusedOrHasFewerKeys) {
  const auto bytes = encode_push(them, sample({"1", "22"}));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const byte_buffer cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const auto back = decode_push(me, cut);
    EXPECT_TRUE(!back || back->keys.size() < 2) << size;
  }
}

TEST(PushMessage, MalformedOnesAreRefused) {
  const auto good = encode_push(them, sample({"1"}));
  const auto names = std::size_t{33};
  const auto with = [&](std::size_t at, std::uint8_t byte) {
    auto out = good;
    out[at] = byte;
    return decode_push(me, out).has_value();
  };
  EXPECT_TRUE(with(0, 8));
  EXPECT_FALSE(with(16, 'x'));             // fence
  EXPECT_FALSE(with(32, 4));               // flags
  EXPECT_FALSE(with(names, 0));            // no namespace
  EXPECT_FALSE(with(names, 'x'));          // another one than the key's
  EXPECT_FALSE(with(names + 5, 0));        // an empty key
  EXPECT_FALSE(with(names + 8, 0xff));     // a length beyond the end
  EXPECT_FALSE(with(names + 9, 'l'));      // no document
  EXPECT_FALSE(with(good.size() - 2, 1));  // a key without its NUL
  auto longer = good;
  longer.resize(push_message_ceiling + 1);
  EXPECT_FALSE(decode_push(me, longer));
  auto name = sample({});
  name.ns = std::string(256, 'n');
  EXPECT_TRUE(encode_push(them, name).empty());
}

}  // namespace
}  // namespace mongocached::cache
