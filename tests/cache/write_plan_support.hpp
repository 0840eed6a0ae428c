// Write plans as text, for the tests of write_plan and its tables.
#pragma once

#include "cache/write_plan.hpp"
#include "policy_support.hpp"

namespace mongocached::cache {

inline std::string described(const write_target& target) {
  constexpr std::array reaches{"keys", "collection", "database", "everything"};
  std::string out = reaches[static_cast<std::size_t>(target.reach)];
  if (!target.db.empty()) out += " " + target.db;
  if (!target.collection.empty()) out += "." + target.collection;
  if (target.reach == extent::keys) out += " " + std::to_string(target.keys.size());
  EXPECT_TRUE(target.reach == extent::keys || (target.keys.empty() && target.key_bytes.empty()));
  return out + (target.ddl ? " ddl" : "");
}

// "write; keys shop.things 1; ...", with what else is set at its end.
inline std::string described(const write_plan& plan) {
  constexpr std::array kinds{"read", "session", "write", "commit", "authorization"};
  std::string out = kinds[static_cast<std::size_t>(plan.kind)];
  for (const auto& target : plan.targets) out += "; " + described(target);
  if (plan.unknown_command) out += "; unknown";
  if (plan.unacknowledged) out += "; unacknowledged";
  if (plan.deferred) out += "; deferred";
  return out;
}

inline write_plan planned(const document& body, const std::vector<sequence>& sequences = {}, bool whole = true,
                          message_options options = {}) {
  const parsed_command command(body, options, sequences);
  write_plan plan;
  plan_write(command.view(), whole, plan);
  return plan;
}

inline std::string plan_of(const document& body, const std::vector<sequence>& sequences = {}, bool whole = true) {
  return described(planned(body, sequences, whole));
}

// Of a command {name: argument, ...} on database `shop`.
inline document on_shop(std::string_view name, const value& argument = "things") {
  return document{{name, argument}, {"$db", "shop"}};
}
inline document on_admin(std::string_view name, const value& argument = 1) {
  return document{{name, argument}, {"$db", "admin"}};
}

}  // namespace mongocached::cache
