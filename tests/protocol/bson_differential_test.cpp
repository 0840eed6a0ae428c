// bson_view against libbson: the same bytes are accepted, and the same elements are seen in them. Known differences are
// listed in libbson_reference.hpp.
#include <gtest/gtest.h>

#include "libbson_reference.hpp"
#include "protocol/bson_view.hpp"
#include "random_documents.hpp"
#include "support/message_builders.hpp"

namespace mongocached::protocol {
namespace {

using namespace test_support;

bool ours_accepts(byte_view bytes) {
  const auto view = bson_view::parse(bytes);
  return view && view->validate();
}

// Both walks see the same types, names and, where libbson gives them as they are, values.
void expect_same_elements(const bson_t& theirs, bson_view ours) {
  bson_iter_t iter;
  ASSERT_TRUE(bson_iter_init(&iter, &theirs));
  bson_cursor cursor(ours);
  bson_element element;
  while (bson_iter_next(&iter)) {
    ASSERT_TRUE(cursor.next(element));
    EXPECT_EQ(static_cast<unsigned>(element.type), static_cast<unsigned>(bson_iter_type(&iter)));
    EXPECT_EQ(element.name, bson_iter_key(&iter));
    if (BSON_ITER_HOLDS_INT32(&iter)) {
      EXPECT_EQ(element.integer(), bson_iter_int32(&iter));
    }
    if (BSON_ITER_HOLDS_INT64(&iter)) {
      EXPECT_EQ(element.integer(), bson_iter_int64(&iter));
    }
    if (BSON_ITER_HOLDS_DOUBLE(&iter)) {
      EXPECT_EQ(element.number(), bson_iter_double(&iter));
    }
    if (BSON_ITER_HOLDS_BOOL(&iter)) {
      EXPECT_EQ(element.truthy(), bson_iter_bool(&iter));
    }
    if (BSON_ITER_HOLDS_UTF8(&iter)) {
      std::uint32_t size = 0;
      const auto* text = bson_iter_utf8(&iter, &size);
      EXPECT_EQ(element.text(), std::string_view(text, size));
    }
    if (BSON_ITER_HOLDS_DOCUMENT(&iter) || BSON_ITER_HOLDS_ARRAY(&iter)) {
      bson_t inner;
      ASSERT_TRUE(sub_document(iter, inner));
      ASSERT_TRUE(element.document());
      expect_same_elements(inner, must(element.document()));
    }
  }
  EXPECT_FALSE(cursor.next(element));
  EXPECT_FALSE(cursor.failed());
}

TEST(bson_against_libbson, accepts_every_document_that_libbson_builds) {
  random_source random(1);
  for (int i = 0; i < 3000; ++i) {
    const auto bytes = random_document(random);
    ASSERT_TRUE(ours_accepts(bytes)) << "round " << i;
  }
}

TEST(bson_against_libbson, sees_the_same_elements) {
  random_source random(2);
  for (int i = 0; i < 1000; ++i) {
    const auto bytes = random_document(random);
    bson_t theirs;
    ASSERT_TRUE(bson_init_static(&theirs, bytes.data(), bytes.size()));
    expect_same_elements(theirs, must(bson_view::parse(bytes)));
    ASSERT_FALSE(HasFailure()) << "round " << i;
  }
}

TEST(bson_against_libbson, agrees_on_damaged_documents) {
  random_source random(3);
  int accepted = 0;
  int refused = 0;
  for (int i = 0; i < 30000; ++i) {
    auto bytes = random_document(random, 2);
    damage(bytes, random);
    const exact_copy copy(bytes);
    const auto ours = ours_accepts(copy.view());
    if (ours && holds_old_binary(must(bson_view::parse(copy.view())))) continue;
    ASSERT_EQ(ours, libbson_accepts(copy.view())) << "round " << i << ": " << testing::PrintToString(bytes);
    ++(ours ? accepted : refused);
  }
  EXPECT_GT(accepted, 1000);
  EXPECT_GT(refused, 1000);
}

TEST(bson_against_libbson, agrees_on_every_truncation) {
  random_source random(4);
  for (int i = 0; i < 100; ++i) {
    const auto whole = random_document(random, 2);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      // With the length field as it was, and with one that suits the shorter text.
      auto bytes = byte_buffer(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      const exact_copy as_it_was(bytes);
      EXPECT_FALSE(ours_accepts(as_it_was.view()));
      if (size < 5) continue;
      store_le(bytes.data(), static_cast<std::int32_t>(size));
      bytes.back() = 0;
      const exact_copy adjusted(bytes);
      const auto ours = ours_accepts(adjusted.view());
      if (ours && holds_old_binary(must(bson_view::parse(adjusted.view())))) continue;
      ASSERT_EQ(ours, libbson_accepts(adjusted.view())) << testing::PrintToString(bytes);
    }
  }
}

}  // namespace
}  // namespace mongocached::protocol
