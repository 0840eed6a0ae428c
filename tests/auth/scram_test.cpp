// Both sides of SCRAM against the vectors of RFC 5802, RFC 7677 and the drivers' authentication specification, and
// against each other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/base64.hpp"
#include "auth/scram_client.hpp"
#include "auth/scram_message.hpp"
#include "auth/scram_server.hpp"

namespace mongocached::auth {
namespace {

struct conversation {
  scram_hash hash;
  std::string password;  // as the mechanism wants it
  std::string client_nonce;
  std::string server_nonce;
  std::string salt;  // base64
  int iterations;
  std::string proof;
  std::string signature;
};

const conversation rfc7677{scram_hash::sha256,
                           "pencil",
                           "rOprNGfwEbeRWgbNEkqO",
                           "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
                           "W22ZaJ0SNY7soEsUEjb6gQ==",
                           4096,
                           "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                           "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="};
const conversation rfc5802{
    scram_hash::sha1,   "pencil", "fyko+d2lbbFgONRv9qkxdawL",     "3rfcNHYJY1ZVvWVs7j",
    "QSXCR+Q6sek8bf92", 4096,     "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "rmF9pqV8S7suAoZWja4dJRkFsKQ="};
// "SCRAM-SHA-1" in the drivers' specification.
const conversation mongodb{scram_hash::sha1,
                           mongodb_digest("user", "pencil"),
                           "fyko+d2lbbFgONRv9qkxdawL",
                           "Ho+Vgk7qvUOKUwuWLIWg4l/9SraGMHEE",
                           "rQ9ZY3MntBeuP3E1TDVC4w==",
                           10'000,
                           "MC2T8BvbmWRckDw8oWl5IVghwCY=",
                           "UMWeI25JD1yNYZRMpZ4VHvhZ9e0="};

class Scram : public ::testing::TestWithParam<conversation> {
 protected:
  [[nodiscard]] static scram_keys keys() {
    const auto& c = GetParam();
    const auto salt = *from_base64(c.salt);
    return keys_from_salted(c.hash, salted_password(c.hash, c.password, salt, c.iterations), salt, c.iterations);
  }
  [[nodiscard]] static std::string client_first() { return "n,,n=user,r=" + GetParam().client_nonce; }
  [[nodiscard]] static std::string nonce() { return GetParam().client_nonce + GetParam().server_nonce; }
  [[nodiscard]] static std::string server_first() {
    const auto& c = GetParam();
    return "r=" + nonce() + ",s=" + c.salt + ",i=" + std::to_string(c.iterations);
  }
  [[nodiscard]] static std::string client_final() { return "c=biws,r=" + nonce() + ",p=" + GetParam().proof; }
  [[nodiscard]] static std::string server_final() { return "v=" + GetParam().signature; }

  const scram_keys known = keys();
  const scram_server::lookup find = [this](std::string_view user) { return user == "user" ? &known : nullptr; };
  const made_up_salts made_up{"secret", "secret", {}};
  scram_server server{GetParam().hash, find, made_up, GetParam().server_nonce};
  scram_client client{GetParam().hash, "user",
                      [](std::string_view salt, int rounds) {
                        return salted_password(GetParam().hash, GetParam().password, salt, rounds);
                      },
                      GetParam().client_nonce};
};

TEST_P(Scram, the_server_says_what_the_vector_says) {
  EXPECT_EQ(server.first(client_first()), server_first());
  EXPECT_EQ(server.final(client_final()), server_final());
  EXPECT_EQ(server.user(), "user");
}

TEST_P(Scram, the_client_says_what_the_vector_says) {
  EXPECT_EQ(client.first(), client_first());
  EXPECT_EQ(client.final(server_first()), client_final());
  EXPECT_TRUE(client.verify(server_final()));
}

TEST_P(Scram, the_client_does_not_believe_a_server_without_the_keys) {
  EXPECT_FALSE(client.verify("v="));
  ASSERT_TRUE(client.final(server_first()));
  EXPECT_FALSE(client.verify("v=AAAA"));
  EXPECT_FALSE(client.verify("e=other-error"));
  EXPECT_FALSE(client.verify(""));
}

TEST_P(Scram, the_server_refuses_a_proof_with_any_bit_wrong) {
  const auto right = *from_base64(GetParam().proof);
  for (std::size_t bit = 0; bit < right.size() * 8; ++bit) {
    scram_server other{GetParam().hash, find, made_up, GetParam().server_nonce};
    ASSERT_TRUE(other.first(client_first()));
    auto wrong = right;
    wrong[bit / 8] = static_cast<char>(wrong[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(other.final("c=biws,r=" + nonce() + ",p=" + to_base64(wrong)));
  }
}

TEST_P(Scram, the_server_goes_one_way_once) {
  EXPECT_FALSE(server.final(client_final()));
  ASSERT_TRUE(server.first(client_first()));
  EXPECT_FALSE(server.first(client_first()));
  ASSERT_TRUE(server.final(client_final()));
  EXPECT_FALSE(server.final(client_final()));
}

TEST_P(Scram, a_wrong_final_ends_the_conversation) {
  ASSERT_TRUE(server.first(client_first()));
  EXPECT_FALSE(server.final("c=biws,r=" + nonce() + ",p=AAAA"));
  EXPECT_FALSE(server.final(client_final()));
}

TEST_P(Scram, the_channel_binding_is_the_header_that_was_sent) {
  ASSERT_TRUE(server.first(client_first()));
  EXPECT_FALSE(server.final("c=eSws,r=" + nonce() + ",p=" + GetParam().proof));  // "y,,"
}

TEST_P(Scram, an_unknown_user_fails_where_a_wrong_password_does) {
  const auto first = server.first("n,,n=nobody,r=" + GetParam().client_nonce);
  ASSERT_TRUE(first);
  const auto said = parse_server_first(*first);
  ASSERT_TRUE(said);
  EXPECT_EQ(said->iterations, usual_iterations(GetParam().hash));
  EXPECT_EQ(said->salt.size(), usual_salt_size(GetParam().hash));
  EXPECT_FALSE(server.final(client_final()));
}

TEST_P(Scram, an_unknown_user_has_the_same_salt_each_time_and_another_than_the_next_one) {
  const auto salt_of = [this](const std::string& user, const char* secret) {
    const made_up_salts salts{secret, secret, {}};
    scram_server other{GetParam().hash, find, salts, "x"};
    return parse_server_first(*other.first("n,,n=" + user + ",r=abc"))->salt;
  };
  EXPECT_EQ(salt_of("nobody", "secret"), salt_of("nobody", "secret"));
  EXPECT_NE(salt_of("nobody", "secret"), salt_of("nobody2", "secret"));
  EXPECT_NE(salt_of("nobody", "secret"), salt_of("nobody", "another"));
}

// Or its size, its rounds or what a restart does to it would tell the names that exist.
TEST(ScramServer, an_unknown_user_looks_like_one_of_those_that_are_known) {
  const scram_server::lookup nobody = [](std::string_view) { return nullptr; };
  const auto shown = [&](const std::string& user, const made_up_salts& salts) {
    scram_server server{scram_hash::sha256, nobody, salts, "x"};
    const auto first = server.first("n,,n=" + user + ",r=abc");
    return *parse_server_first(*first);
  };
  const std::vector<made_up_salts::form> forms{{16, 600'000, true}, {28, 15'000, false}};
  const made_up_salts before{"one", "lasting", forms};
  const made_up_salts after{"other", "lasting", forms};
  int lasting = 0;
  int passing = 0;
  for (int i = 0; i < 50; ++i) {
    const auto user = "user" + std::to_string(i);
    const auto first = shown(user, before);
    const auto second = shown(user, after);
    ASSERT_EQ(first.salt.size(), second.salt.size());
    ASSERT_EQ(first.iterations, first.salt.size() == 16 ? 600'000 : 15'000);
    ASSERT_EQ(first.salt == second.salt, first.salt.size() == 16);
    ++(first.salt.size() == 16 ? lasting : passing);
  }
  EXPECT_GT(lasting, 5);
  EXPECT_GT(passing, 5);
}

std::string name_of_vector(const ::testing::TestParamInfo<conversation>& vector) {
  constexpr std::array<const char*, 3> names{"rfc7677", "rfc5802", "mongodb"};
  return names.at(vector.index);
}
INSTANTIATE_TEST_SUITE_P(vectors, Scram, ::testing::Values(rfc7677, rfc5802, mongodb), name_of_vector);

TEST(ScramMessage, client_first_that_is_none_is_refused) {
  for (const auto* text :
       {"", "n", "n,", "n,,", "n,,n=user", "n,,r=abc,n=user", "n,,n=,r=abc", "n,,n=user,r=", "p=tls-unique,,n=user,r=a",
        "x,,n=user,r=a", "n,a=other,n=user,r=abc", "n,,m=ext,n=user,r=abc", "n,,n=us=er,r=abc", "n,,n=us=2,r=abc",
        "n,,n=user,r=a b", "n,,n=user,r=abc,", "n,,n=user,r=abc,m=1", "nn,,n=user,r=abc"}) {
    EXPECT_FALSE(parse_client_first(text)) << text;
  }
  EXPECT_FALSE(parse_client_first("n,,n=user,r=" + std::string(longest_scram_nonce + 1, 'a')));
  EXPECT_FALSE(parse_client_first("n,,n=" + std::string(longest_scram_user + 1, 'a') + ",r=abc"));
  EXPECT_FALSE(parse_client_first(std::string_view("n,,n=us\0er,r=abc", 16)));
}

TEST(ScramMessage, client_first_that_is_one_is_taken) {
  const auto parsed = parse_client_first("y,a=us=2Ce=3Dr,n=us=2Ce=3Dr,r=abc,x=extension");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->user, "us,e=r");
  EXPECT_EQ(parsed->gs2_header, "y,a=us=2Ce=3Dr,");
  EXPECT_EQ(escape_user(parsed->user), "us=2Ce=3Dr");
}

TEST(ScramMessage, client_final_that_is_none_is_refused) {
  for (const auto* text : {"", "c=biws", "c=biws,r=abc", "c=biws,r=abc,p=", "r=abc,c=biws,p=AAAA", "c=!,r=abc,p=AAAA",
                           "c=biws,r=abc,p=A", "c=biws,r=abc,p=AAAA,x=1", "c=biws,r=abc,m=1,p=AAAA"}) {
    const auto parsed = parse_client_final(text);
    EXPECT_TRUE(!parsed || parsed->proof.empty()) << text;
  }
}

TEST(ScramMessage, server_first_that_is_none_is_refused) {
  for (const auto* text : {"", "r=abc", "r=abc,s=AAAA", "r=abc,s=AAAA,i=0", "r=abc,s=AAAA,i=-5", "r=abc,s=AAAA,i=1x",
                           "r=abc,s=AAAA,i=99999999999", "r=abc,s=,i=4096", "r=abc,s=A,i=4096", "m=1,r=abc,s=AAAA,i=9",
                           "e=unknown-user"}) {
    EXPECT_FALSE(parse_server_first(text)) << text;
  }
}

TEST(ScramClient, a_server_that_asks_for_few_rounds_or_drops_our_nonce_learns_nothing) {
  const auto salting = [](std::string_view, int) -> std::string { throw std::logic_error("asked for the password"); };
  scram_client client(scram_hash::sha256, "user", salting, "abc");
  EXPECT_FALSE(client.final("r=abcdef,s=AAAA,i=4095"));
  EXPECT_FALSE(client.final("r=xyzdef,s=AAAA,i=15000"));
  EXPECT_FALSE(client.final("r=abc,s=AAAA,i=15000"));
}

TEST(Base64, one_encoding_of_the_same_bytes) {
  EXPECT_EQ(to_base64("any"), "YW55");
  EXPECT_EQ(from_base64("YW55"), "any");
  EXPECT_EQ(from_base64("YQ=="), "a");
  EXPECT_EQ(from_base64(""), "");
  for (const auto* text : {"YR==", "YQ=", "YQ", "Y===", "====", " YW5", "YW5\n", "YW5-", "Y=Q="})
    EXPECT_FALSE(from_base64(text)) << text;
}

TEST(StoredKeys, are_what_postgresql_writes) {
  const auto salt = random_bytes(16);
  const auto keys =
      keys_from_salted(scram_hash::sha256, salted_password(scram_hash::sha256, "pencil", salt, 15'000), salt, 15'000);
  std::string why;
  EXPECT_EQ(parse_stored_keys(print_stored_keys(keys), why), keys);
}

TEST(StoredKeys, that_are_none_are_refused_without_being_told) {
  const std::string key(44, 'A');
  const auto good = "SCRAM-SHA-256$15000:AAAAAAAAAAAAAAAAAAAAAA==$" + key.substr(1) + "=:" + key.substr(1) + "=";
  std::string why;
  ASSERT_TRUE(parse_stored_keys(good, why)) << why;
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{{"256$", "1$"},
                                                                                 {"15000", "14999"},
                                                                                 {"15000", "10000001"},
                                                                                 {"15000", "1x000"},
                                                                                 {"15000:", "15000"},
                                                                                 {"AA==",
                                                                                  "AA=="
                                                                                  "!"},
                                                                                 {"=:", ":"},
                                                                                 {"AAAA=:", "=:"}}) {
    auto bad = good;
    bad.replace(bad.find(from), from.size(), to);
    EXPECT_FALSE(parse_stored_keys(bad, why)) << bad;
    EXPECT_THAT(why, ::testing::Not(::testing::HasSubstr("AAAA")));
  }
}

}  // namespace
}  // namespace mongocached::auth
