// The session's side towards the upstream: opening the connection, our own commands on it, what is learned from
// replies.
#include <algorithm>
#include <boost/asio/ssl/context.hpp>

#include "daemon/hello.hpp"
#include "daemon/session/session.hpp"

namespace mongocached::daemon {
namespace {

// A compressed reply cannot be taken in pieces: up to this it is taken though there is no room for it.
constexpr std::size_t most_without_room = 2UL << 20;

std::string_view name_of_command(protocol::byte_view document) {
  protocol::bson_element first;
  protocol::bson_cursor fields(*protocol::bson_view::parse(document));
  return fields.next(first) ? first.name : std::string_view();
}

bool same_server(const upstream_link& link, const upstream_snapshot& target) noexcept {
  return link.host() == target.host && link.port() == target.port;
}

}  // namespace

void session::drop_upstream() noexcept {
  if (pooled_) return return_link(false);
  if (!upstream_) return;
  upstream_->close();
  upstream_.reset();
  thread_.metrics.upstream_closed.add();
}

// What a flow waits for on it ends with an error.
void session::interrupt_upstream() {
  if (upstream_) upstream_->close();
  if (!pooled_) return;
  if (pooled_->waiting) thread_.pools->of(pooled_->at).cancel(*pooled_->waiting);
  if (pooled_->link) pooled_->link->close();
}

bool session::waits_in_vain() const noexcept {
  const auto& now = *thread_.upstream;
  const upstream_link* const link = pooled_ ? pooled_->link.get() : upstream_.get();
  if (link == nullptr || !link->is_open() || !now.available || same_server(*link, now)) return false;
  const auto known = std::ranges::find_if(
      now.servers, [link](const upstream_server& one) { return one.host == link->host() && one.port == link->port(); });
  return known == now.servers.end() || known->unreachable;
}

bool session::connects_too_long(cache::instant now) const noexcept {
  if (connect_deadline_ == cache::instant{}) return false;
  const upstream_link* const link = pooled_ ? pooled_->link.get() : upstream_.get();
  return now >= connect_deadline_ || (now >= name_deadline_ && link != nullptr && link->is_looking_up());
}

prompt<upstream_link*> session::upstream(cache::instant until, bool handshake) {
  if (pooled_) return borrow(until);
  if (auto* const link = upstream_at_hand()) return link;
  return find_upstream(until, handshake);
}

// Between two requests the server may have gone (a restart): better noticed before the request is sent.
bool session::goes_to(const upstream_snapshot& target) {
  if (!upstream_ || !upstream_->is_open()) return false;
  return (!target.available || same_server(*upstream_, target)) && !upstream_->is_dead();
}

task<upstream_link*> session::find_upstream(cache::instant until, bool handshake) {
  backoff pause = between_connects;
  while (open_) {
    const auto target = thread_.upstream;
    if (goes_to(*target)) co_return upstream_.get();
    if (upstream_ && identity_.is_bound()) {
      // F4: this client's identity cannot be set up again for it. Nor on another connection to the same server.
      close(upstream_->is_open() ? disconnect::primary_changed : disconnect::upstream_lost);
      co_return nullptr;
    }
    drop_upstream();
    if (target->available) {
      upstream_ = std::make_unique<upstream_link>(*shared().names, thread_.context(), thread_.sockets(),
                                                  thread_.metrics, thread_.upstream_input);
      thread_.metrics.upstream_opened.add();
      connect_deadline_ = data_thread::now() + thread_.settings->upstream.connect_timeout;
      name_deadline_ = until;
      const auto ec = co_await open(*upstream_, target, handshake);
      connect_deadline_ = {};
      if (!open_) co_return nullptr;
      if (!ec) co_return upstream_.get();
      thread_.tell_of_failed_connect({target->host, target->port}, upstream_->reason(ec));
      drop_upstream();
      shared().request_topology_check();
    }
    const auto now = data_thread::now();
    if (now >= until) break;
    // Refused just now: not again at once, but as soon as something changed.
    co_await upstream_change(target->available ? std::min(until, now + pause.next(thread_.dice)) : until);
  }
  co_return nullptr;
}

task<bool> session::upstream_change(cache::instant until) {
  const auto told = std::make_shared<one_shot<bool>>(thread_.get_executor());
  thread_.await_upstream(told);
  const patience limited(*this, until, [told] { told->deliver(false); });
  co_return co_await told->wait();
}

task<error_code> session::open(upstream_link& link, const snapshot_ptr& target, bool handshake) {
  auto ec = co_await link.connect(*target, shared().upstream_tls.load(), shared().check_upstream_host);
  if (ec || !handshake) co_return ec;
  protocol::byte_buffer hello;
  append_plain_hello(hello, protocol::bson_view::parse(metadata_), shared().compression.compressors);
  link.offer(shared().compression);
  protocol::byte_buffer reply_message;
  protocol::reply_view reply;
  if (!co_await ask(hello, reply_message, reply) || !reply.ok) co_return asio::error::connection_refused;
  protocol::op_msg parsed;
  static_cast<void>(protocol::parse_op_msg(reply_message, parsed));
  link.agree(parsed.body);
  co_return error_code{};
}

task<bool> session::ask(protocol::byte_view document, protocol::byte_buffer& reply_message,
                        protocol::reply_view& reply) {
  auto* link = open_upstream();
  if (link == nullptr) co_return false;
  protocol::byte_buffer message;
  const auto id = next_request_id();
  protocol::append_op_msg(message, id, 0, 0, *protocol::bson_view::parse(document));
  link->owes_reply(id);
  if (co_await link->send(message, name_of_command(document))) co_return false;
  held_bytes held;
  auto got =
      co_await link->receive(reply_message, protocol::max_message_size, {.from = &shared().buffers, .held = &held});
  if (got == upstream_link::received::crowded && link->room_needed() <= most_without_room) {
    held = hold(link->room_needed());
    got = co_await link->receive(reply_message, protocol::max_message_size);
  }
  if (got == upstream_link::received::no_room && link->is_owed(reply_message)) {
    // What there is no room for is not told: the same as refused.
    while (link->unread() > 0) {
      const auto piece = co_await link->read_rest(upstream_link::small_piece);
      if (piece.empty()) co_return false;
    }
    link->paid();
    reply_message.clear();
    reply = {};
    co_return true;
  }
  protocol::op_msg parsed;
  if (got != upstream_link::received::whole || !link->is_owed(reply_message) ||
      protocol::parse_op_msg(reply_message, parsed) != protocol::op_msg_error::none ||
      !protocol::view_reply(parsed.body, reply)) {
    link->close();
    co_return false;
  }
  link->paid();
  learn_times(reply);
  co_return true;
}

const signed_time& session::clock() {
  shared().clock.refresh(thread_.clock);
  return thread_.clock.size == 0 && own_clock_ ? *own_clock_ : thread_.clock;
}

void session::learn_times(const protocol::reply_view& reply) {
  shared().clock.saw(reply);
  const auto known = own_clock_ ? own_clock_->time : 0;
  if (identity_.is_bound() && reply.cluster_time_value > known && protocol::signing_key(reply.cluster_time) == 0) {
    if (!own_clock_) own_clock_ = std::make_unique<signed_time>();
    take_newer(*own_clock_, reply);
  }
  shared().coherence.saw_operation_time(reply.operation_time);
}

void session::learn(const protocol::reply_view& reply) {
  learn_times(reply);
  const auto code = static_cast<protocol::error_code>(reply.code);
  if (!reply.ok && (code == protocol::error_code::unauthorized || code == protocol::error_code::authentication_failed ||
                    code == protocol::error_code::reauthentication_required)) {
    identity_.revoke();
  }
}

}  // namespace mongocached::daemon
