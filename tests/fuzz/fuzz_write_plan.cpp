// plan_write on any message: a write always has targets, keys stand only where they bound the write, and what a look-up
// by _id reads is reached by a findAndModify of the same filter.
#include "cache/read_plan.hpp"
#include "cache/write_plan.hpp"
#include "command_of.hpp"
#include "require.hpp"

namespace {

using namespace mongocached::cache;
using namespace mongocached::protocol;
using mongocached::fuzz::require;

void require_target(const write_target& target) {
  require(target.reach == extent::keys || (target.keys.empty() && target.key_bytes.empty()),
          "keys only where they count");
  require(target.reach != extent::everything || target.db.empty(), "everything has no name");
  require(target.reach == extent::everything || !target.db.empty(), "all else has a database");
  require((target.reach == extent::keys || target.reach == extent::collection) != target.collection.empty(),
          "collection");
  require(target.keys.size() <= max_planned_keys, "keys are bounded");
  std::size_t at = 0;
  for (const auto& [begin, end] : target.keys) {
    require(begin == at && end > begin && end <= target.key_bytes.size(), "keys stand one behind the other");
    const auto key = byte_view(target.key_bytes).subspan(begin, end - begin);
    require(namespace_of(key) == target.db + "." + target.collection, "a key of the target's namespace");
    at = end;
  }
}

bool reaches(const write_target& target, const command_view& command, byte_view key) {
  if (target.reach == extent::everything) return true;
  if (target.db != command.db) return false;
  if (target.reach == extent::database) return true;
  if (target.collection != command.collection) return false;
  if (target.reach == extent::collection) return true;
  for (const auto& [begin, end] : target.keys) {
    if (equal(byte_view(target.key_bytes).subspan(begin, end - begin), key)) return true;
  }
  return false;
}

void check(const command_view& command, bool whole) {
  write_plan plan;
  plan_write(command, whole, plan);
  for (const auto& target : plan.targets) require_target(target);
  require(plan.kind != command_kind::write || !plan.targets.empty(), "a write reaches something");
  require(!is_known_read(command.name) || plan.kind == command_kind::read || plan.kind == command_kind::session,
          "harmless by name is harmless");
  require(!plan.unknown_command || !plan.targets.empty(), "an unknown command is a write");
  require(command_label(command.name) < command_label_count(), "a label of the list");
}

// The documents that a find by _id looks up are those that a findAndModify of the same filter may change.
void check_against_read(const command_view& find) {
  read_plan read;
  plan_read(find, {}, read);
  const auto filter = find.message.body.find("filter");
  if (read.ids.empty() || !filter) return;
  byte_buffer body;
  {
    bson_builder builder(body);
    builder.append_string("findAndModify", find.collection);
    builder.append_as("query", *filter);
    builder.append_string("$db", find.db);
  }
  byte_buffer bytes;
  append_op_msg(bytes, 1, 0, 0, *bson_view::parse(body));
  op_msg message;
  command_view modify;
  require(parse_op_msg(bytes, message) == op_msg_error::none, "a message of ours");
  require(view_command(message, 1, modify) == command_error::none, "a command of ours");
  write_plan plan;
  plan_write(modify, true, plan);
  for (std::size_t i = 0; i < read.ids.size(); ++i) {
    bool reached = false;
    for (const auto& target : plan.targets) reached = reached || reaches(target, modify, read.id_key(i).bytes);
    require(reached, "what is read by _id is reached by a write to it");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto made = mongocached::fuzz::command_of(data, size);
  if (!made) return 0;
  const auto& command = made->command;
  check(command, true);
  check(command, false);
  if (command.is("find")) check_against_read(command);
  return 0;
}
