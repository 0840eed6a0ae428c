#include "daemon/status.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mongocached::daemon {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string status_with(config::settings settings) {
  logger log(config::log_level::error, config::log_format::text);
  process shared(std::make_shared<const config::settings>(std::move(settings)), log, 1);
  const std::vector<std::unique_ptr<data_thread>> none;
  return status_json({.version = "1.2.3",
                      .shared = shared,
                      .threads = none,
                      .upstream = std::make_shared<upstream_snapshot>(),
                      .stream = std::nullopt,
                      .redis_state = "none"});
}

TEST(Status, shows_every_setting) {
  config::settings s;
  s.listen.threads = 3;
  s.upstream.uri = config::uri("mongodb://a");
  s.upstream.pool_size = 7;
  s.redis.key_prefix = "mine";
  config::collection_rule first;
  first.pattern = "shop.*";
  first.mode = config::cache_mode::ttl;
  config::collection_rule second;
  second.pattern = "shop.things";
  second.enabled = false;
  s.collections = {first, second};
  EXPECT_THAT(status_with(s), AllOf(HasSubstr(R"("threads":"3")"), HasSubstr(R"("pose":"mongos")"),
                                    HasSubstr(R"("auth":"passthrough","pool_size":"7")"),
                                    HasSubstr(R"("key_prefix":"mine")"), HasSubstr(R"("format":"text")")));
  EXPECT_THAT(status_with(s), HasSubstr(R"("collection":[{"namespace":"shop.*","mode":"ttl"},)"
                                        R"({"namespace":"shop.things","enabled":"false"}])"));
}

TEST(Status, shows_no_secret) {
  config::settings s;
  s.upstream.uri = config::uri("mongodb://app:hunter2@a/?tlsCertificateKeyFilePassword=hunter2");
  s.redis.uri = config::uri("redis://:hunter2@h");
  s.http.token = config::secret("hunter2");
  s.users = {{"app", config::secret("hunter2"), true}, {"ops", {}, false, config::secret("hunter2")}};
  const auto text = status_with(s);
  EXPECT_THAT(text, Not(HasSubstr("hunter2")));
  EXPECT_THAT(text, HasSubstr(R"("token":"***")"));
  EXPECT_THAT(text, HasSubstr(R"("user":[{"name":"app","password":"***","admin":"true"},)"));
}

TEST(Status, tells_how_stale_an_answer_may_be_with_the_upstream_away) {
  config::settings s;
  s.cache.serve_stale_on_error = std::chrono::minutes(1);
  EXPECT_THAT(status_with(s), HasSubstr(R"("serve_stale_on_error_ms":60000,"ttl_ms")"));
}

}  // namespace
}  // namespace mongocached::daemon
