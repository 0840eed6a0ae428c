#include "protocol/command_view.hpp"

#include <limits>
#include <utility>

namespace mongocached::protocol {
namespace {

enum class field : std::uint8_t {
  db,
  lsid,
  comment,
  txn_number,
  max_time_ms,
  autocommit,
  read_concern,
  write_concern,
  cluster_time,
  read_preference,
  start_transaction,
  other,
};

// By length first: most fields of a command are not generic, and most of those differ from every generic name in length
// already.
field field_of(std::string_view name) noexcept {
  const auto if_is = [name](std::string_view wanted, field f) { return name == wanted ? f : field::other; };
  switch (name.size()) {
    case 3:
      return if_is("$db", field::db);
    case 4:
      return if_is("lsid", field::lsid);
    case 7:
      return if_is("comment", field::comment);
    case 9:
      return name[0] == 't' ? if_is("txnNumber", field::txn_number) : if_is("maxTimeMS", field::max_time_ms);
    case 10:
      return if_is("autocommit", field::autocommit);
    case 11:
      return if_is("readConcern", field::read_concern);
    case 12:
      return name[0] == '$' ? if_is("$clusterTime", field::cluster_time) : if_is("writeConcern", field::write_concern);
    case 15:
      return if_is("$readPreference", field::read_preference);
    case 16:
      return if_is("startTransaction", field::start_transaction);
    default:
      return field::other;
  }
}

// Calls take(element) -> bool for each element of a sub-document; false if the value is no document, if an element is
// malformed, or if take said no to one of them.
template <class Take>
bool walk(const bson_element& element, Take take) noexcept {
  const auto document = element.is(bson_type::document) ? element.document() : std::nullopt;
  if (!document) return false;
  bool modelled = true;
  bson_element inner;
  bson_cursor cursor(*document);
  while (cursor.next(inner)) modelled = take(inner) && modelled;
  return modelled && !cursor.failed();
}

std::string_view text_of(const bson_element& element) noexcept {
  return element.text().value_or(std::string_view{});
}

bool first_time(bool& seen) noexcept {
  return !std::exchange(seen, true);
}

bool take_level(const bson_element& element, read_level& out) noexcept {
  out = read_level::other;
  if (!element.is(bson_type::string)) return false;
  const auto text = text_of(element);
  if (text == "local") out = read_level::local;
  if (text == "majority") out = read_level::majority;
  return true;
}

void take_read_concern(const bson_element& element, command_view& out) noexcept {
  out.has_read_concern = true;
  bool seen_level = false;
  bool seen_after = false;
  const auto modelled = walk(element, [&](const bson_element& e) {
    if (e.name == "level") return take_level(e, out.level) && first_time(seen_level);
    if (e.name != "afterClusterTime") return false;
    out.after_cluster_time = e.timestamp().value_or(0);
    return out.after_cluster_time != 0 && first_time(seen_after);
  });
  if (!modelled) out.read_concern_unmodelled = true;
}

// The server truncates a fraction and takes NaN for zero, so everything that is not at least one away from zero is w:
// 0. What a number of type decimal comes to is left open.
bool take_w(const bson_element& element, bool& unacknowledged) noexcept {
  if (const auto w = element.number()) {
    if (!(*w >= 1 || *w <= -1)) unacknowledged = true;
    return true;
  }
  return element.is(bson_type::string) || element.is(bson_type::document);
}

bool take_write_concern(const bson_element& element, command_view& out) noexcept {
  bool seen_w = false;
  return walk(element, [&](const bson_element& e) {
    return e.name != "w" || (take_w(e, out.unacknowledged) && first_time(seen_w));
  });
}

bool take_read_preference(const bson_element& element, command_view& out) noexcept {
  out.has_read_preference = true;
  bool seen_mode = false;
  bool seen_tags = false;
  const auto modelled = walk(element, [&](const bson_element& e) {
    if (e.name == "mode") {
      if (!e.is(bson_type::string) || !first_time(seen_mode)) return false;
      out.read_preference_mode = text_of(e);
      return true;
    }
    if (e.name == "tags") {
      const auto tags = e.document();
      if (!tags || !tags->empty()) out.read_preference_has_tags = true;
      return e.is(bson_type::array) && first_time(seen_tags);
    }
    return e.name == "maxStalenessSeconds" || e.name == "hedge";
  });
  return modelled && seen_mode;
}

bool take_max_time(const bson_element& element, command_view& out) noexcept {
  const auto milliseconds = element.integer();
  if (!milliseconds || *milliseconds < 0 || *milliseconds > std::numeric_limits<std::int32_t>::max()) return false;
  out.max_time_ms = *milliseconds;
  return true;
}

bool take_txn_number(const bson_element& element, command_view& out) noexcept {
  out.has_txn_number = true;
  out.txn_number = element.integer().value_or(0);
  return element.is(bson_type::int64);
}

// The server knows autocommit: false and startTransaction: true only, both as booleans. Anything else is taken for the
// same, so that it is never treated as outside a transaction, and marked.
bool take_autocommit(const bson_element& element, command_view& out) noexcept {
  out.in_transaction = true;
  return element.is(bson_type::boolean) && element.truthy() == false;
}

bool take_start_transaction(const bson_element& element, command_view& out) noexcept {
  out.starts_transaction = true;
  return element.is(bson_type::boolean) && element.truthy() == true;
}

// False where the field is not modelled as it stands.
bool take_field(field which, const bson_element& element, command_view& out) noexcept {
  switch (which) {
    case field::db:
      out.db = text_of(element);
      return true;
    case field::lsid:
      out.lsid = element.value;
      return true;
    case field::comment:
      if (element.is(bson_type::string)) out.comment = text_of(element);
      return true;
    case field::txn_number:
      return take_txn_number(element, out);
    case field::max_time_ms:
      return take_max_time(element, out);
    case field::autocommit:
      return take_autocommit(element, out);
    case field::start_transaction:
      return take_start_transaction(element, out);
    case field::read_concern:
      take_read_concern(element, out);
      return true;
    case field::write_concern:
      return take_write_concern(element, out);
    case field::cluster_time:
      out.has_cluster_time = true;
      return element.is(bson_type::document);
    case field::read_preference:
      return take_read_preference(element, out);
    case field::other:
      return true;
  }
  return true;
}

// Types that the server refuses for certain, whatever the command.
bool is_refused(field which, const bson_element& element) noexcept {
  return (which == field::db && !element.is(bson_type::string)) ||
         (which == field::lsid && !element.is(bson_type::document));
}

void take_first(const bson_element& first, command_view& out) noexcept {
  out.first = first;
  out.name = first.name;
  // The server reads a symbol as a string, so a write to such a collection is a write to it; a reader need not model
  // it.
  if (first.is(bson_type::string) || first.is(bson_type::symbol)) out.collection = text_of(first);
  if (first.is(bson_type::symbol)) out.unmodelled = true;
}

}  // namespace

const char* name_of(command_error error) noexcept {
  switch (error) {
    case command_error::none:
      return "none";
    case command_error::empty_body:
      return "empty_body";
    case command_error::malformed:
      return "malformed";
    case command_error::bad_generic_field:
      return "bad_generic_field";
  }
  return "unknown";
}

command_error view_command(const op_msg& msg, std::int32_t request_id, command_view& out) noexcept {
  out = {};
  out.message = msg;
  out.request_id = request_id;
  bson_element element;
  bson_cursor cursor(msg.body);
  if (!cursor.next(element)) return cursor.failed() ? command_error::malformed : command_error::empty_body;
  take_first(element, out);
  std::uint32_t seen = 0;
  while (cursor.next(element)) {
    const auto which = field_of(element.name);
    if (which == field::other) continue;
    if (is_refused(which, element)) return command_error::bad_generic_field;
    const auto bit = 1U << static_cast<unsigned>(which);
    if ((seen & bit) != 0) {
      // Which of two counts differs between commands and server versions, so nothing may rely on either. The server
      // routes by the first $db.
      out.unmodelled = true;
      if (which == field::db) continue;
    }
    seen |= bit;
    if (!take_field(which, element, out)) out.unmodelled = true;
  }
  return cursor.failed() ? command_error::malformed : command_error::none;
}

void rebase(command_view& command, byte_view message, byte_view copy) noexcept {
  const auto move = [&](byte_view& view) { view = moved(view, message, copy); };
  const auto move_text = [&](std::string_view& text) { text = as_text(moved(as_bytes(text), message, copy)); };
  command.message.body.rebase(moved(command.message.body.bytes(), message, copy));
  for (std::size_t i = 0; i < command.message.sequence_count; ++i) {
    move_text(command.message.sequences[i].name);
    move(command.message.sequences[i].documents);
  }
  move_text(command.first.name);
  move(command.first.value);
  move(command.first.raw);
  for (auto* text :
       {&command.name, &command.db, &command.collection, &command.read_preference_mode, &command.comment}) {
    move_text(*text);
  }
  move(command.lsid);
}

}  // namespace mongocached::protocol
