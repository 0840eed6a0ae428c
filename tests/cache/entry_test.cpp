#include "cache/entry.hpp"

#include <gtest/gtest.h>
#include <malloc.h>

#include <string>
#include <vector>

namespace mongocached::cache {
namespace {

entry_ref make(std::string_view key, std::string_view value, const entry_meta& meta = {}) {
  const byte_view key_bytes = protocol::as_bytes(key);
  return entry::make(key_bytes, hash_key(key_bytes), meta, protocol::as_bytes(value));
}

TEST(entry, keeps_copies_of_key_value_and_meta) {
  std::string key = "key";
  std::string value = "value";
  entry_meta meta;
  meta.kind = entry_kind::list;
  meta.level = entry_level::majority;
  meta.tail[1] = 'x';
  meta.age_ms = 3;
  meta.generation = 4;
  meta.lower = 5;
  meta.upper = 6;
  meta.expires = std::chrono::seconds{7};
  const entry_ref made = make(key, value, meta);
  key.assign("###");
  value.assign("#####");
  EXPECT_EQ(protocol::as_text(made->key()), "key");
  EXPECT_EQ(protocol::as_text(made->value()), "value");
  EXPECT_EQ(made->meta().kind, entry_kind::list);
  EXPECT_EQ(made->meta().level, entry_level::majority);
  EXPECT_EQ(made->meta().tail[1], 'x');
  EXPECT_EQ(made->meta().age_ms, 3U);
  EXPECT_EQ(made->meta().generation, 4U);
  EXPECT_EQ(made->meta().lower, 5U);
  EXPECT_EQ(made->meta().upper, 6U);
  EXPECT_EQ(made->meta().expires, std::chrono::seconds{7});
  EXPECT_EQ(made->hash(), hash_key(protocol::as_bytes("key")));
}

TEST(entry, holds_empty_keys_and_values) {
  const entry_ref made = make("", "");
  EXPECT_TRUE(made->key().empty());
  EXPECT_TRUE(made->value().empty());
}

TEST(entry, lives_as_long_as_any_reference) {
  entry_ref first = make("key", "value");
  const byte_view value = first->value();
  const entry_ref second = first;
  first = {};
  EXPECT_FALSE(first);
  EXPECT_EQ(second->value().data(), value.data());
  EXPECT_EQ(protocol::as_text(value), "value");
}

TEST(entry, reference_survives_assignment_to_itself) {
  entry_ref one = make("key", "value");
  const entry_ref& same = one;
  one = same;
  EXPECT_EQ(protocol::as_text(one->value()), "value");
}

TEST(entry, detached_reference_is_adopted_again) {
  entry_ref made = make("key", "value");
  const entry* held = made.detach();
  EXPECT_FALSE(made);
  const entry_ref back = entry_ref::adopt(held);
  EXPECT_EQ(back.get(), held);
}

TEST(entry, footprint_is_what_the_allocator_gave_and_its_header) {
  for (const std::size_t size : {0U, 1U, 100U, 5000U, 300'000U}) {
    const entry_ref made = make("key", std::string(size, 'x'));
    EXPECT_EQ(made->footprint(), malloc_usable_size(const_cast<entry*>(made.get())) + sizeof(std::size_t));
    EXPECT_GT(made->footprint(), sizeof(entry) + 3 + size);
  }
}

TEST(entry, is_found_again_by_its_hook) {
  const entry_ref made = make("key", "value");
  EXPECT_EQ(&entry::of(made->hook()), made.get());
}

TEST(hash_key, depends_on_every_byte_and_on_nothing_else) {
  const std::string one = "a longer key, so that it takes more than one round of the hash function";
  const std::vector<char> same(one.begin(), one.end());
  std::string other = one;
  other[40] = '#';
  EXPECT_EQ(hash_key(protocol::as_bytes(one)), hash_key(protocol::as_bytes({same.data(), same.size()})));
  EXPECT_NE(hash_key(protocol::as_bytes(one)), hash_key(protocol::as_bytes(other)));
}

}  // namespace
}  // namespace mongocached::cache
