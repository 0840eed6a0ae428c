#include "config/secret.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace mongocached::config {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(secret_type, prints_masked_and_reveals_on_demand) {
  const secret token{"sesame"};
  std::ostringstream out;
  out << token;
  EXPECT_EQ(out.str(), "***");
  EXPECT_EQ(to_string(token), "***");
  EXPECT_EQ(to_string(secret{}), "");
  EXPECT_EQ(token.reveal(), "sesame");
}

TEST(uri_type, prints_masked_and_reveals_on_demand) {
  const uri value{"mongodb://app:sesame@db.example"};
  std::ostringstream out;
  out << value;
  EXPECT_EQ(out.str(), "mongodb://app:***@db.example");
  EXPECT_EQ(to_string(value), "mongodb://app:***@db.example");
  EXPECT_EQ(value.reveal(), "mongodb://app:sesame@db.example");
}

TEST(mask_uri, leaves_alone_what_holds_no_password) {
  for (const auto* text : {
           "mongodb://db.example",
           "mongodb://db1.example:27017,db2.example:27018/app?replicaSet=rs0&tls=true",
           "mongodb://[::1]:27017,[fe80::1]:1/",
           "mongodb+srv://app@cluster0.example/app",
           "mongodb://%2Ftmp%2Fmongodb-27017.sock",
           "redis://127.0.0.1:6379/0",
           "rediss://cache.example",
           "none",
           "",
       }) {
    EXPECT_EQ(mask_uri(text), text);
  }
}

TEST(mask_uri, masks_the_password_and_only_it) {
  EXPECT_EQ(mask_uri("mongodb://app:sesame@db.example:27017/?authSource=admin"),
            "mongodb://app:***@db.example:27017/?authSource=admin");
  EXPECT_EQ(mask_uri("mongodb+srv://app:sesame@c0.example/app"), "mongodb+srv://app:***@c0.example/app");
  EXPECT_EQ(mask_uri("redis://:sesame@cache.example:6379/0"), "redis://:***@cache.example:6379/0");
  EXPECT_EQ(mask_uri("rediss://app:sesame@cache.example/1"), "rediss://app:***@cache.example/1");
}

TEST(mask_uri, a_lone_word_in_a_redis_uri_may_be_the_password) {
  EXPECT_EQ(mask_uri("redis://sesame@cache.example"), "redis://***@cache.example");
}

TEST(mask_uri, secret_options_are_masked) {
  EXPECT_EQ(mask_uri("mongodb://db.example/?tlsCertificateKeyFilePassword=sesame&tls=true"),
            "mongodb://db.example/?tlsCertificateKeyFilePassword=***&tls=true");
  EXPECT_THAT(mask_uri("mongodb://a:b@db.example/?authMechanismProperties=AWS_SESSION_TOKEN:sesame"),
              Not(HasSubstr("sesame")));
  EXPECT_EQ(mask_uri("redis://cache.example/0?password=sesame"), "redis://cache.example/0?password=***");
}

TEST(mask_uri, malformed_uris_do_not_show_a_part_of_the_password) {
  for (const auto* text : {
           "mongodb://app:ses@sesame@db.example",  // unescaped '@'
           "mongodb://app:x/sesame@db.example",    // unescaped '/'
           "mongodb://app:x?sesame@db.example",    // unescaped '?'
           "mongodb://app:x#sesame@db.example",
           "mongodb://app:x sesame@db.example",  // a space
           "mongodb://app:sesame",               // host forgotten
           "mongodb://app:sesame/app",
           "mongodb://app:/sesame",
           "mongodb://app: sesame",
           "mongodb://app:1234sesame",
           "mongodb://app:a://sesame",
           "mongodb://app:a://sesame@db.example",
           "mongodb://app%3Asesame@db.example",  // escaped ':'
           "mongodb://:sesame@db.example",
           "mongodb://db.example,app:sesame@db.example",
           "mongodb:/app:sesame@db.example",  // scheme broken
           "mongodb:app:sesame@db.example",
           "app:sesame@db.example",
           "app:sesame",
           "mongodbapp:sesame@db.example://",
           " sesame@db.example mongodb://db.example",
           "http://app:sesame@db.example",
           "MONGODB://app:sesame@db.example",
           "redis://sesame@cache.example",
           "redis:sesame@cache.example",
           "mongodb://app:sesame@",
           "mongodb://app:@sesame@",
       }) {
    EXPECT_THAT(mask_uri(text), Not(HasSubstr("sesame"))) << text;
  }
}

TEST(mask_uri, masking_twice_changes_nothing) {
  for (const auto* text : {"mongodb://app:sesame@db.example/?x=y", "mongodb://app:sesame", "redis://sesame@c", "a:b@c",
                           "://:@", "mongodb://a:b@c/?password=d&token=e"}) {
    EXPECT_EQ(mask_uri(mask_uri(text)), mask_uri(text));
    EXPECT_EQ(mask_text(mask_text(text)), mask_text(text));
  }
}

TEST(mask_text, masks_uris_inside_a_message_and_leaves_the_message) {
  EXPECT_EQ(mask_text("no suitable servers for 'mongodb://app:sesame@db.example:27017/': timed out"),
            "no suitable servers for 'mongodb://app:***@db.example:27017/': timed out");
  EXPECT_EQ(mask_text("cannot reach mongodb://db.example:27017: refused"),
            "cannot reach mongodb://db.example:27017: refused");
  EXPECT_EQ(mask_text("login of app@admin refused"), "login of app@admin refused");
}

TEST(mask_text, masks_every_uri_of_a_message) {
  const auto out = mask_text("from redis://:sesame@a.example:1 to mongodb://app:sesame@b.example, done");
  EXPECT_THAT(out, Not(HasSubstr("sesame")));
  EXPECT_THAT(out, HasSubstr("a.example:1 to mongodb://app:***@b.example, done"));
}

TEST(mask_text, a_password_that_holds_a_scheme_is_masked_whole) {
  EXPECT_THAT(mask_text("bad: mongodb://app:x://sesame@db.example"), Not(HasSubstr("sesame")));
}

}  // namespace
}  // namespace mongocached::config
