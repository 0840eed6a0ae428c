#include "protocol/bson_builder.hpp"

#include <bson/bson.h>
#include <gtest/gtest.h>

#include "random_documents.hpp"
#include "support/message_builders.hpp"

namespace mongocached::protocol {
namespace {

using test_support::field_in;
using test_support::must;

byte_view bytes_of(const bson_t& document) {
  return {bson_get_data(&document), document.len};
}

TEST(bson_builder, builds_what_libbson_builds) {
  const std::uint8_t id[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  byte_buffer out;
  {
    bson_builder b(out);
    b.append_double("d", 1.5);
    b.append_string("s", "text");
    b.append_bool("b", true);
    b.append_int32("i", -1);
    b.append_int64("l", 1LL << 40);
    b.append_date("t", 1234);
    b.append_timestamp("ts", (5ULL << 32) | 3);
    b.append_object_id("o", id);
    b.append_binary("bin", 4, id);
    auto inner = b.open_document("doc");
    auto list = inner.open_array("list");
    list.append_int32("0", 7);
  }
  bson_oid_t oid;
  bson_oid_init_from_data(&oid, id);
  bson_t* expected =
      BCON_NEW("d", BCON_DOUBLE(1.5), "s", "text", "b", BCON_BOOL(true), "i", BCON_INT32(-1), "l",
               BCON_INT64(1LL << 40), "t", BCON_DATE_TIME(1234), "ts", BCON_TIMESTAMP(5, 3), "o", BCON_OID(&oid), "bin",
               BCON_BIN(BSON_SUBTYPE_UUID, id, 12), "doc", "{", "list", "[", BCON_INT32(7), "]", "}");
  EXPECT_TRUE(equal(out, bytes_of(*expected)));
  bson_destroy(expected);
}

TEST(bson_builder, copies_any_document_element_by_element) {
  test_support::random_source random(1);
  for (int i = 0; i < 500; ++i) {
    const auto original = test_support::random_document(random);
    byte_buffer copy;
    {
      bson_builder b(copy);
      bson_element element;
      for (bson_cursor cursor(must(bson_view::parse(original))); cursor.next(element);) b.append(element);
    }
    ASSERT_TRUE(equal(original, copy)) << "round " << i;
  }
}

TEST(bson_builder, appends_behind_what_is_there) {
  byte_buffer out{42};
  bson_builder(out).finish();
  EXPECT_EQ(out, (byte_buffer{42, 5, 0, 0, 0, 0}));
}

TEST(bson_builder, finish_twice_is_finish_once) {
  byte_buffer out;
  bson_builder b(out);
  b.finish();
  b.finish();
  EXPECT_EQ(out.size(), 5U);
}

TEST(bson_builder, a_moved_from_builder_writes_nothing) {
  byte_buffer out;
  {
    bson_builder first(out);
    bson_builder second(std::move(first));
  }
  EXPECT_EQ(out, (byte_buffer{5, 0, 0, 0, 0}));
}

TEST(bson_builder, append_as_renames) {
  byte_buffer from;
  bson_builder source(from);
  source.append_int32("a", 1);
  source.finish();
  byte_buffer to;
  {
    bson_builder b(to);
    b.append_as("longer", field_in(must(bson_view::parse(from)), "a"));
  }
  EXPECT_EQ(field_in(must(bson_view::parse(to)), "longer").integer(), 1);
}

}  // namespace
}  // namespace mongocached::protocol
