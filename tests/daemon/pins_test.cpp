#include "daemon/pooled/pins.hpp"

#include <gtest/gtest.h>

namespace mongocached::daemon {
namespace {

using std::chrono::minutes;
using claim = session_owners::claim;

const server_address a{"a", 1};
const server_address b{"b", 2};

TEST(PinTable, a_cursor_is_found_by_user_id_and_namespace_only) {
  pin_table pins(10, minutes(10));
  pins.put(1, cursor_key(1, 77, "shop.things"), a, minutes(0));
  EXPECT_EQ(pins.find(cursor_key(1, 77, "shop.things"), minutes(0)), a);
  EXPECT_FALSE(pins.find(cursor_key(2, 77, "shop.things"), minutes(0)));
  EXPECT_FALSE(pins.find(cursor_key(1, 78, "shop.things"), minutes(0)));
  EXPECT_FALSE(pins.find(cursor_key(1, 77, "shop.others"), minutes(0)));
}

TEST(PinTable, a_later_pin_of_the_same_key_counts) {
  pin_table pins(10, minutes(10));
  pins.put(1, "k", a, minutes(0));
  pins.put(1, "k", b, minutes(0));
  EXPECT_EQ(pins.find("k", minutes(0)), b);
  EXPECT_EQ(pins.size(), 1U);
}

TEST(PinTable, what_was_used_longest_ago_makes_room) {
  pin_table pins(2, minutes(10));
  pins.put(1, "k", a, minutes(0));
  pins.put(1, "l", a, minutes(1));
  EXPECT_TRUE(pins.find("k", minutes(2)));
  pins.put(1, "m", a, minutes(3));
  EXPECT_TRUE(pins.find("k", minutes(3)));
  EXPECT_FALSE(pins.find("l", minutes(3)));
}

TEST(PinTable, who_has_most_makes_room_for_the_others) {
  pin_table pins(4, minutes(10));
  pins.put(2, "of another", a, minutes(0));
  for (const auto* key : {"k", "l", "m", "n", "o"}) pins.put(1, key, a, minutes(1));
  EXPECT_TRUE(pins.find("of another", minutes(1)));
  EXPECT_FALSE(pins.find("l", minutes(1)));
  EXPECT_TRUE(pins.find("m", minutes(1)));
  EXPECT_EQ(pins.size(), 4U);
  pins.erase("of another");
  pins.put(2, "of another again", b, minutes(1));
  EXPECT_TRUE(pins.find("m", minutes(1)));
}

TEST(PinTable, what_was_not_used_for_its_lifetime_is_forgotten) {
  pin_table pins(10, minutes(10));
  pins.put(1, "k", a, minutes(0));
  pins.put(1, "l", a, minutes(10));
  EXPECT_EQ(pins.size(), 1U);
  pins.erase("l");
  pins.erase("l");
  EXPECT_EQ(pins.size(), 0U);
}

TEST(SessionOwners, the_first_user_owns_it_until_it_ends) {
  session_owners owners(10, minutes(30));
  EXPECT_EQ(owners.use("s", 1, minutes(0)), claim::granted);
  EXPECT_EQ(owners.use("s", 1, minutes(1)), claim::granted);
  EXPECT_EQ(owners.use("s", 2, minutes(1)), claim::foreign);
  owners.end("s", 2);
  EXPECT_EQ(owners.use("s", 2, minutes(1)), claim::foreign);
  owners.end("s", 1);
  EXPECT_EQ(owners.use("s", 2, minutes(1)), claim::granted);
}

TEST(SessionOwners, one_that_is_used_does_not_age) {
  session_owners owners(10, minutes(30));
  EXPECT_EQ(owners.use("s", 1, minutes(0)), claim::granted);
  EXPECT_EQ(owners.use("s", 1, minutes(20)), claim::granted);
  EXPECT_EQ(owners.use("s", 2, minutes(49)), claim::foreign);
  EXPECT_EQ(owners.use("s", 2, minutes(50)), claim::granted);
}

TEST(SessionOwners, a_full_table_refuses_rather_than_forgets) {
  session_owners owners(2, minutes(30));
  EXPECT_EQ(owners.use("s", 1, minutes(0)), claim::granted);
  EXPECT_EQ(owners.use("t", 2, minutes(1)), claim::granted);
  EXPECT_EQ(owners.use("u", 3, minutes(2)), claim::full);
  EXPECT_EQ(owners.use("s", 2, minutes(2)), claim::foreign);
  EXPECT_EQ(owners.use("u", 3, minutes(30)), claim::granted);
}

TEST(SessionOwners, nobody_fills_the_table_for_the_others) {
  session_owners owners(100, minutes(30));
  const auto takes = [&owners](user_id user) {
    std::size_t got = 0;
    while (owners.use(std::to_string(user) + "/" + std::to_string(got), user, minutes(1)) == claim::granted) ++got;
    return got;
  };
  EXPECT_EQ(takes(1), 50U);
  EXPECT_EQ(takes(2), 25U);
  EXPECT_EQ(takes(3), 13U);
  EXPECT_EQ(owners.use("1/7", 1, minutes(2)), claim::granted);  // what one has one keeps
  for (int i = 0; i < 50; ++i) owners.end("1/" + std::to_string(i), 1);
  EXPECT_EQ(owners.size(), 38U);
  EXPECT_EQ(owners.use("another", 1, minutes(3)), claim::granted);
  EXPECT_EQ(owners.use("yet another", 2, minutes(60)), claim::granted);
  EXPECT_EQ(owners.size(), 1U);
}

}  // namespace
}  // namespace mongocached::daemon
