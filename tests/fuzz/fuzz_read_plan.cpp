// plan_read on any message: a plan is deterministic, says why it forwards and only then, and its keys are what its ids
// say.
#include "cache/read_plan.hpp"
#include "command_of.hpp"
#include "require.hpp"

namespace {

using namespace mongocached::cache;
using namespace mongocached::protocol;
using mongocached::fuzz::require;

void require_same(const read_plan& a, const read_plan& b) {
  require(a.shape == b.shape && a.reason == b.reason, "the same decision twice");
  require(a.key_bytes == b.key_bytes && a.list_hash == b.list_hash && a.ids.size() == b.ids.size(),
          "the same keys twice");
  require(a.hint == b.hint && !a.hint.bypass, "the same hint twice, and none to bypass in a plan");
  require(a.projected == b.projected && a.limit == b.limit && a.batch_size == b.batch_size, "the same arguments twice");
}

void require_keys(const command_view& command, const read_plan& plan) {
  byte_buffer key;
  for (std::size_t i = 0; i < plan.ids.size(); ++i) {
    begin_key(key, key_kind::document, command.db, command.collection);
    require(append_canonical_id(key, plan.ids[i].value), "a planned id is modelled");
    require(equal(key, plan.id_key(i).bytes) && plan.id_key(i).hash == hash_key(key), "its key is its own");
    if (i > 0) require(compare_ids(plan.ids[i - 1].value, plan.ids[i].value) < 0, "ids ascend");
  }
}

void check(const command_view& command, const read_rules& rules, read_plan& used) {
  plan_read(command, rules, used);
  read_plan fresh;
  plan_read(command, rules, fresh);
  require_same(used, fresh);
  require((fresh.shape == read_shape::forward) == (fresh.reason != bypass_reason::none), "a reason exactly to forward");
  require(fresh.shape != read_shape::list || (rules.lists && fresh.ids.empty()), "lists where they are allowed");
  require(fresh.shape != read_shape::by_id || fresh.ids.size() == 1, "one id");
  require(fresh.shape != read_shape::by_ids || (!fresh.ids.empty() && fresh.ids.size() <= max_in_values), "ids of $in");
  require(!rules.sharded || fresh.ids.empty(), "no look-up where an id may stand twice");
  if (!rules.string_ids) {
    for (const auto& id : fresh.ids) require(!holds_string(id.value), "no string whose collation is not known");
  }
  if (fresh.shape != read_shape::forward) {
    require(is_user_namespace(command.db, command.collection), "a user's namespace");
    require(namespace_of(fresh.key_bytes) == std::string(command.db) + "." + std::string(command.collection),
            "its key");
  }
  require_keys(command, fresh);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto made = mongocached::fuzz::command_of(data, size);
  if (!made) return 0;
  const auto& command = made->command;
  read_plan plan;
  check(command, {}, plan);
  check(command, {.lists = false, .string_ids = false}, plan);
  check(command, {.sharded = true}, plan);
  return 0;
}
