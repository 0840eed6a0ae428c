// Read plans of commands written as documents.
#pragma once

#include "cache/read_plan.hpp"
#include "policy_support.hpp"

namespace mongocached::cache {

// The plan without the command that it was made from: its ids' values and its projection must not be looked at.
inline read_plan planned(const document& body, const read_rules& rules = {}, message_options options = {}) {
  const parsed_command command(body, options);
  read_plan plan;
  plan_read(command.view(), rules, plan);
  return plan;
}

inline std::string outcome_of(const document& body, const read_rules& rules = {}) {
  return outcome(planned(body, rules));
}

inline document find(const document& filter) {
  return document{{"find", "things"}, {"filter", filter}, {"$db", "shop"}};
}

}  // namespace mongocached::cache
