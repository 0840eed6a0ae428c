#include "daemon/session/client_identity.hpp"

#include <gtest/gtest.h>

namespace mongocached::daemon {
namespace {

constexpr cache::instant now{1'000};
constexpr cache::duration ttl{100};

class ClientIdentity : public ::testing::Test {
 protected:
  void prove(client_identity& who) { who.prove(things, now, proofs.epoch()); }
  void authenticate(client_identity& who, std::string_view status) {
    who.changing("SCRAM-SHA-256");
    who.authenticated();
    who.status(status);
  }

  cache::authorization proofs{ttl};
  cache::list_key_budget no_lists{0};
  const cache::namespace_state things{"shop.things", 1, 1, no_lists};
  client_identity mine{proofs};
  client_identity yours{proofs};
};

TEST_F(ClientIdentity, clients_without_authentication_share_one_proof_I2) {
  prove(mine);
  EXPECT_TRUE(yours.proven(things, now));
}

// The moment by which it is judged may lie before the machine's start.
TEST_F(ClientIdentity, who_never_proved_anything_is_proven_at_no_moment_I2) {
  EXPECT_FALSE(mine.proven(things, cache::instant{-1}));
  EXPECT_FALSE(mine.proven(things, cache::instant{0}));
}

TEST_F(ClientIdentity, a_proof_ends_even_where_it_was_remembered_I2) {
  prove(mine);
  EXPECT_TRUE(mine.proven(things, now));
  EXPECT_FALSE(mine.proven(things, now + ttl));
}

TEST_F(ClientIdentity, a_user_command_ends_even_what_was_remembered_I2) {
  prove(mine);
  EXPECT_TRUE(mine.proven(things, now));
  proofs.revoke_all();
  EXPECT_FALSE(mine.proven(things, now));
}

TEST_F(ClientIdentity, any_further_authentication_ends_its_proofs_I2) {
  prove(mine);
  EXPECT_TRUE(mine.proven(things, now));
  mine.changing("SCRAM-SHA-256");
  EXPECT_FALSE(mine.proven(things, now));
}

TEST_F(ClientIdentity, an_attempt_binds_the_connection_F4) {
  EXPECT_FALSE(mine.is_bound());
  mine.changing("PLAIN");
  EXPECT_TRUE(mine.is_bound());
  EXPECT_FALSE(mine.is_authenticated());
}

TEST_F(ClientIdentity, equal_users_and_roles_share_proofs_I2) {
  authenticate(mine, "ann");
  authenticate(yours, "ann");
  prove(mine);
  EXPECT_TRUE(yours.proven(things, now));
}

TEST_F(ClientIdentity, different_users_share_no_proof_I2) {
  authenticate(mine, "ann");
  authenticate(yours, "ben");
  prove(mine);
  EXPECT_FALSE(yours.proven(things, now));
}

TEST_F(ClientIdentity, only_scram_users_share_proofs_I2) {
  mine.changing("PLAIN");
  mine.authenticated();
  EXPECT_FALSE(mine.wants_status(now));
}

TEST_F(ClientIdentity, the_status_is_asked_for_once_I2) {
  mine.changing("SCRAM-SHA-1");
  EXPECT_FALSE(mine.wants_status(now));
  mine.authenticated();
  EXPECT_TRUE(mine.wants_status(now));
  mine.status("ann");
  EXPECT_FALSE(mine.wants_status(now));
}

TEST_F(ClientIdentity, a_status_that_is_refused_is_not_asked_for_again_I2) {
  mine.changing("SCRAM-SHA-1");
  mine.authenticated();
  mine.status_unknown();
  EXPECT_FALSE(mine.wants_status(now));
}

TEST_F(ClientIdentity, a_status_that_was_not_told_in_time_is_asked_for_again_later_I2) {
  mine.changing("SCRAM-SHA-1");
  mine.authenticated();
  mine.status_withheld(now + std::chrono::seconds(1));
  EXPECT_FALSE(mine.wants_status(now));
  EXPECT_TRUE(mine.wants_status(now + std::chrono::seconds(1)));
}

TEST_F(ClientIdentity, a_refusal_by_the_server_ends_its_proofs_I2) {
  authenticate(mine, "ann");
  prove(mine);
  EXPECT_TRUE(mine.proven(things, now));
  mine.revoke();
  EXPECT_FALSE(mine.proven(things, now));
}

TEST_F(ClientIdentity, remembers_the_right_namespace_after_many) {
  prove(mine);
  std::vector<std::unique_ptr<cache::namespace_state>> others;
  for (int i = 0; i < 9; ++i) {
    others.push_back(std::make_unique<cache::namespace_state>("shop.c" + std::to_string(i), 1, 1, no_lists));
    mine.prove(*others.back(), now, proofs.epoch());
    EXPECT_TRUE(mine.proven(*others.back(), now));
  }
  EXPECT_TRUE(mine.proven(things, now));
  const cache::namespace_state never("shop.never", 1, 1, no_lists);
  EXPECT_FALSE(mine.proven(never, now));
}

}  // namespace
}  // namespace mongocached::daemon
