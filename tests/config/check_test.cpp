#include "config/check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "temp_file.hpp"

namespace mongocached::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class check_test : public testing::Test {
 protected:
  check_test() { r.settings.upstream.uri = uri{"mongodb://db.example"}; }

  std::vector<std::string> faults() {
    check_together(r, bad);
    std::vector<std::string> out;
    out.reserve(r.faults.size());
    for (const auto& f : r.faults) out.push_back(f.line);
    return out;
  }

  result r;
  std::set<std::string, std::less<>> bad;
};

TEST_F(check_test, the_defaults_agree) {
  EXPECT_THAT(faults(), IsEmpty());
  EXPECT_THAT(r.notes, IsEmpty());
}

TEST_F(check_test, certificate_and_key_need_each_other) {
  const test::temp_directory directory;
  r.settings.listen.tls_cert = directory.file("c", "");
  EXPECT_THAT(faults(), ElementsAre(StartsWith("listen.tls_key = \"\"")));
  r.faults.clear();
  std::swap(r.settings.listen.tls_cert, r.settings.listen.tls_key);
  EXPECT_THAT(faults(), ElementsAre(StartsWith("listen.tls_cert = \"\"")));
}

TEST_F(check_test, client_certificates_need_tls) {
  const test::temp_directory directory;
  r.settings.listen.tls_client_ca = directory.file("c", "");
  EXPECT_THAT(faults(), ElementsAre(StartsWith("listen.tls_cert = \"\"")));
}

TEST_F(check_test, tls_files_must_be_readable) {
  r.settings.listen.tls_cert = "/nonexistent/cert";
  r.settings.listen.tls_key = "/";
  EXPECT_THAT(faults(), ElementsAre(StartsWith("listen.tls_cert = \"/nonexistent/cert\""),
                                    StartsWith("listen.tls_key = \"/\": is a directory")));
}

TEST_F(check_test, authorities_for_redis_need_tls) {
  const test::temp_directory directory;
  r.settings.redis.tls_ca = directory.file("c", "");
  EXPECT_THAT(faults(), IsEmpty());
  EXPECT_THAT(r.notes, ElementsAre(StartsWith("redis.tls_ca has no effect")));
  r.settings.redis.uri = uri("rediss://h");
  EXPECT_THAT(faults(), IsEmpty());
  r.settings.redis.uri = uri("redis://:sesame@h");
  EXPECT_THAT(faults(),
              ElementsAre(AllOf(StartsWith("redis.uri = \"redis://"), HasSubstr("rediss"), Not(HasSubstr("sesame")))));
}

TEST_F(check_test, authorities_for_redis_must_be_readable) {
  r.settings.redis.uri = uri("rediss://h");
  r.settings.redis.tls_ca = "/nonexistent/ca";
  EXPECT_THAT(faults(), ElementsAre(StartsWith("redis.tls_ca = \"/nonexistent/ca\"")));
}

TEST_F(check_test, posing_as_a_replica_set_needs_an_address_to_advertise) {
  r.settings.listen.pose = pose_kind::replica_set;
  EXPECT_THAT(faults(), ElementsAre(StartsWith("listen.advertise = \"none\"")));
}

TEST_F(check_test, an_advertised_address_without_that_pose_is_noted) {
  r.settings.listen.advertise = endpoint{"a", 1};
  EXPECT_THAT(faults(), IsEmpty());
  EXPECT_THAT(r.notes, ElementsAre(StartsWith("listen.advertise has no effect")));
}

TEST_F(check_test, pooled_away_from_loopback_needs_a_user) {
  r.settings.upstream.auth = auth_kind::pooled;
  r.settings.listen.address.host = "0.0.0.0";
  EXPECT_THAT(faults(), ElementsAre(StartsWith("upstream.auth = \"pooled\": no [[user]]")));
}

TEST_F(check_test, pooled_without_users_on_loopback_is_noted) {
  r.settings.upstream.auth = auth_kind::pooled;
  EXPECT_THAT(faults(), IsEmpty());
  EXPECT_THAT(r.notes, ElementsAre(HasSubstr("every client on this machine")));
}

