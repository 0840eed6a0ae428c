// Pooled: a killCursors whose cursors are not all this user's, or not all on one server (wire rules U3, I3). Drivers
// gather what their programs have abandoned by address, and all servers have the proxy's.
#include <algorithm>

#include "daemon/session/flows.hpp"

namespace mongocached::daemon {
namespace {

using protocol::bson_builder;
using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_view;
using cursor_ids = std::vector<std::int64_t>;

// What a server may say of each.
constexpr std::array<std::string_view, 4> fates{"cursorsKilled", "cursorsNotFound", "cursorsAlive", "cursorsUnknown"};
enum : std::size_t { killed, not_found, alive, unknown };
using ids_by_fate = std::array<cursor_ids, fates.size()>;

struct at_server {
  server_address where;
  cursor_ids ids;
};

// Of others' cursors and of those that are not there the same is said.
std::vector<at_server> group_by_server(session& s, const named_cursors& named, ids_by_fate& out) {
  std::vector<at_server> groups;
  for (const auto id : named.ids) {
    const auto key = cursor_key(s.pooled()->id(), id, named.ns);
    const auto where = s.shared().pins.cursors.find(key, data_thread::now());
    if (!where) {
      out[not_found].push_back(id);
      continue;
    }
    auto group = std::ranges::find(groups, *where, &at_server::where);
    if (group == groups.end()) group = groups.insert(groups.end(), {*where, {}});
    group->ids.push_back(id);
  }
  return groups;
}

void append_ids(bson_builder& to, std::string_view name, const cursor_ids& ids) {
  auto array = to.open_array(name);
  for (std::size_t i = 0; i < ids.size(); ++i) array.append_int64(std::to_string(i), ids[i]);
}

protocol::byte_buffer command_for(const protocol::command_view& given, const cursor_ids& ids) {
  protocol::byte_buffer out;
  bson_builder command(out);
  bson_element field;
  for (bson_cursor fields(given.message.body); fields.next(field);) {
    if (field.name == "cursors") {
      append_ids(command, field.name, ids);
    } else {
      command.append(field);
    }
  }
  command.finish();
  return out;
}

// False: it was not told.
bool add_fates(ids_by_fate& to, protocol::byte_view message) {
  protocol::op_msg parsed;
  if (protocol::parse_op_msg(message, parsed) != protocol::op_msg_error::none) return false;
  for (std::size_t fate = 0; fate < fates.size(); ++fate) {
    const auto given = parsed.body.find(fates[fate]);
    const auto array = given ? given->array() : std::nullopt;
    if (!array) continue;
    bson_element id;
    for (bson_cursor ids(*array); ids.next(id);) {
      if (const auto number = id.integer()) to[fate].push_back(*number);
    }
  }
  return true;
}

task<bool> kill_there(session& s, request& r, const at_server& group, ids_by_fate& out) {
  s.pooled()->pinned = group.where;
  const auto* const link = co_await s.upstream(selection_deadline(r));
  if (link == nullptr) co_return false;
  const auto command = command_for(r.command, group.ids);
  protocol::byte_buffer message;
  protocol::reply_view view;
  const bool told = co_await s.ask(command, message, view);
  s.release_upstream();
  co_return told&& view.ok&& add_fates(out, message);
}

}  // namespace

task<void> serve_kill_cursors(session& s, request& r, named_cursors named) {
  ids_by_fate out;
  const auto groups = group_by_server(s, named, out);
  for (const auto& group : groups) {
    const bool done = co_await kill_there(s, r, group, out);
    if (!s.is_open()) co_return;
    auto& pins = s.shared().pins.cursors;
    if (!done) out[alive].insert(out[alive].end(), group.ids.begin(), group.ids.end());
    for (const auto id : group.ids) {
      if (done) pins.erase(cursor_key(s.pooled()->id(), id, named.ns));
    }
  }
  protocol::byte_buffer document;
  {
    bson_builder reply(document);
    for (std::size_t fate = 0; fate < fates.size(); ++fate) append_ids(reply, fates[fate], out[fate]);
    reply.append_double("ok", 1.0);
  }
  verdict how{outcome::bypass, cache::bypass_reason::not_a_read};
  if (groups.empty()) how = {outcome::local, cache::bypass_reason::none};
  co_await answer(s, r, *bson_view::parse(document), how);
}

}  // namespace mongocached::daemon
