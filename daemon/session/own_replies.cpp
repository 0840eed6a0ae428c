// Answers of our own, above all errors, with the labels by which drivers retry.
#include <boost/container/static_vector.hpp>

#include "daemon/session/relay.hpp"

namespace mongocached::daemon {
namespace {

using labels = boost::container::static_vector<std::string_view, 6>;

// Never TransientTransactionError for a commit: what was sent before may have committed, and a driver would run the
// whole transaction again. The commit alone may be sent again.
labels labels_of(const request& r) {
  const auto& c = r.command;
  if (c.is("commitTransaction")) return {"RetryableWriteError", "UnknownTransactionCommitResult"};
  if (c.is("abortTransaction")) return {"RetryableWriteError"};
  if (c.in_transaction) return {"TransientTransactionError"};
  if (c.has_txn_number) return {"RetryableWriteError"};
  if (c.is("getMore")) return {"ResumableChangeStreamError"};
  return {};
}

const char* text_of(shed_reason why) noexcept {
  return why == shed_reason::memory ? "too many bytes are held for clients (listen.max_buffered): try again later"
                                    : "too many requests are in flight (listen.max_in_flight): try again later";
}

refusal no_suitable_server(session& s) {
  return {protocol::error_code::failed_to_satisfy_read_preference,
          "no suitable upstream server is available: " + s.thread().upstream->description};
}

// F4, F5, U6: why a pooled client's request could not be carried out.
refusal pooled_failure(session& s, const request& r, exchange how) {
  using code = protocol::error_code;
  if (how == exchange::upstream_lost) return {code::host_unreachable, "the connection to the upstream was lost"};
  const auto& client = *s.pooled();
  if (client.is_stuck() && client.lack == pooled_client::shortage::no_server)
    return {code::host_unreachable, "the server that holds the cursor or transaction cannot be reached"};
  if (client.lack == pooled_client::shortage::no_login)
    return {code::host_unreachable, "the proxy's own user cannot log in to the upstream; the proxy's log says why"};
  if (client.lack != pooled_client::shortage::no_connection) return no_suitable_server(s);
  const auto limit = time_limit_ms(r);
  const bool own_limit = limit > 0 && data_thread::now() >= r.received + std::chrono::milliseconds(limit);
  if (own_limit) return {code::max_time_ms_expired, "operation exceeded time limit while it waited for a connection"};
  return {code::exceeded_time_limit, "no connection to the upstream became free in time: upstream.pool_size"};
}

task<void> refuse_with(session& s, request& r, protocol::error_code code, std::string_view text, const labels& with) {
  if (!co_await skip_rest(s, r)) co_return;
  if (r.command.message.has(protocol::op_msg_flags::more_to_come)) co_return;
  protocol::byte_buffer out;
  protocol::append_error_reply(out, s.next_request_id(), r.header.request_id, code, text, {with.data(), with.size()});
  co_await s.send_reply(out);
}

}  // namespace

task<bool> skip_rest(session& s, request& r) {
  const std::span scratch(s.thread().input);
  while (r.unread > 0) {
    if (co_await s.read_rest(r, scratch.first(std::min(scratch.size(), r.unread))) == 0) co_return false;
  }
  co_return true;
}

task<void> answer(session& s, request& r, protocol::bson_view document, verdict v) {
  if (!co_await skip_rest(s, r)) co_return;
  if (!r.command.message.has(protocol::op_msg_flags::more_to_come)) {
    protocol::byte_buffer out;
    protocol::append_reply(out, r.header, s.next_request_id(), document);
    co_await s.send_reply(out);
  }
  s.finished(r, v);
}

task<void> refuse(session& s, request& r, protocol::error_code code, std::string_view text) {
  protocol::byte_buffer document;
  protocol::append_error_document(document, code, text);
  co_await answer(s, r, *protocol::bson_view::parse(document), {outcome::error, cache::bypass_reason::none});
}

task<void> refuse(session& s, request& r, const refusal& why) {
  co_await refuse(s, r, why.code, why.text);
}

task<void> fail(session& s, request& r, exchange how) {
  if (how == exchange::client_lost) co_return;
  auto* const client = s.pooled();
  if (how == exchange::upstream_lost) {
    if (client != nullptr) s.shared().request_topology_check();
    if (client == nullptr || client->reply_begun) {
      // F3: as the server's own loss would look.
      s.close(disconnect::upstream_lost);
      co_return;
    }
  } else {
    s.thread().count_shed(shed_reason::no_upstream);
  }
  const auto why = client != nullptr ? pooled_failure(s, r, how) : no_suitable_server(s);
  // Where there is no server to end a transaction on, a driver that tried again would only wait once more.
  const bool hopeless = how == exchange::no_upstream && r.command.is("abortTransaction");
  const auto with = hopeless ? labels() : labels_of(r);
  co_await refuse_with(s, r, why.code, why.text, with);
}

// Drivers know ExceededTimeLimit as an error after which a read may be tried again, and leave the server and their
// connections as they are. Newer ones go by the labels, wait longer each time, and then try any command again.
task<void> refuse_for_now(session& s, request& r, std::string_view text) {
  auto with = labels_of(r);
  for (const auto* label : {"SystemOverloadedError", "RetryableError", "NoWritesPerformed"}) with.emplace_back(label);
  co_await refuse_with(s, r, protocol::error_code::exceeded_time_limit, text, with);
  s.finished(r, {outcome::error, cache::bypass_reason::none});
}

task<void> shed(session& s, request& r, shed_reason why) {
  s.thread().count_shed(why);
  co_await refuse_for_now(s, r, text_of(why));
}

}  // namespace mongocached::daemon