TEST_F(check_test, pooled_for_everybody_has_to_be_said_and_is_noted) {
  r.settings.upstream.auth = auth_kind::pooled;
  r.settings.listen.address.host = "0.0.0.0";
  r.settings.listen.allow_unauthenticated = true;
  EXPECT_THAT(faults(), IsEmpty());
  EXPECT_THAT(r.notes, ElementsAre(HasSubstr("everybody who can connect")));
}

TEST_F(check_test, allow_unauthenticated_without_pooled_is_noted) {
  r.settings.listen.allow_unauthenticated = true;
  EXPECT_THAT(faults(), IsEmpty());
  EXPECT_THAT(r.notes, ElementsAre(StartsWith("listen.allow_unauthenticated has no effect")));
}

TEST_F(check_test, a_user_has_one_secret) {
  r.settings.upstream.auth = auth_kind::pooled;
  r.settings.users = {{"app", secret{"x"}, false, secret{"y"}}, {"web", {}, false, secret{"y"}}, {"none", {}, false}};
  EXPECT_THAT(faults(), ElementsAre("user[1].password = ***: scram_sha_256 is set as well; allowed: one of the two",
                                    StartsWith("user[3].password is not set")));
}

TEST_F(check_test, users_without_pooled_are_noted) {
  r.settings.users = {{"app", secret{"x"}, false}};
  EXPECT_THAT(faults(), IsEmpty());
  EXPECT_THAT(r.notes, ElementsAre(StartsWith("a [[user]] without admin = true has no effect"),
                                   StartsWith("the passwords of [[user]] have no effect")));
}

TEST_F(check_test, an_administrator_without_pooled_needs_no_password) {
  r.settings.users = {{"ops", {}, true}};
  EXPECT_THAT(faults(), IsEmpty());
  EXPECT_THAT(r.notes, IsEmpty());
}

TEST_F(check_test, strict_needs_redis) {
  r.settings.cache.mode = cache_mode::strict;
  r.settings.collections.resize(2);
  r.settings.collections[1].mode = cache_mode::strict;
  EXPECT_THAT(faults(),
              ElementsAre(StartsWith("cache.mode = \"strict\""), StartsWith("collection[2].mode = \"strict\"")));
  r.faults.clear();
  r.settings.redis.uri = uri{"redis://cache.example"};
  EXPECT_THAT(faults(), IsEmpty());
}

TEST_F(check_test, side_port_and_listener_want_different_addresses) {
  r.settings.http.address = r.settings.listen.address;
  EXPECT_THAT(faults(), ElementsAre(StartsWith("http.address = ")));
  r.faults.clear();
  r.settings.http.address->port = r.settings.listen.address.port = 0;
  EXPECT_THAT(faults(), IsEmpty());
}

TEST_F(check_test, an_open_side_port_without_a_token_is_noted) {
  r.settings.http.address = endpoint{"0.0.0.0", 9217};
  EXPECT_THAT(faults(), IsEmpty());
  EXPECT_THAT(r.notes, ElementsAre(HasSubstr("http.token is not set")));
}

TEST_F(check_test, names_and_namespaces_stand_once) {
  r.settings.users = {{"app", secret{"x"}, false}, {"app", secret{"y"}, false}};
  r.settings.collections.resize(2);
  r.settings.collections[0].pattern = r.settings.collections[1].pattern = "db.c";
  EXPECT_THAT(faults(),
              ElementsAre(StartsWith("user[2].name = \"app\""), StartsWith("collection[2].namespace = \"db.c\"")));
}

TEST_F(check_test, a_cache_that_holds_nothing_is_noted) {
  r.settings.cache.memory = 0;
  EXPECT_THAT(faults(), IsEmpty());
  EXPECT_THAT(r.notes, ElementsAre(StartsWith("nothing is cached")));
}

