#include "cache/find_fields.hpp"

#include <limits>

#include "cache/name_table.hpp"

namespace mongocached::cache {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;

// What is done with a field of the command; also the bit that notes that it has been there.
enum class field : std::uint8_t {
  command_name,
  filter,
  projection,
  sort,
  skip,
  limit,
  batch_size,
  single_batch,
  hint,
  collation,
  let,
  api_version,
  api_strict,
  api_deprecation_errors,
  read_preference,
  db,  // judged by view_command, or changes no answer: from here ...
  lsid,
  comment,
  cluster_time,
  read_concern,
  max_time_ms,  // ... to here
  allow_disk_use,
  // Accepted with their default value, false, only: the cursor's, then the others.
  no_cursor_timeout,
  tailable,
  await_data,
  oplog_replay,
  allow_partial_results,
  return_key,
  show_record_id,
};

constexpr name_table fields(std::to_array<named<field>>({
    {"find", field::command_name},
    {"filter", field::filter},
    {"projection", field::projection},
    {"sort", field::sort},
    {"skip", field::skip},
    {"limit", field::limit},
    {"batchSize", field::batch_size},
    {"singleBatch", field::single_batch},
    {"hint", field::hint},
    {"collation", field::collation},
    {"let", field::let},
    {"apiVersion", field::api_version},
    {"apiStrict", field::api_strict},
    {"apiDeprecationErrors", field::api_deprecation_errors},
    {"$readPreference", field::read_preference},
    {"$db", field::db},
    {"lsid", field::lsid},
    {"comment", field::comment},
    {"$clusterTime", field::cluster_time},
    {"readConcern", field::read_concern},
    {"maxTimeMS", field::max_time_ms},
    {"allowDiskUse", field::allow_disk_use},
    {"noCursorTimeout", field::no_cursor_timeout},
    {"tailable", field::tailable},
    {"awaitData", field::await_data},
    {"oplogReplay", field::oplog_replay},
    {"allowPartialResults", field::allow_partial_results},
    {"returnKey", field::return_key},
    {"showRecordId", field::show_record_id},
}));

bypass_reason take_view(const bson_element& element, bson_view& out) noexcept {
  const auto document = element.object();
  if (!document) return bypass_reason::option;
  out = *document;
  return bypass_reason::none;
}

bypass_reason take_element(const bson_element& element, bool fits, std::optional<bson_element>& out) noexcept {
  out = element;
  return fits ? bypass_reason::none : bypass_reason::option;
}

// A count: the server refuses a negative one.
bypass_reason take_count(const bson_element& element, std::int64_t& out) noexcept {
  const auto count = element.integer();
  if (!count || *count < 0) return bypass_reason::option;
  out = *count;
  return bypass_reason::none;
}

bypass_reason take_flag(const bson_element& element, bool& out) noexcept {
  if (!element.is(bson_type::boolean)) return bypass_reason::option;
  out = element.truthy().value_or(false);
  return bypass_reason::none;
}

bypass_reason only_false(const bson_element& element, bypass_reason otherwise) noexcept {
  return element.is(bson_type::boolean) && !element.truthy().value_or(true) ? bypass_reason::none : otherwise;
}

// The primary's answer satisfies every mode; tag sets and what is not known are the upstream's to judge, as are the
// combinations that a server refuses.
bypass_reason check_read_preference(const bson_element& element) noexcept {
  constexpr auto refused = bypass_reason::read_preference;
  const auto document = element.object();
  if (!document) return refused;
  std::string_view mode;
  bool needs_secondary_mode = false;
  bson_element e;
  bson_cursor cursor(*document);
  while (cursor.next(e)) {
    if (e.name == "mode" && e.is(bson_type::string) && mode.empty()) {
      mode = e.text().value_or("");
    } else if (e.name == "tags") {
      const auto tags = e.array();
      if (!tags || !tags->empty()) return refused;
    } else if ((e.name == "maxStalenessSeconds" && e.integer().value_or(0) >= 90) ||
               (e.name == "hedge" && e.is(bson_type::document))) {
      needs_secondary_mode = true;
    } else {
      return refused;
    }
  }
  if (cursor.failed()) return bypass_reason::malformed;
  if (mode == "primary") return needs_secondary_mode ? refused : bypass_reason::none;
  const bool known =
      mode == "primaryPreferred" || mode == "secondary" || mode == "secondaryPreferred" || mode == "nearest";
  return known ? bypass_reason::none : refused;
}

bypass_reason take(field f, const bson_element& element, find_fields& out) noexcept {
  switch (f) {
    case field::filter:
      return take_view(element, out.filter);
    case field::projection:
      return take_view(element, out.projection);
    case field::sort:
      return take_view(element, out.sort);
    case field::skip:
      return take_count(element, out.skip);
    case field::limit:
      return take_count(element, out.limit);
    case field::batch_size:
      return take_count(element, out.batch_size);
    case field::single_batch:
      return take_flag(element, out.single_batch);
    case field::hint:
      return take_element(element, element.is(bson_type::document) || element.is(bson_type::string), out.hint);
    case field::collation:
      return take_element(element, element.is(bson_type::document), out.collation);
    case field::let:
      return take_element(element, element.is(bson_type::document), out.let);
    case field::api_version:
      return take_element(element, element.is(bson_type::string), out.api_version);
    case field::api_strict:
      return take_flag(element, out.api_strict);
    case field::api_deprecation_errors:
      return take_flag(element, out.api_deprecation_errors);
    case field::read_preference:
      return check_read_preference(element);
    case field::command_name:
    case field::db:
    case field::lsid:
    case field::comment:
    case field::cluster_time:
    case field::read_concern:
    case field::max_time_ms:
      return bypass_reason::none;
    case field::allow_disk_use:
      return element.is(bson_type::boolean) ? bypass_reason::none : bypass_reason::option;
    case field::no_cursor_timeout:
    case field::tailable:
    case field::await_data:
    case field::oplog_replay:
      out.unstable_option = true;
      return only_false(element, bypass_reason::cursor_option);
    case field::allow_partial_results:
    case field::return_key:
    case field::show_record_id:
      out.unstable_option = true;
      return only_false(element, bypass_reason::option);
  }
  return bypass_reason::unknown_field;
}

}  // namespace

bypass_reason read_find_fields(const protocol::command_view& command, find_fields& out) noexcept {
  if (command.message.sequence_count != 0) return bypass_reason::unknown_field;
  std::uint64_t seen = 0;
  bson_element element;
  bson_cursor cursor(command.message.body);
  while (cursor.next(element)) {
    const auto* f = fields.find(element.name);
    if (f == nullptr) return bypass_reason::unknown_field;
    const auto bit = std::uint64_t{1} << static_cast<unsigned>(*f);
    if ((seen & bit) != 0) return bypass_reason::unknown_field;
    seen |= bit;
    if (const auto reason = take(*f, element, out); reason != bypass_reason::none) return reason;
  }
  if (cursor.failed()) return bypass_reason::malformed;
  const bool strict = out.api_strict || out.api_deprecation_errors;
  if (strict && (!out.api_version || out.unstable_option)) return bypass_reason::option;
  return bypass_reason::none;
}

}  // namespace mongocached::cache
