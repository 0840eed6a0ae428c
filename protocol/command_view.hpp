// A command seen in one walk over its body, without allocating: its name, database, collection and the generic fields
// that routing and caching need. Fields of the command's own (filter, documents, ...) are left to who needs them. Wire
// rule U1: nothing here judges a command; an unknown one is as good as a known one.
#pragma once

#include "protocol/op_msg.hpp"

namespace mongocached::protocol {

enum class read_level : std::uint8_t { none, local, majority, other };

struct command_view {
  op_msg message;  // views into the message that was parsed
  std::string_view
      name;             // the first element's name, as sent: command names are case-sensitive but for isMaster/ismaster
  bson_element first;   // the first element
  std::string_view db;  // $db, empty if absent; the first of several
  std::string_view
      collection;  // text of the first element, empty if it is no string (a symbol counts, with unmodelled set)
  std::int32_t request_id = 0;
  // A generic field given twice, of an unexpected type or value, or malformed inside. The command is then not
  // understood: it is forwarded, never served or stored, and if it may write, its effects are what the fields here say
  // or worse.
  bool unmodelled = false;

  // Session and transaction.
  bool has_txn_number = false;
  bool in_transaction = false;      // autocommit given (the server takes false only)
  bool starts_transaction = false;  // startTransaction given (the server takes true only)
  byte_view lsid;                   // the bytes of lsid (the document), empty if absent
  std::int64_t txn_number = 0;

  // Consistency and placement.
  std::uint64_t after_cluster_time = 0;   // 0: not given
  std::string_view read_preference_mode;  // text of $readPreference.mode
  read_level level = read_level::none;    // none: not given
  bool has_read_concern = false;
  bool read_concern_unmodelled =
      false;                    // a readConcern field other than level and afterClusterTime, or one that is malformed
  bool unacknowledged = false;  // writeConcern {w: 0}, of any number type but decimal
  bool has_cluster_time = false;
  bool has_read_preference = false;
  bool read_preference_has_tags = false;  // a non-empty tag set list

  std::int64_t max_time_ms = 0;  // 0: not given
  std::string_view comment;      // text of `comment` if it is a string

  [[nodiscard]] bool is(std::string_view command) const noexcept { return name == command; }
};

enum class command_error {
  none,
  empty_body,        // no element at all
  malformed,         // an element of the top level that is none
  bad_generic_field  // a generic field of a type that the server refuses too (e.g. $db no string, lsid no document)
};
[[nodiscard]] const char* name_of(command_error error) noexcept;

// `msg` comes from parse_op_msg and is copied (it holds views only).
[[nodiscard]] command_error view_command(const op_msg& msg, std::int32_t request_id, command_view& out) noexcept;

// The same view of a copy: `command` was seen in `message`, of which `copy` holds the same bytes.
void rebase(command_view& command, byte_view message, byte_view copy) noexcept;

}  // namespace mongocached::protocol
