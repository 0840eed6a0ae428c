#include "daemon/side_port_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mongocached::daemon {
namespace {

side_request get(std::string_view target) {
  side_request out;
  out.method = "GET";
  out.target = target;
  out.host = "127.0.0.1:9217";
  return out;
}

side_request post(std::string_view target) {
  side_request out = get(target);
  out.method = "POST";
  return out;
}

const side_policy local;
const side_policy local_with_token{"s3cret", "", true};
const side_policy open_to_all{"", "0.0.0.0", false};
const side_policy open_with_token{"s3cret", "0.0.0.0", false};

unsigned status(const side_request& request, const side_policy& policy = local) {
  return decide(request, policy).status;
}

TEST(SidePortRules, PathsAndMethods) {
  for (const char* const path : {"/metrics", "/healthz", "/readyz", "/status"}) {
    EXPECT_EQ(status(get(path)), 200U) << path;
    const auto refused = decide(post(path), local);
    EXPECT_EQ(refused.status, 405U);
    EXPECT_STREQ(refused.allow, "GET, HEAD");
  }
  side_request head = get("/metrics");
  head.method = "HEAD";
  EXPECT_EQ(status(head), 200U);
  EXPECT_EQ(status(post("/flush")), 200U);
  EXPECT_STREQ(decide(get("/flush"), local).allow, "POST");
  side_request preflight = post("/flush");
  preflight.method = "OPTIONS";
  EXPECT_EQ(status(preflight), 405U);
}

TEST(SidePortRules, AnythingElseIsNotFound) {
  for (const char* const path : {"", "/", "/Metrics", "/metrics/", "/metrics/../status", "/%6detrics",
                                 "https://x/metrics", "http://x", "http://x?/metrics", "*", "/flush2"}) {
    EXPECT_EQ(status(get(path)), 404U) << path;
  }
  EXPECT_EQ(status(get("/metrics?name[]=x")), 200U);
}

TEST(SidePortRules, TheAbsoluteFormIsServed) {
  EXPECT_EQ(status(get("http://x/healthz")), 200U);
  EXPECT_EQ(status(get("HTTP://localhost:9217/metrics?name[]=x")), 200U);
  EXPECT_EQ(decide(post("http://[::1]:9217/invalidate?ns=a.b"), local).invalidate.ns, "a.b");
  for (const char* const target : {"http:///metrics", "http://:9217/metrics", "http://u@127.0.0.1/metrics"}) {
    EXPECT_EQ(status(get(target)), 400U) << target;
  }
}

// A page whose name resolves to this machine, through a proxy that names it in the target.
TEST(SidePortRules, TheAuthorityOfTheAbsoluteFormReplacesTheHost) {
  EXPECT_EQ(status(get("http://evil.example/status")), 403U);
  EXPECT_EQ(status(post("http://evil.example/flush")), 403U);
  side_request r = post("http://127.0.0.1:9217/flush");
  r.host = "evil.example";
  EXPECT_EQ(status(r), 200U);
  r.origin = "http://evil.example";
  EXPECT_EQ(status(r), 403U);
}

TEST(SidePortRules, InvalidateReadsItsQuery) {
  const auto d = decide(post("/invalidate?ns=sample_mflix.movies&id=%7B%22%24oid%22%3A%22a%2Bb%22%7D"), local);
  EXPECT_EQ(d.status, 200U);
  EXPECT_EQ(d.invalidate.ns, "sample_mflix.movies");
  EXPECT_EQ(d.invalidate.id_json, R"({"$oid":"a+b"})");
  EXPECT_FALSE(decide(post("/invalidate?ns=a.b"), local).invalidate.id_json);
  EXPECT_EQ(decide(post("/invalidate?ns=a.b&id=%22x+y%22"), local).invalidate.id_json, "\"x+y\"");
}

TEST(SidePortRules, InvalidateRefusesWhatIsNoQuery) {
  for (const char* const query : {"",
                                  "?",
                                  "?id=1",
                                  "?ns=",
                                  "?ns=a",
                                  "?ns=.a",
                                  "?ns=a.",
                                  "?ns=a.b&ns=c.d",
                                  "?ns=a.b&id=1&id=2",
                                  "?ns=a.b&x=1",
                                  "?ns=a.b&id=",
                                  "?ns=a.b%",
                                  "?ns=a.b%4",
                                  "?ns=a.b%zz",
                                  "?ns=a.b%+1",
                                  "?ns=a.b%00",
                                  "?ns=a.b%0a",
                                  "?ns=a.b&id=%00",
                                  "?ns",
                                  "?ns=a.b&&"}) {
    EXPECT_EQ(status(post(std::string("/invalidate") + query)), 400U) << query;
  }
  EXPECT_EQ(status(post("/invalidate?ns=a." + std::string(300, 'x'))), 400U);
}

TEST(SidePortRules, CrossSiteRequestsAreRefused) {
  for (const char* const site : {"cross-site", "same-site", ""}) {
    side_request r = post("/flush");
    r.sec_fetch_site = site;
    EXPECT_EQ(status(r), 403U) << site;
  }
  for (const char* const site : {"same-origin", "none"}) {
    side_request r = post("/flush");
    r.sec_fetch_site = site;
    EXPECT_EQ(status(r), 200U) << site;
  }
  for (const char* const origin :
       {"http://evil.example", "null", "", "http://127.0.0.1", "http://127.0.0.1:9218", "file://"}) {
    side_request r = post("/flush");
    r.origin = origin;
    EXPECT_EQ(status(r), 403U) << origin;
  }
  side_request same = post("/flush");
  same.origin = "http://127.0.0.1:9217";
  EXPECT_EQ(status(same), 200U);
  same.host.reset();
  EXPECT_EQ(status(same), 403U);
}

TEST(SidePortRules, CrossSiteRequestWithTheTokenIsRefusedToo) {
  side_request r = post("/flush");
  r.authorization = "Bearer s3cret";
  r.sec_fetch_site = "cross-site";
  EXPECT_EQ(status(r, local_with_token), 403U);
}

TEST(SidePortRules, ReboundNameReadsAndChangesNothing) {
  for (const char* const host :
       {"evil.example", "evil.example:9217", "127.0.0.1.evil.example:9217", "localhost.evil.example", "", "[evil]:1"}) {
    side_request change = post("/flush");
    change.host = host;
    EXPECT_EQ(status(change), 403U) << host;
    side_request read = get("/status");
    read.host = host;
    EXPECT_EQ(status(read), 403U) << host;
    side_request scrape = get("/metrics");
    scrape.host = host;
    EXPECT_EQ(status(scrape), 200U) << host;
  }
  for (const char* const host : {"localhost", "LocalHost:9217", "127.0.0.1", "[::1]:9217", "192.0.2.1:80"}) {
    side_request r = post("/flush");
    r.host = host;
    EXPECT_EQ(status(r), 200U) << host;
  }
  side_request named = post("/flush");
  named.host = "db-proxy:9217";
  EXPECT_EQ(status(named, {"", "db-proxy", true}), 200U);
}

TEST(SidePortRules, TokenIsNeededWhereOneIsSet) {
  EXPECT_EQ(status(post("/flush"), local_with_token), 401U);
  for (const char* const value :
       {"Bearer s3cre", "Bearer s3cret2", "Bearer", "Bearer ", "Basic s3cret", "s3cret", "Bearer S3CRET", ""}) {
    side_request r = post("/flush");
    r.authorization = value;
    EXPECT_EQ(status(r, local_with_token), 401U) << value;
  }
  side_request r = post("/flush");
  r.authorization = "bearer  s3cret";
  EXPECT_EQ(status(r, local_with_token), 200U);
  r.host = "proxy.internal";  // who knows the token may use any name
  EXPECT_EQ(status(r, local_with_token), 200U);
  EXPECT_EQ(status(get("/status"), local_with_token), 200U);
}

TEST(SidePortRules, OtherAddressesAnswerThreePathsWithoutAToken) {
  for (const side_policy& policy : {open_to_all, open_with_token}) {
    EXPECT_EQ(status(get("/metrics"), policy), 200U);
    EXPECT_EQ(status(get("/healthz"), policy), 200U);
    EXPECT_EQ(status(get("/readyz"), policy), 200U);
  }
  EXPECT_EQ(status(get("/status"), open_to_all), 403U);
  EXPECT_EQ(status(post("/flush"), open_to_all), 403U);
  side_request blind = post("/flush");
  blind.authorization = "Bearer ";
  EXPECT_EQ(status(blind, open_to_all), 403U);
  EXPECT_EQ(status(get("/status"), open_with_token), 401U);
  side_request known = get("/status");
  known.authorization = "Bearer s3cret";
  EXPECT_EQ(status(known, open_with_token), 200U);
}

TEST(SidePortRules, RepeatedHeadersAreRefused) {
  side_request r = post("/flush");
  r.repeated = true;
  EXPECT_EQ(status(r), 400U);
}

TEST(SidePortRules, ConstantTimeComparisonComparesAll) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abcabc"));
  EXPECT_FALSE(equal_in_constant_time("abcabc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("a", ""));
  EXPECT_FALSE(equal_in_constant_time("", "a"));
}

}  // namespace
}  // namespace mongocached::daemon
