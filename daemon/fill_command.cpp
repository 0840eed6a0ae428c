#include "daemon/fill_command.hpp"

#include <string>

#include "protocol/bson_builder.hpp"
#include "protocol/reply.hpp"

namespace mongocached::daemon {
namespace {

using protocol::bson_builder;
using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_view;
using protocol::read_level;

const char* text_of(read_level level) noexcept {
  return level == read_level::majority ? "majority" : "local";
}

void append_read_concern(bson_builder& command, const protocol::command_view& from, const fill_changes& changes) {
  const auto level = changes.level.value_or(from.level);
  const auto after = std::max(changes.lower, from.after_cluster_time);
  if (level == read_level::none && after == 0) return;
  auto concern = command.open_document("readConcern");
  if (level != read_level::none) concern.append_string("level", text_of(level));
  if (after != 0) concern.append_timestamp("afterClusterTime", after);
}

void append_ids(bson_builder& command, const std::vector<const bson_element*>& ids) {
  auto filter = command.open_document("filter");
  auto id = filter.open_document("_id");
  auto in = id.open_array("$in");
  for (std::size_t i = 0; i < ids.size(); ++i) in.append_as(std::to_string(i), *ids[i]);
}

bool is_cut_by_narrowing(std::string_view name) noexcept {
  return name == "limit" || name == "batchSize" || name == "singleBatch";
}

void append_changed(bson_builder& out, bson_view body, const fill_changes& changes) {
  bson_element element;
  for (bson_cursor cursor(body); cursor.next(element);) {
    if (element.name == "readConcern") continue;
    if (element.name == "projection" && changes.whole_document) continue;
    if (changes.ids != nullptr && is_cut_by_narrowing(element.name)) continue;
    if (changes.ids != nullptr && element.name == "filter") {
      append_ids(out, *changes.ids);
    } else {
      out.append(element);
    }
  }
  // Of an answer that is too large to be of use no cursor is to stay open. A first batch holds 101 documents.
  static_assert(cache::max_in_values <= 101);
  if (changes.ids != nullptr) out.append_bool("singleBatch", true);
}

}  // namespace

bool changes_anything(const protocol::command_view& command, const fill_changes& changes) noexcept {
  return changes.lower > command.after_cluster_time || changes.level.has_value() || changes.whole_document ||
         changes.ids != nullptr;
}

void append_fill_command(protocol::byte_buffer& out, const protocol::command_view& command,
                         const fill_changes& changes) {
  constexpr std::size_t added = 128;
  out.reserve(out.size() + protocol::header_size + command.message.body.size() + added);
  const auto start = protocol::begin_op_msg(out, command.request_id, 0);
  {
    bson_builder body(out);
    if (command.has_read_concern || changes.whole_document || changes.ids != nullptr) {
      append_changed(body, command.message.body, changes);
    } else {
      body.append_all(command.message.body);  // but for the read concern, all stays as it is
    }
    append_read_concern(body, command, changes);
  }
  protocol::end_op_msg(out, start);
}

}  // namespace mongocached::daemon
