#include "cache/store/redis_uri.hpp"

#include <gmock/gmock.h>

#include <stdexcept>

namespace mongocached::cache {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string error_of(std::string_view text) {
  try {
    (void)parse_redis_uri(text);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(RedisUri, HostAloneTakesTheDefaults) {
  const auto uri = parse_redis_uri("redis://cache.example");
  EXPECT_FALSE(uri.tls);
  EXPECT_EQ(uri.host, "cache.example");
  EXPECT_EQ(uri.port, 6379);
  EXPECT_EQ(uri.database, 0u);
  EXPECT_TRUE(uri.user.empty());
  EXPECT_TRUE(uri.password.empty());
}

TEST(RedisUri, EveryPart) {
  const auto uri = parse_redis_uri("rediss://app:p%40ss%2Fw%3Ard@10.0.0.7:6380/12");
  EXPECT_TRUE(uri.tls);
  EXPECT_EQ(uri.user, "app");
  EXPECT_EQ(uri.password, "p@ss/w:rd");
  EXPECT_EQ(uri.host, "10.0.0.7");
  EXPECT_EQ(uri.port, 6380);
  EXPECT_EQ(uri.database, 12u);
  EXPECT_EQ(uri.address(), "10.0.0.7:6380");
}

TEST(RedisUri, PasswordWithoutUser) {
  const auto uri = parse_redis_uri("redis://:secret@h/");
  EXPECT_TRUE(uri.user.empty());
  EXPECT_EQ(uri.password, "secret");
  EXPECT_EQ(uri.database, 0u);
}

TEST(RedisUri, Ipv6StandsInBrackets) {
  const auto uri = parse_redis_uri("redis://[2001:db8::7]:7000/1");
  EXPECT_EQ(uri.host, "2001:db8::7");
  EXPECT_EQ(uri.port, 7000);
  EXPECT_EQ(uri.address(), "[2001:db8::7]:7000");
  EXPECT_EQ(parse_redis_uri("redis://[::1]").port, 6379);
  EXPECT_THAT(error_of("redis://2001:db8::7"), HasSubstr("IPv6"));
  EXPECT_THAT(error_of("redis://[::1"), HasSubstr("not closed"));
  EXPECT_THAT(error_of("redis://[::1]7000"), HasSubstr("only :port"));
}

TEST(RedisUri, RefusesWhatItIsNot) {
  for (const auto* text : {"",
                           "redis",
                           "http://h",
                           "redis://",
                           "redis:///0",
                           "redis://:6379",
                           "redis://h:",
                           "redis://h:0",
                           "redis://h:65536",
                           "redis://h:6x",
                           "redis://h:-1",
                           "redis://h/x",
                           "redis://h/-1",
                           "redis://h/0/1",
                           "redis://h?db=1",
                           "redis://h h",
                           "redis://user@h",
                           "redis://user:@h",
                           "redis://u:%4@h",
                           "redis://u:%zz@h"}) {
    EXPECT_THAT(error_of(text), ::testing::Ne("accepted")) << text;
  }
}

TEST(RedisUri, NoErrorShowsAPassword) {
  for (const auto* text : {"redis://app:hunter2@", "redis://app:hunter2@h:bad", "redis://app:hunter2%@h",
                           "redis://app:hunter2@h/x", "redis://app:hunter2@[::1", "http://app:hunter2@h",
                           "redis://app:hunter2?@h", "redis://app:h/hunter2@:1", "redis://app:x@hunter2@"}) {
    EXPECT_THAT(error_of(text), Not(HasSubstr("hunter2"))) << text;
    EXPECT_THAT(error_of(text), Not(HasSubstr("accepted"))) << text;
  }
  EXPECT_THAT(parse_redis_uri("redis://app:hunter2@h").address(), Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace mongocached::cache
