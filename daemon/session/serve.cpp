// Which flow a request takes, if any.
#include <algorithm>
#include <array>

#include "daemon/hello.hpp"
#include "daemon/own_command.hpp"
#include "daemon/session/flows.hpp"

namespace mongocached::daemon {
namespace {

bool is_authentication(std::string_view command) noexcept {
  return command == "saslStart" || command == "saslContinue" || command == "logout" || command == "authenticate";
}

// The body of a large message as far as its front shows it: the elements that are there whole, rebuilt as a document of
// their own.
bool view_front(request& r) {
  constexpr std::size_t body_at = protocol::header_size + 4 + 1;
  if (r.bytes.size() < body_at + 5 || r.bytes[body_at - 1] != 0) return false;
  const auto rest = protocol::byte_view(r.bytes).subspan(body_at);
  auto body = protocol::bson_view::parse_front(rest);
  protocol::byte_buffer cut;
  if (!body) {
    cut.assign(rest.begin(), rest.end());
    cut.push_back(0);
    protocol::store_le(cut.data(), static_cast<std::int32_t>(cut.size()));
    body = protocol::bson_view::parse(cut);
    if (!body) return false;
  }
  {
    protocol::bson_builder front(r.front_body);
    protocol::bson_element element;
    for (protocol::bson_cursor cursor(*body); cursor.next(element);) front.append(element);
  }
  protocol::op_msg message;
  message.flags = protocol::load_le<std::uint32_t>(r.bytes.data() + protocol::header_size);
  message.body = *protocol::bson_view::parse(r.front_body);
  return protocol::view_command(message, r.header.request_id, r.command) == protocol::command_error::none;
}

// All of a large message is taken in, as soon as there is room for it. False: it was shed, or the client left.
task<bool> take_in(session& s, request& r) {
  const auto until = data_thread::now() + s.thread().settings->listen.buffer_timeout;
  auto held = co_await s.room(r.bytes.size() + r.unread, until);
  if (!s.is_open()) co_return false;
  if (held.size() == 0) {
    co_await shed(s, r, shed_reason::memory);
    co_return false;
  }
  r.held = std::move(held);
  const session::taking_in coming(s);
  co_return co_await read_whole(s, r);
}

// What this proxy answers or watches itself must not pass it by for being long (I1, I2, H1).
bool is_own_affair(std::string_view command) noexcept {
  return is_hello(command) || is_authentication(command);
}

cache::bypass_reason reason_of_plain_relay(const request& r) noexcept {
  if (!r.command.is("find")) return cache::bypass_reason::not_a_read;
  return r.whole() ? cache::bypass_reason::transaction : cache::bypass_reason::request_size;
}

// A server may hold it for long, and rightly.
bool is_awaited(const protocol::command_view& command) noexcept {
  return command.is("getMore") && command.max_time_ms > 0;
}

// Lets go of what the cluster holds, or goes on with what it has begun: refusing it would only make matters worse.
bool ends_something(const protocol::command_view& command) noexcept {
  constexpr std::array<std::string_view, 5> names{"getMore", "killCursors", "commitTransaction", "abortTransaction",
                                                  "endSessions"};
  return std::ranges::find(names, command.name) != names.end();
}

task<void> serve_plain_read(session& s, request& r) {
  if (r.command.is("find") && r.whole() && !r.command.has_txn_number) return serve_read(s, r);
  return relay(s, r, {outcome::bypass, reason_of_plain_relay(r)});
}

// S2: what is known of the cluster's defaults falls before they change, and nothing is learned of them until they have.
class change_of_defaults {
 public:
  explicit change_of_defaults(process& shared) : shared_(shared) {
    ++shared_.default_changes_begun;
    shared_.default_read_level_until.store(0);
  }
  ~change_of_defaults() {
    ++shared_.default_changes;
    --shared_.default_changes_begun;
  }
  change_of_defaults(const change_of_defaults&) = delete;
  change_of_defaults& operator=(const change_of_defaults&) = delete;

