#include "cache/store/redis_keys.hpp"

#include <gtest/gtest.h>

namespace mongocached::cache {
namespace {

TEST(RedisKeys, AreAsDocumented) {
  redis_keys keys("mcd", "c1");
  EXPECT_EQ(keys.epoch(), "mcd:2:c1:epoch");
  // The hash must be the same in every process and release: these are XXH3-128 of "db.c" and of "key".
  const auto hash = redis_hash(protocol::as_bytes("key"));
  const std::string text(as_text(hash));
  EXPECT_EQ(keys.value(hash), "mcd:2:c1:v:{" + text + "}");
  EXPECT_EQ(keys.record(hash), "mcd:2:c1:r:{" + text + "}");
  const std::string ns(as_text(redis_hash(protocol::as_bytes("db.c"))));
  EXPECT_EQ(keys.generation(key_kind::document, "db.c"), "mcd:2:c1:g:d:" + ns);
  EXPECT_EQ(keys.mark(), "mcd:2:c1:mark");
  EXPECT_EQ(keys.push(), "mcd:2:c1:push");
  EXPECT_EQ(keys.pending("db.c"), "mcd:2:c1:p:" + ns);
  EXPECT_EQ(keys.generation(key_kind::list, "db.c"), "mcd:2:c1:g:l:" + ns);
}

TEST(RedisKeys, TheHashIsFixedForEver) {
  EXPECT_EQ(as_text(redis_hash({})), "99aa06d3014798d86001c324468d497f");  // XXH3_128bits("")
  EXPECT_NE(redis_hash(protocol::as_bytes("a")), redis_hash(protocol::as_bytes("b")));
}

TEST(RedisKeys, TimesCompareAsTextAsTheyDoAsNumbers) {
  const std::array<cluster_time, 6> times = {0, 1, 0xff, 0x100, 0x7fffffffffffffff, 0xffffffffffffffff};
  for (std::size_t i = 0; i < times.size(); ++i) {
    EXPECT_EQ(time_from_hex(as_text(to_hex(times[i]))), times[i]);
    for (std::size_t j = 0; j < i; ++j) EXPECT_LT(as_text(to_hex(times[j])), as_text(to_hex(times[i])));
  }
}

TEST(RedisKeys, HexIsReadStrictly) {
  const std::array<std::uint8_t, 16> name = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0xcd, 0xef, 0xff};
  EXPECT_EQ(bytes_from_hex(as_text(to_hex(name))), name);
  EXPECT_EQ(bytes_from_hex("hold"), std::nullopt);
  EXPECT_EQ(bytes_from_hex(std::string(31, '0')), std::nullopt);
  EXPECT_EQ(bytes_from_hex(std::string(32, 'g')), std::nullopt);
  EXPECT_EQ(time_from_hex("000000000000000"), std::nullopt);
  EXPECT_EQ(time_from_hex("-000000000000001"), std::nullopt);
  EXPECT_EQ(time_from_hex("00000000000000zz"), std::nullopt);
}

}  // namespace
}  // namespace mongocached::cache
