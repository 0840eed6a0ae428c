#include "config/value.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace mongocached::config {
namespace {

using namespace std::chrono_literals;

constexpr value_spec any_time{value_kind::time, 0, std::numeric_limits<std::int64_t>::max()};
constexpr value_spec any_size{value_kind::size, 0, std::numeric_limits<std::int64_t>::max()};
constexpr value_spec small_integer{value_kind::integer, 1, 1024};

raw_value text(std::string value) {
  raw_value out;
  out.text = std::move(value);
  return out;
}

raw_value number(double value) {
  raw_value out;
  out.written_as = raw_value::type::number;
  out.number = value;
  return out;
}

raw_value integer(std::int64_t value) {
  raw_value out;
  out.written_as = raw_value::type::integer;
  out.integer = value;
  return out;
}

raw_value string(std::string value) {
  auto out = text(std::move(value));
  out.written_as = raw_value::type::string;
  return out;
}

template <class T>
std::optional<T> as(const value_spec& spec, const raw_value& raw) {
  const auto parsed = parse(spec, raw);
  EXPECT_EQ(parsed.why.empty(), parsed.result.has_value());
  if (!parsed.result) return std::nullopt;
  return std::get<T>(*parsed.result);
}

std::string why(const value_spec& spec, const raw_value& raw) {
  return parse(spec, raw).why;
}

TEST(value, durations_have_units) {
  EXPECT_EQ(as<duration>(any_time, text("10s")), 10s);
  EXPECT_EQ(as<duration>(any_time, text("20ms")), 20ms);
  EXPECT_EQ(as<duration>(any_time, text("5m")), 5min);
  EXPECT_EQ(as<duration>(any_time, text("1h")), 1h);
  EXPECT_EQ(as<duration>(any_time, text("2d")), 48h);
  EXPECT_EQ(as<duration>(any_time, text("7us")), 7us);
  EXPECT_EQ(as<duration>(any_time, text("9ns")), 9ns);
  EXPECT_EQ(as<duration>(any_time, text("5 s")), 5s);
  EXPECT_EQ(as<duration>(any_time, text("0s")), 0s);
  EXPECT_EQ(as<duration>(any_time, text("0")), 0s);
  EXPECT_EQ(as<duration>(any_time, integer(0)), 0s);
}

TEST(value, a_duration_without_unit_sign_or_sense_is_refused) {
  for (const auto* bad :
       {"", "5", "s", "-5s", "+5s", "1.5s", "5 minutes", "5S", "5m5s", "5  s", " 5s", "5s ", "0x5s", "1e3s"}) {
    EXPECT_NE(why(any_time, text(bad)), "") << bad;
  }
  EXPECT_EQ(why(any_time, integer(5)), "has no unit");
  EXPECT_NE(why(any_time, number(0.5)), "");
}

TEST(value, sizes_have_units) {
  EXPECT_EQ(as<std::uint64_t>(any_size, text("256MiB")), 256ULL << 20);
  EXPECT_EQ(as<std::uint64_t>(any_size, text("64KiB")), 64ULL << 10);
  EXPECT_EQ(as<std::uint64_t>(any_size, text("1GB")), 1'000'000'000ULL);
  EXPECT_EQ(as<std::uint64_t>(any_size, text("2TiB")), 2ULL << 40);
  EXPECT_EQ(as<std::uint64_t>(any_size, text("1000B")), 1000ULL);
  EXPECT_EQ(as<std::uint64_t>(any_size, text("0")), 0ULL);
  EXPECT_EQ(as<std::uint64_t>(any_size, integer(0)), 0ULL);
  for (const auto* bad : {"", "1024", "1 Mi", "1mib", "1MIB", "-1MiB", "1.5GiB", "MiB", "1PB"}) {
    EXPECT_NE(why(any_size, text(bad)), "") << bad;
  }
}

TEST(value, numbers_past_what_fits_are_too_big_and_never_wrap) {
  for (const auto* huge : {"18446744073709551615s", "18446744073709551616s", "9223372036855s000",
                           "99999999999999999999999999999999d", "9223372037s", "106752d"}) {
    EXPECT_NE(why(any_time, text(huge)), "") << huge;
  }
  EXPECT_EQ(as<duration>(any_time, text("9223372036854775807ns")), duration::max());
  EXPECT_EQ(why(any_time, text("9223372036854775808ns")), "is too big");
  for (const auto* huge : {"8388608TiB", "18446744073709551615B", "18446744073709551616B", "18014398509481984KiB"}) {
    EXPECT_EQ(why(any_size, text(huge)), "is too big") << huge;
  }
  EXPECT_EQ(why(small_integer, text("18446744073709551617")), "is too big");
  EXPECT_EQ(why(small_integer, text(std::string(100'000, '9'))), "is too big");
  EXPECT_EQ(why(small_integer, integer(std::numeric_limits<std::int64_t>::max())), "is too big");
  EXPECT_EQ(why(small_integer, integer(std::numeric_limits<std::int64_t>::min())), "is too small");
}

TEST(value, limits_are_included) {
  EXPECT_EQ(as<std::uint64_t>(small_integer, text("1")), 1ULL);
  EXPECT_EQ(as<std::uint64_t>(small_integer, text("1024")), 1024ULL);
  EXPECT_EQ(why(small_integer, text("0")), "is too small");
  EXPECT_EQ(why(small_integer, text("1025")), "is too big");
}

TEST(value, a_size_that_has_no_choice_is_told_as_it_is) {
  EXPECT_EQ(allowed({value_kind::size, 0, 0}), "\"0\"");
  EXPECT_THAT(allowed({value_kind::size, 0, 1024}), ::testing::StartsWith("a size from 0 to 1KiB"));
}

TEST(value, a_share_is_a_number_from_0_to_1) {
  constexpr value_spec share{value_kind::share};
  EXPECT_EQ(as<double>(share, text("0.0001")), 0.0001);
  EXPECT_EQ(as<double>(share, text("1e-4")), 0.0001);  // as in TOML
  EXPECT_EQ(as<double>(share, text("0")), 0.0);
  EXPECT_EQ(as<double>(share, integer(1)), 1.0);
  EXPECT_EQ(as<double>(share, number(1e-4)), 0.0001);
  EXPECT_FALSE(std::signbit(as<double>(share, number(-0.0)).value_or(-1)));
  for (const auto* bad : {"", "nan", "inf", "-0.1", "1.1", "1e999", "0.5x", "10%", "0,5"}) {
    EXPECT_NE(why(share, text(bad)), "") << bad;
  }
  EXPECT_NE(why(share, number(std::numeric_limits<double>::quiet_NaN())), "");
  EXPECT_NE(why(share, number(std::numeric_limits<double>::infinity())), "");
  EXPECT_NE(why(share, integer(2)), "");
}

TEST(value, an_endpoint_is_host_and_port) {
  constexpr value_spec spec{value_kind::listen_endpoint};
  EXPECT_EQ(as<endpoint>(spec, text("127.0.0.1:27017")), (endpoint{"127.0.0.1", 27017}));
  EXPECT_EQ(as<endpoint>(spec, text("[::1]:0")), (endpoint{"::1", 0}));
  EXPECT_EQ(as<endpoint>(spec, text("[fe80::1%eth0]:65535")), (endpoint{"fe80::1%eth0", 65535}));
  EXPECT_EQ(as<endpoint>(spec, text("db.example:1")), (endpoint{"db.example", 1}));
  for (const auto* bad :
       {"", ":", ":27017", "host", "host:", "host:65536", "host:-1", "host:27017x", "::1:27017", "[::1]", "[::1:27017",
        "[]:1", "[::1]27017", "ho st:1", "host:99999999999999999999", "http://host:1", "a@b:1"}) {
    EXPECT_NE(why(spec, text(bad)), "") << bad;
  }
}

TEST(value, a_public_endpoint_needs_a_port_and_may_be_none) {
  constexpr value_spec spec{value_kind::public_endpoint_or_none};
  EXPECT_EQ(why(spec, text("host:0")), "has port 0");
  EXPECT_EQ(as<std::monostate>(spec, text("none")), std::monostate{});
}

TEST(value, uris_are_told_by_their_scheme) {
  constexpr value_spec upstream{value_kind::upstream_uri};
  constexpr value_spec redis{value_kind::redis_uri};
  EXPECT_TRUE(as<std::string>(upstream, text("mongodb+srv://c0.example")));
  EXPECT_TRUE(as<std::string>(redis, text("rediss://cache.example")));
  EXPECT_EQ(as<std::monostate>(redis, text("none")), std::monostate{});
  for (const auto* bad :
       {"", "none", "mongodb://", "mongodb:///db", "mongodb://a:b@", "http://a", "localhost:27017", "mongodb://a b"}) {
    EXPECT_NE(why(upstream, text(bad)), "") << bad;
  }
  for (const auto* bad : {"", "NONE", "redis://", "unix:///run/redis.sock", "cache.example:6379"}) {
    EXPECT_NE(why(redis, text(bad)), "") << bad;
  }
}

TEST(value, a_pattern_is_a_namespace_that_may_be_cached) {
  constexpr value_spec spec{value_kind::pattern};
  for (const auto* good : {"db.collection", "db.a.b", "db.*", "db.a*", "db.systematic"})
    EXPECT_EQ(why(spec, text(good)), "") << good;
  for (const auto* bad : {"", "*", "db", "db.", ".c", "db*.c", "db.*c", "db.**", "d b.c", "d$b.c", "admin.c", "local.*",
                          "config.x", "db.system.views", "db.system.*"}) {
    EXPECT_NE(why(spec, text(bad)), "") << bad;
  }
}

TEST(value, control_characters_and_bytes_that_are_no_utf8_are_refused) {
  using namespace std::string_literals;
  constexpr value_spec spec{value_kind::secret};
  for (const auto& bad :
       {"a\0b"s, "a\nb"s, "\x7f"s, "\xff"s, "\xc0\x80"s, "\xed\xa0\x80"s, "\xf4\x90\x80\x80"s, "\xe2\x82"s}) {
    EXPECT_NE(why(spec, text(bad)), "");
  }
  EXPECT_EQ(why(spec, text("pässwörd 🗝")), "");
}

TEST(value, a_bare_value_in_quotes_is_refused_in_a_file) {
  EXPECT_NE(why(small_integer, string("4")), "");
  EXPECT_NE(why({value_kind::boolean}, string("true")), "");
  EXPECT_EQ(why({value_kind::boolean}, text("true")), "");
}

TEST(value, what_is_printed_is_read_again) {
  for (const std::int64_t ns : {0LL, 1LL, 999LL, 1'000LL, 1'500'000LL, 20'000'000LL, 90'000'000'000LL,
                                3'600'000'000'000LL, 86'400'000'000'001LL}) {
    EXPECT_EQ(as<duration>(any_time, text(print_duration(duration{ns}))), duration{ns});
  }
  for (const std::uint64_t bytes : {0ULL, 1ULL, 1000ULL, 1024ULL, 1'000'000'000ULL, 256ULL << 20, (1ULL << 40) + 1}) {
    EXPECT_EQ(as<std::uint64_t>(any_size, text(print_size(bytes))), bytes);
  }
  constexpr value_spec share{value_kind::share};
  for (const double part : {0.0, 0.0001, 0.1, 1.0, 5e-324, 1.0 / 3}) {
    EXPECT_EQ(as<double>(share, text(to_toml(share, part))), part);
  }
  EXPECT_EQ(print_duration(90s), "90s");
  EXPECT_EQ(print_size(256ULL << 20), "256MiB");
}

TEST(value, quoted_text_is_one_line_of_utf8) {
  using namespace std::string_literals;
  EXPECT_EQ(in_quotes("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(in_quotes("a\nb\0"s), R"("a\u000ab\u0000")");
  EXPECT_EQ(in_quotes("\xff"), R"("\u00ff")");
  EXPECT_TRUE(is_utf8(in_quotes_short("\xe2\x82\xac" + std::string(500, '\xac'))));
  EXPECT_LT(in_quotes_short(std::string(100'000, 'x')).size(), 200U);
  std::string euros;
  for (int i = 0; i < 100; ++i) euros += "€";
  EXPECT_THAT(in_quotes_short(euros), testing::Not(testing::HasSubstr("\\u00")));
}

}  // namespace
}  // namespace mongocached::config