TEST_F(check_test, little_room_for_replies_is_noted) {
  r.settings.listen.max_buffered = 1ULL << 20;
  EXPECT_THAT(faults(), IsEmpty());
  EXPECT_THAT(r.notes, ElementsAre(StartsWith("listen.max_buffered is less than two of cache.max_entry")));
}

TEST_F(check_test, keys_with_a_fault_are_not_judged_again) {
  r.settings.upstream.uri = {};
  r.settings.upstream.auth = auth_kind::pooled;
  bad = {"upstream.uri", "user"};
  EXPECT_THAT(faults(), IsEmpty());
}

// The commonest slip of all: the proxy takes MongoDB's port, and its upstream is still called by the default address.
TEST_F(check_test, mongocached_is_not_its_own_upstream) {
  for (const auto* own : {"mongodb://127.0.0.1", "mongodb://localhost/app", "mongodb://app:x@localhost:27017/?tls=true",
                          "mongodb://db.example,127.0.0.1:27017"}) {
    r.settings.upstream.uri = uri{own};
    r.faults.clear();
    EXPECT_THAT(faults(), ElementsAre(HasSubstr("mongocached itself listens on 127.0.0.1:27017"))) << own;
  }
}

// What a service manager handed over is listened on in place of listen.address, by default MongoDB's own.
TEST_F(check_test, inherited_sockets_are_judged_in_place_of_the_address) {
  r.inherited.clients = {endpoint{}, endpoint{"127.0.0.1", 27100}};
  r.settings.upstream.uri = uri{"mongodb://127.0.0.1:27017"};
  r.settings.http.address = endpoint{"127.0.0.1", 27017};
  EXPECT_THAT(faults(), IsEmpty());
  r.settings.upstream.uri = uri{"mongodb://localhost:27100"};
  r.settings.http.address = endpoint{"127.0.0.1", 27100};
  EXPECT_THAT(faults(), ElementsAre(HasSubstr("mongocached itself listens on 127.0.0.1:27100"),
                                    StartsWith("http.address = \"127.0.0.1:27100\": clients come in there")));
}

TEST_F(check_test, an_inherited_side_port_is_judged_in_place_of_its_address) {
  r.inherited.http = endpoint{"0.0.0.0", 9217};
  r.settings.http.address = r.settings.listen.address;
  EXPECT_THAT(faults(), IsEmpty());
  EXPECT_THAT(r.notes, ElementsAre(HasSubstr("http.token is not set")));
}

TEST_F(check_test, pooled_without_users_asks_where_inherited_sockets_listen) {
  r.settings.upstream.auth = auth_kind::pooled;
  r.settings.listen.address.host = "0.0.0.0";
  r.inherited.clients = {endpoint{}, endpoint{"::1", 27017}};
  EXPECT_THAT(faults(), IsEmpty());
  r.settings.listen.address.host = "127.0.0.1";
  r.inherited.clients.push_back({"192.0.2.1", 27017});
  EXPECT_THAT(faults(), ElementsAre(StartsWith("upstream.auth = \"pooled\": no [[user]]")));
}

TEST(is_own_address, compares_host_and_port) {
  const endpoint any{"0.0.0.0", 27017};
  const endpoint six{"::1", 27017};
  EXPECT_TRUE(is_own_address("mongodb://localhost", any));
  EXPECT_TRUE(is_own_address("mongodb://[::1]:27017", six));
  EXPECT_TRUE(is_own_address("mongodb://[::1]", six));
  EXPECT_FALSE(is_own_address("mongodb://localhost:27018", any));
  EXPECT_FALSE(is_own_address("mongodb://db.example", any));
  EXPECT_FALSE(is_own_address("mongodb+srv://localhost", any));
  EXPECT_FALSE(is_own_address("mongodb://localhost", endpoint{"127.0.0.1", 0}));
  EXPECT_FALSE(is_own_address("mongodb://", any));
  EXPECT_FALSE(is_own_address("mongodb://,,:,]:[", any));
}

}  // namespace
}  // namespace mongocached::config
