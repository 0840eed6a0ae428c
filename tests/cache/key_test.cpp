#include "cache/key.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mongocached::cache {
namespace {

using namespace std::string_view_literals;

TEST(key, starts_with_kind_and_namespace) {
  byte_buffer out{1, 2, 3};
  begin_key(out, key_kind::document, "shop", "things");
  EXPECT_EQ(protocol::as_text(out), "dshop.things\0"sv);
  begin_key(out, key_kind::list, "shop", "things.old");
  EXPECT_EQ(protocol::as_text(out), "lshop.things.old\0"sv);
}

TEST(key, prefix_goes_behind_what_is_there) {
  byte_buffer out{'x'};
  append_key_prefix(out, key_kind::document, "a", "b");
  EXPECT_EQ(protocol::as_text(out), "xda.b\0"sv);
}

TEST(key, namespace_is_read_back) {
  byte_buffer out;
  begin_key(out, key_kind::document, "shop", "things");
  out.insert(out.end(), {'i', 0, 0, 1});
  EXPECT_EQ(namespace_of(out), "shop.things");
}

TEST(key, namespace_of_what_is_no_key_is_empty) {
  EXPECT_EQ(namespace_of({}), "");
  EXPECT_EQ(namespace_of(protocol::as_bytes("dshop.things")), "");
}

TEST(key, takes_names_that_the_server_takes) {
  EXPECT_TRUE(is_valid_namespace("shop", "things"));
  EXPECT_TRUE(is_valid_namespace("shop", "things.old.er"));
  EXPECT_TRUE(is_valid_namespace("sh-op_1", "\xc3\xa4 b"));
  EXPECT_TRUE(is_valid_namespace(std::string(63, 'a'), std::string(191, 'b')));
}

TEST(key, refuses_names_that_the_server_refuses) {
  EXPECT_FALSE(is_valid_namespace("", "things"));
  EXPECT_FALSE(is_valid_namespace("shop", ""));
  EXPECT_FALSE(is_valid_namespace("a.b", "c"));
  EXPECT_FALSE(is_valid_namespace("a b", "c"));
  EXPECT_FALSE(is_valid_namespace("a\0b"sv, "c"));
  EXPECT_FALSE(is_valid_namespace("a", "b\0c"sv));
  EXPECT_FALSE(is_valid_namespace("a", "$cmd"));
  EXPECT_FALSE(is_valid_namespace("a", ".b"));
  EXPECT_FALSE(is_valid_namespace(std::string(64, 'a'), "b"));
  EXPECT_FALSE(is_valid_namespace("a", std::string(254, 'b')));
}

}  // namespace
}  // namespace mongocached::cache
