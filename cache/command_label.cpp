#include <iterator>

#include "cache/command_table.hpp"
#include "cache/name_table.hpp"
#include "cache/write_plan.hpp"

namespace mongocached::cache {
namespace {

enum class label : std::uint8_t {
  other,
  find,
  insert,
  update,
  delete_,
  find_and_modify,
  bulk_write,
  aggregate,
  get_more,
  count,
  distinct,
  kill_cursors,
  commit_transaction,
  abort_transaction,
  hello,
  ping,
  sasl,
  end_sessions,
  list_collections,
  list_databases,
  list_indexes,
  create_indexes,
  ddl,
  authorization,
  own,
  count_
};

constexpr const char* label_names[] = {
    "other",
    "find",
    "insert",
    "update",
    "delete",
    "findAndModify",
    "bulkWrite",
    "aggregate",
    "getMore",
    "count",
    "distinct",
    "killCursors",
    "commitTransaction",
    "abortTransaction",
    "hello",
    "ping",
    "sasl",
    "endSessions",
    "listCollections",
    "listDatabases",
    "listIndexes",
    "createIndexes",
    "ddl",
    "authorization",
    "mongocached",
};
static_assert(std::size(label_names) == static_cast<std::size_t>(label::count_));

constexpr name_table labels(std::to_array<named<label>>({
    {"find", label::find},
    {"insert", label::insert},
    {"update", label::update},
    {"delete", label::delete_},
    {"findAndModify", label::find_and_modify},
    {"findandmodify", label::find_and_modify},
    {"bulkWrite", label::bulk_write},
    {"aggregate", label::aggregate},
    {"getMore", label::get_more},
    {"count", label::count},
    {"distinct", label::distinct},
    {"killCursors", label::kill_cursors},
    {"commitTransaction", label::commit_transaction},
    {"abortTransaction", label::abort_transaction},
    {"hello", label::hello},
    {"isMaster", label::hello},
    {"ismaster", label::hello},
    {"ping", label::ping},
    {"saslStart", label::sasl},
    {"saslContinue", label::sasl},
    {"endSessions", label::end_sessions},
    {"listCollections", label::list_collections},
    {"listDatabases", label::list_databases},
    {"listIndexes", label::list_indexes},
    {"createIndexes", label::create_indexes},
    {"mongocached", label::own},
}));

}  // namespace

std::size_t command_label(std::string_view command) noexcept {
  if (const auto* found = labels.find(command)) return static_cast<std::size_t>(*found);
  switch (action_of(command)) {
    case command_action::ddl_collection:
    case command_action::ddl_namespace:
    case command_action::ddl_database:
    case command_action::ddl_named:
    case command_action::rename:
      return static_cast<std::size_t>(label::ddl);
    case command_action::authorization:
      return static_cast<std::size_t>(label::authorization);
    default:
      return static_cast<std::size_t>(label::other);
  }
}

std::size_t command_label_count() noexcept {
  return static_cast<std::size_t>(label::count_);
}

const char* command_label_name(std::size_t index) noexcept {
  return index < command_label_count() ? label_names[index] : label_names[0];
}

}  // namespace mongocached::cache
