#include "cache/authorization.hpp"

#include <gtest/gtest.h>

namespace mongocached::cache {
namespace {

constexpr duration ttl{100};
constexpr instant sent{1'000};

class Authorization : public ::testing::Test {
 protected:
  [[nodiscard]] bool proven(identity who, const namespace_state& where, instant now = sent) const {
    return now < proofs.proven_until(who, where);
  }

  authorization proofs{ttl};
  list_key_budget no_lists{0};
  const namespace_state things{"shop.things", 1, 1, no_lists};
  const namespace_state others{"shop.others", 1, 1, no_lists};
};

TEST_F(Authorization, nobody_is_proven_at_first_I2) {
  EXPECT_FALSE(proven(anonymous, things));
}

TEST_F(Authorization, a_proof_holds_for_its_namespace_only_I2) {
  proofs.prove(anonymous, things, sent, proofs.epoch());
  EXPECT_TRUE(proven(anonymous, things));
  EXPECT_FALSE(proven(anonymous, others));
}

TEST_F(Authorization, a_proof_holds_for_its_identity_only_I2) {
  const auto mine = proofs.make_private();
  proofs.prove(mine, things, sent, proofs.epoch());
  EXPECT_FALSE(proven(proofs.make_private(), things));
  EXPECT_FALSE(proven(anonymous, things));
}

TEST_F(Authorization, a_proof_ages_from_the_moment_its_read_was_sent_I2) {
  proofs.prove(anonymous, things, sent, proofs.epoch());
  EXPECT_TRUE(proven(anonymous, things, sent + ttl - duration(1)));
  EXPECT_FALSE(proven(anonymous, things, sent + ttl));
}

TEST_F(Authorization, a_user_or_role_command_voids_every_proof_I2) {
  proofs.prove(anonymous, things, sent, proofs.epoch());
  proofs.revoke_all();
  EXPECT_FALSE(proven(anonymous, things));
}

TEST_F(Authorization, a_read_sent_before_a_user_command_proves_nothing_behind_it_I2) {
  const auto epoch = proofs.epoch();
  proofs.revoke_all();
  proofs.prove(anonymous, things, sent, epoch);
  EXPECT_FALSE(proven(anonymous, things));
}

TEST_F(Authorization, a_read_sent_behind_a_user_command_proves_again_I2) {
  proofs.revoke_all();
  proofs.prove(anonymous, things, sent, proofs.epoch());
  EXPECT_TRUE(proven(anonymous, things));
}

TEST_F(Authorization, revoking_one_identity_leaves_the_others_I2) {
  const auto mine = proofs.make_private();
  const auto yours = proofs.make_private();
  proofs.prove(mine, things, sent, proofs.epoch());
  proofs.prove(mine, others, sent, proofs.epoch());
  proofs.prove(yours, things, sent, proofs.epoch());
  proofs.revoke(mine);
  EXPECT_FALSE(proven(mine, things));
  EXPECT_FALSE(proven(mine, others));
  EXPECT_TRUE(proven(yours, things));
}

TEST_F(Authorization, equal_users_and_roles_share_an_identity_I2) {
  EXPECT_EQ(proofs.shared_by("ann: readWrite"), proofs.shared_by("ann: readWrite"));
  EXPECT_NE(proofs.shared_by("ann: readWrite"), proofs.shared_by("ann: read"));
}

TEST_F(Authorization, no_identity_is_the_anonymous_one) {
  EXPECT_NE(proofs.make_private(), anonymous);
  EXPECT_NE(proofs.shared_by("ann"), anonymous);
}

TEST(authorization, past_its_limit_every_connection_proves_for_itself) {
  authorization proofs(ttl, 1);
  const auto first = proofs.shared_by("ann");
  EXPECT_NE(proofs.shared_by("ben"), proofs.shared_by("ben"));
  EXPECT_EQ(proofs.shared_by("ann"), first);
}

TEST(authorization, past_its_limit_older_proofs_go_and_the_newest_stays) {
  authorization proofs(ttl, 1);
  list_key_budget no_lists{0};
  const namespace_state things("shop.things", 1, 1, no_lists);
  proofs.prove(1, things, sent, proofs.epoch());
  proofs.prove(2, things, sent, proofs.epoch());
  EXPECT_EQ(proofs.proven_until(1, things), instant{});
  EXPECT_EQ(proofs.proven_until(2, things), sent + ttl);
}

}  // namespace
}  // namespace mongocached::cache
