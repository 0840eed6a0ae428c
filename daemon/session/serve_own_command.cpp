// {mongocached: ...}: what the program says about itself. Answered here, never forwarded.
#include "daemon/own_command.hpp"

#include "cache/write_plan.hpp"
#include "daemon/session/administrator.hpp"
#include "daemon/session/read_flow.hpp"

namespace mongocached::daemon {
namespace {

using cache::bypass_reason;

constexpr verdict local{outcome::local, bypass_reason::none};

task<void> serve_status(session& s, request& r) {
  if (const auto refused = co_await check_administrator(s, r)) {
    s.tell("the status was refused", {"reason", refused->text});
    co_return co_await refuse(s, r, *refused);
  }
  if (!s.is_open()) co_return;
  const auto made = std::make_shared<one_shot<protocol::byte_buffer>>(s.thread().get_executor());
  const bool accepted =
      s.shared().ask_status([made](protocol::byte_buffer document) { made->deliver(std::move(document)); });
  if (!accepted) co_return co_await refuse_for_now(s, r, "mongocached: too many ask for the status: try again later");
  protocol::byte_buffer document;
  {
    const session::patience limited(s, selection_deadline(r), [made] { made->deliver({}); });
    document = co_await made->wait();
  }
  if (!s.is_open()) co_return;
  if (document.empty()) co_return co_await refuse_for_now(s, r, "mongocached: the status was not ready in time");
  const auto held = s.hold(document.size());
  co_await answer(s, r, *protocol::bson_view::parse(document), local);
}

// The command in question as a request of its own. Empty: it was refused.
std::variant<request, refusal> request_of(session& s, const request& asked, protocol::bson_view explained) {
  auto message = message_of(explained, asked.command.db, asked.header.request_id);
  if (auto* const refused = std::get_if<refusal>(&message)) return std::move(*refused);
  request out;
  out.bytes = std::get<protocol::byte_buffer>(std::move(message));
  out.held = s.hold(out.bytes.size());
  out.header = asked.header;
  out.received = asked.received;
  out.label = asked.label;
  protocol::op_msg parsed;
  const bool good = protocol::parse_op_msg(out.bytes, parsed) == protocol::op_msg_error::none &&
                    protocol::view_command(parsed, out.header.request_id, out.command) == protocol::command_error::none;
  if (!good) return refusal{protocol::error_code::failed_to_parse, "mongocached: command is malformed"};
  out.understood = true;
  return out;
}

// Nothing that is relayed for one of these reasons proves anything: whoever waited for the proof would wait for ever.
bypass_reason judge_namespace(session& s, const explanation& of, const config::cache_settings& settings) {
  const auto& namespaces = s.shared().coherence.namespaces();
  if (namespaces.find(of.ns) == nullptr && namespaces.is_full()) return bypass_reason::namespace_limit;
  return settings.enabled ? bypass_reason::none : bypass_reason::disabled;
}

// What follows from the command and the settings alone, and whether its gate is open.
explanation judge_command(session& s, const protocol::command_view& command) {
  explanation out;
  out.ns = cache::full_name(command.db, command.collection);
  if (!command.is("find")) {
    out.reason = bypass_reason::not_a_read;
    return out;
  }
  auto& plan = s.thread().plan;
  cache::plan_read(command, rules_for(s, cache::cacheability::plain), plan);
  out.kind = name_of_look_up(plan.shape);
  if (plan.shape == cache::read_shape::forward) out.reason = plan.reason;
  if (!cache::is_user_namespace(command.db, command.collection)) return out;
  const auto settings = s.thread().settings->cache_for(out.ns);
  if (const auto why = judge_namespace(s, out, settings); why != bypass_reason::none) out.reason = why;
  const auto reader = reader_for(s, settings, command, cache::entry_level::local);
  const bool open = s.shared().coherence.is_open(reader, data_thread::now());
  if (out.reason == bypass_reason::none && !open) out.not_now = bypass_reason::gate_shut;
  return out;
}

task<void> serve_explain(session& s, request& r, protocol::bson_view explained) {
  auto made = request_of(s, r, explained);
  if (const auto* const refused = std::get_if<refusal>(&made)) co_return co_await refuse(s, r, *refused);
  auto& question = std::get<request>(made);
  auto out = judge_command(s, question.command);
  if (s.pooled() != nullptr && out.reason == bypass_reason::none) {
    const bool is_valid = co_await prefer(s, question);
    if (!is_valid) co_return;
    if (!reads_the_target(s)) out.reason = bypass_reason::read_preference;
  }
  // I4: the same proof as a hit; a namespace that nobody has met has none.
  const auto* const ns = s.shared().coherence.namespaces().find(out.ns);
  out.proven = ns != nullptr && s.identity().proven(*ns, data_thread::now());
  if (out.reason != bypass_reason::none || out.proven) {
    out.not_now = bypass_reason::none;  // the flow says it in its own order
  } else if (out.not_now == bypass_reason::none) {
    out.not_now = bypass_reason::unproven;
  }
  if (out.reason == bypass_reason::none && out.proven) {
    read_flow flow(s, question);
    co_await flow.explain(out);
    if (!s.is_open()) co_return;
  }
  protocol::byte_buffer document;
  {
    protocol::bson_builder reply(document);
    append_explanation(reply, out);
    reply.append_double("ok", 1.0);
  }
  co_await answer(s, r, *protocol::bson_view::parse(document), local);
}

std::variant<own_command, refusal> parse(const request& r, bool whole) {
  if (whole && r.bytes.size() <= session::whole_limit) return parse_own_command(r.command);
  return refusal{protocol::error_code::failed_to_parse, "mongocached: the request is too large to be looked at"};
}

}  // namespace

task<void> serve_own_command(session& s, request& r) {
  const bool whole = r.whole();
  if (!co_await skip_rest(s, r)) co_return;
  // Nobody waits for what it would find out.
  if (r.command.message.has(protocol::op_msg_flags::more_to_come))
    co_return s.finished(r, {outcome::local, bypass_reason::none});
  const auto parsed = parse(r, whole);
  if (const auto* const refused = std::get_if<refusal>(&parsed)) co_return co_await refuse(s, r, *refused);
  const auto& command = std::get<own_command>(parsed);
  if (command.what == own_command::kind::status) co_return co_await serve_status(s, r);
  co_await serve_explain(s, r, command.explained);
}

}  // namespace mongocached::daemon