 private:
  process& shared_;
};

task<void> serve_change_of_defaults(session& s, request& r, cache::write_plan plan) {
  const change_of_defaults under_way(s.shared());
  co_await serve_write(s, r, std::move(plan));
}

// Pooled: it may go to another server than the one whose answers are kept.
task<void> serve_pooled_read(session& s, request& r) {
  const bool is_valid = co_await prefer(s, r);  // in a condition g++ 12 would make a coroutine of it that never begins
  if (!is_valid) co_return;
  if (!reads_the_target(s)) co_return co_await relay(s, r, {outcome::bypass, cache::bypass_reason::read_preference});
  co_await serve_plain_read(s, r);
}

// No coroutine: what it returns is the flow itself.
task<void> serve_command(session& s, request& r) {
  const auto& command = r.command;
  if (command.is(own_command_name)) return serve_own_command(s, r);
  cache::write_plan plan;
  cache::plan_write(command, r.understood && r.whole(), plan);
  if (command.is("getMore")) {
    // One with a time limit waits for something to happen; without one it is an ordinary read, which a drain lets end.
    if (is_awaited(command)) s.set_awaiting();
    plan.targets = s.shared().writing_cursors.targets(command.first.integer().value_or(0));
    if (!plan.targets.empty()) plan.kind = cache::command_kind::write;
  }
  if (command.in_transaction && plan.kind != cache::command_kind::commit && !command.is("abortTransaction")) {
    // W6: what a transaction writes shows itself at its commit, which reaches the process that saw its start.
    const bool seen =
        s.shared().transactions.collect(command.lsid, command.txn_number, command.starts_transaction, plan.targets);
    plan.uncommitted = !seen && !plan.targets.empty();
    if (plan.uncommitted) return serve_write(s, r, std::move(plan));
    return relay(s, r, {outcome::bypass, cache::bypass_reason::transaction});
  }
  if (command.is("setDefaultRWConcern")) return serve_change_of_defaults(s, r, std::move(plan));
  switch (plan.kind) {
    case cache::command_kind::write:
    case cache::command_kind::authorization:
      // Behind what was seen of it may stand that it belongs to a transaction.
      if (!r.whole() && !shows_its_body(r)) s.shared().transactions.lose_sight();
      [[fallthrough]];
    case cache::command_kind::commit:
      return serve_write(s, r, std::move(plan));
    case cache::command_kind::read:
    case cache::command_kind::session:
      break;
  }
  if (command.is("abortTransaction")) s.shared().transactions.aborted(command.lsid, command.txn_number);
  if (s.pooled() != nullptr && plan.kind == cache::command_kind::read) return serve_pooled_read(s, r);
  return serve_plain_read(s, r);
}

// One that may be carried out: as one of those that may be in flight at once.
task<void> serve_admitted(session& s, request& r) {
  const auto& command = r.command;
  if (is_awaited(command)) return serve_command(s, r);
  r.place = in_flight_request(s.shared().in_flight);
  const bool in_any_case = ends_something(command) || asks_for_status(command);
  if (in_any_case || r.place.is_within(s.thread().settings->listen.max_in_flight)) return serve_command(s, r);
  r.place.leave();
  return shed(s, r, shed_reason::in_flight);
}

// Most are: nothing has to be waited for before they are handed on.
bool is_plain(session& s, const request& r) noexcept {
  return r.understood && r.whole() && s.pooled() == nullptr && !is_own_affair(r.command.name);
}

task<void> look_and_serve(session& s, request& r) {
  if (r.header.code == protocol::opcode::query && !r.understood) {
    protocol::op_query query;
    static_cast<void>(protocol::parse_op_query(r.bytes, query));
    co_return co_await serve_hello(s, r, query.query);
  }
  if (auto* const client = s.pooled()) {
    client->begin_request(r);
    // Nobody makes it hold much before the login.
    const bool hidden = !r.whole() && !r.crowded_out && client->who().logged_in && !shows_its_names(r);
    if (hidden && !co_await take_in(s, r)) co_return;
  }
  if (!r.whole()) r.understood = view_front(r);
  if (r.crowded_out) co_return co_await shed(s, r, shed_reason::memory);
  if (!r.understood && s.pooled() == nullptr) {
    // Its name stands behind what was seen of it: behind a sequence of documents.
    if (!r.whole() && !co_await take_in(s, r)) co_return;
    if (!r.understood) co_return co_await refuse(s, r, protocol::error_code::failed_to_parse, "malformed command");
  }
  const auto& command = r.command;
  r.label = cache::command_label(command.name);
  if (!r.whole() && is_own_affair(command.name)) {
    co_return co_await refuse(s, r, protocol::error_code::failed_to_parse,
                              "a handshake or login of that size is not taken");
  }
  if (r.whole() && is_hello(command.name)) co_return co_await serve_hello(s, r, command.message.body);
  if (r.whole() && is_authentication(command.name)) co_return co_await serve_authentication(s, r);
  if (s.pooled() != nullptr && !co_await admit(s, r)) co_return;
  co_await serve_admitted(s, r);
}

}  // namespace

task<void> serve(session& s, request& r) {
  if (!is_plain(s, r)) return look_and_serve(s, r);
  r.label = cache::command_label(r.command.name);
  return serve_admitted(s, r);
}

}  // namespace mongocached::daemon
