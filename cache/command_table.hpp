// What is known of MongoDB's commands by name. Private to write_plan.
#pragma once

#include <cstdint>
#include <string_view>

namespace mongocached::cache {

enum class command_action : std::uint8_t {
  read,
  session,
  insert,
  update,
  remove,
  find_and_modify,
  bulk_write,
  aggregate,
  map_reduce,
  commit,
  authorization,
  ddl_collection,  // of the collection that the first argument names
  ddl_namespace,   // of the namespace "db.collection" that the first argument names
  ddl_database,    // of $db
  ddl_named,       // of the database that the first argument names
  rename,          // renameCollection
  validate,        // a read, but with `repair` it may remove documents
  everything,
  unknown,
};

// Names are case-sensitive, as they are to the server, which knows some in two spellings.
[[nodiscard]] command_action action_of(std::string_view command) noexcept;

}  // namespace mongocached::cache
