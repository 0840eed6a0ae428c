#include "protocol/compression_offer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/message_builders.hpp"

namespace mongocached::protocol {
namespace {

using namespace test_support;  // NOLINT: tests read as JSON
using ::testing::ElementsAre;
using ::testing::IsEmpty;

compressor_list list(std::initializer_list<compressor> all) {
  compressor_list out;
  for (const auto one : all) out.add(one);
  return out;
}

TEST(CompressorList, holds_each_once_in_the_order_given) {
  const auto some = list({compressor::zstd, compressor::none, compressor::zlib, compressor::zstd, compressor::snappy});
  EXPECT_THAT(some.all(), ElementsAre(compressor::zstd, compressor::zlib, compressor::snappy));
}

TEST(CompressorList, is_read_from_a_hello_and_from_its_reply) {
  const auto in = [](const value& field) { return compressor_list::in(document{{"compression", field}}.view()); };
  EXPECT_THAT(in(array{"zlib", "lz4", 5, "zlib", "snappy"}).all(), ElementsAre(compressor::zlib, compressor::snappy));
  EXPECT_THAT(in("zlib").all(), IsEmpty());
  EXPECT_THAT(in(document{{"0", "zlib"}}).all(), IsEmpty());
  EXPECT_THAT(compressor_list::in(document().view()).all(), IsEmpty());
}

TEST(CompressorList, what_both_have_is_in_the_order_of_ours) {
  const auto ours = list({compressor::zstd, compressor::snappy, compressor::zlib});
  EXPECT_THAT(ours.also_in(list({compressor::zlib, compressor::zstd})).all(),
              ElementsAre(compressor::zstd, compressor::zlib));
  EXPECT_TRUE(ours.also_in({}).empty());
  EXPECT_TRUE(compressor_list{}.also_in(ours).empty());
}

TEST(CompressorList, is_no_field_where_it_is_empty) {
  const auto written = [](const compressor_list& some) {
    byte_buffer out;
    bson_builder hello(out);
    some.append_to(hello);
    hello.finish();
    return out;
  };
  EXPECT_EQ(written(list({compressor::zlib, compressor::snappy})),
            (document{{"compression", array{"zlib", "snappy"}}}.bytes()));
  EXPECT_EQ(written({}), document().bytes());
}

TEST(CompressionOffer, what_is_secret_may_not_be_compressed) {
  for (const auto* name : {"hello", "isMaster", "ismaster", "saslStart", "saslContinue", "getnonce", "authenticate",
                           "createUser", "updateUser", "copydbSaslStart", "copydbgetnonce", "copydb", ""}) {
    EXPECT_FALSE(may_be_compressed(name)) << name;
  }
  for (const auto* name : {"find", "ping", "dropUser", "createUsers"}) EXPECT_TRUE(may_be_compressed(name)) << name;
}

}  // namespace
}  // namespace mongocached::protocol
