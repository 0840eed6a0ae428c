#include "daemon/session/session.hpp"

#include <algorithm>

#include "cache/write_plan.hpp"
#include "daemon/hello.hpp"
#include "daemon/milliseconds.hpp"
#include "daemon/session/flows.hpp"
#include "daemon/session/hit_path.hpp"

namespace mongocached::daemon {
namespace {

disconnect reason_of(protocol::frame_error error) noexcept {
  switch (error) {
    case protocol::frame_error::http_request:
    case protocol::frame_error::tls_hello:
      return disconnect::not_mongodb;
    default:
      return disconnect::bad_frame;
  }
}

}  // namespace

session::session(data_thread& thread, int fd, std::string peer)
    : thread_(thread),
      client_(thread.sockets(), fd, [this] { on_readable(); }),
      identity_(thread.shared.authorization),
      connection_id_(++thread.shared.last_connection_id),
      peer_(std::move(peer)) {
  if (thread.pools) pooled_ = std::make_unique<pooled_client>(thread, identity_, is_local_peer(fd));
}

session::~session() = default;

bool session::start() {
  try {
    if (const auto tls = shared().client_tls.load()) {
      client_.use(std::make_unique<tls_layer>(*tls, client_.descriptor()));
      deadline_ = data_thread::now() + handshake_limit;
    }
    if (!client_.open()) close(disconnect::internal);
  } catch (const std::exception& e) {
    close_failed(e);
  }
  return open_;
}

// A fault of ours ends the client that met it, and not the thread with all the others. No flow is under way, or that
// was the one.
void session::close_failed(const std::exception& e) {
  shared().log.error("session", "a request failed", {{"client", peer_}, {"error", e.what()}});
  thread_.next_request.reset();  // another client's turn would take it for its own
  inside_ = nullptr;
  busy_ = false;
  close(disconnect::internal);
  drop_upstream();
}

void session::close(disconnect why) {
  if (!open_) return;
  open_ = false;
  close_reason_ = why;
  thread_.metrics.disconnects[static_cast<std::size_t>(why)].add();
  if (why != disconnect::client_closed) tell("connection closed", {"reason", name_of(why)});
  client_.close();
  // A flow that is using the link ends with an error, and drops the link itself.
  if (busy_) interrupt_upstream();
  end_patience();
  if (!busy_) drop_upstream();
  thread_.delist(*this);
}

// The client's connection gives or takes nothing any more.
void session::close_lost(polled_socket::result::state how) {
  if (how == polled_socket::result::state::ended) return close(disconnect::client_closed);
  if (client_.tls() == nullptr || client_.tls()->fault().empty()) return close(disconnect::client_error);
  tell("TLS failed", {"error", client_.tls()->fault()});
  close(disconnect::tls_failed);
}

// What came before still gets its answers.
void session::close_for(disconnect fault) {
  static_cast<void>(flush());
  close(fault);
}

void session::close_when_idle(disconnect why) {
  if (!busy_) return close(why);
  close_when_idle_ = true;
  close_reason_ = why;
}

void session::drain(disconnect why) {
  if (awaiting_) return close(why);
  close_when_idle(why);
}

void session::sweep(cache::instant now) {
  if (!open_) return;
  if (deadline_ != cache::instant{} && now >= deadline_) return close(disconnect::stalled);
  if (is_in_the_way(now) || holds_up_the_pool(now)) return close(disconnect::stalled);
  if (give_up_ && now >= give_up_at_) end_patience();
  if (connects_too_long(now)) interrupt_upstream();
  if (busy_) {
    // Nobody reads from the client now: one that left shows itself only when asked.
    if (client_.peer_left() && !goes_on_without_client(now)) return close(disconnect::client_closed);
    if (waits_in_vain()) interrupt_upstream();
    return;
  }
  if (!upstream_) return;
  const bool moved = thread_.upstream->available &&
                     (upstream_->host() != thread_.upstream->host || upstream_->port() != thread_.upstream->port);
  if (!moved && upstream_->is_open() && !upstream_->is_dead()) return upstream_->release_memory();
  drop_upstream();
  if (identity_.is_bound()) close(moved ? disconnect::primary_changed : disconnect::upstream_lost);
}

void session::remember_metadata(protocol::bson_view hello) {
  constexpr std::size_t longest = 512;  // what drivers may send at most
  const auto client = hello.find("client");
  if (!client || !client->document() || client->value.size() > longest) return;
  metadata_.assign(client->value.begin(), client->value.end());
}

hello_facts session::hello_facts_now() {
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  const auto& newest = clock();
  return {.kind = thread_.upstream->kind,
          .now_ms = milliseconds(wall),
          .connection_id = connection_id_,
          .service_id = thread_.shared.service_id,
          .advertise = thread_.shared.advertise,
          .cluster_time = newest.bytes(),
          .time = newest.time};
}

bool session::answer_hello(protocol::bson_view body, const protocol::message_header& header) {
  const auto upstream = protocol::bson_view::parse(thread_.upstream->hello);
  if (!upstream) return false;
  const auto begun = data_thread::now();
  remember_metadata(body);
  protocol::byte_buffer document;
  append_hello_reply(document, body, *upstream, hello_facts_now(), false);
  protocol::append_reply(thread_.output, header, next_request_id(), *protocol::bson_view::parse(document));
  static const auto label = cache::command_label("hello");
  answered_at_once(outcome::local, label, begun);
  return true;
}

void session::on_readable() {
  if (!open_ || busy_) return;
  try {
    take_turn();
  } catch (const std::exception& e) {
    close_failed(e);
  }
}

void session::take_turn() {
  const auto [size, how] = client_.receive(std::span(thread_.input).first(thread_.read_size));
  if (how == polled_socket::result::state::would_block) {
    // Before the first message the only deadline is that of the handshake.
    if (first_bytes_ && input_.empty() && client_.tls() != nullptr && client_.tls()->is_secured()) deadline_ = {};
    return;
  }
  if (how != polled_socket::result::state::ok) return close_lost(how);
  const auto fresh = protocol::byte_view(thread_.input).first(size);
  if (begun_) begun_->arrived(size, data_thread::now());
  if (input_.empty()) {
    const auto used = handle_all(fresh);
    if (open_ && used < fresh.size()) input_.append(fresh.subspan(used));
  } else {
    input_.append(fresh);
    input_.consume(handle_all(input_.data()));
  }
  end_turn();
}

// Sends what was answered. A request that takes longer, or a client that does not take its answers at once: then
// nothing more is read from it for now.
void session::end_turn() {
  auto rest = flush();
  if (!open_) {
    thread_.next_request.reset();
    busy_ = false;
    return drop_upstream();
  }
  const bool idle = !thread_.next_request && rest.bytes.empty() && !more_;
  crowded_ = !hold_input(!idle);
  if (idle && !crowded_) return wait_for_client();
  busy_ = true;
  deadline_ = {};
  client_.reading(false);
  spawn(work(std::move(rest)), [self = shared_from_this()](const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      self->close_failed(e);
    }
  });
}

void session::wait_for_client() {
  if (input_.empty()) {
    deadline_ = {};
    input_.release();
  } else {
    deadline_ = data_thread::now() + stall_limit;
  }
  if (close_when_idle_ || thread_.draining) return close(close_when_idle_ ? close_reason_ : disconnect::shutdown);
  client_.reading(true);
}

std::size_t session::handle_all(protocol::byte_view bytes) {
  std::size_t used = 0;
  more_ = false;
  needed_ = 0;
  thread_.output.clear();  // of a turn that failed half way
  thread_.turn_spent = {};
  for (std::size_t requests = 0; open_ && !busy_; ++requests) {
    if (used < bytes.size() && has_had_its_turn(requests)) {
      more_ = true;
      break;
    }
    const auto rest = bytes.subspan(used);
    if (rest.size() < protocol::header_size) {
      if (first_bytes_ && !rest.empty()) {
        if (const auto error = protocol::probe_prefix(rest); error != protocol::frame_error::none)
          close_for(reason_of(error));
      }
      break;
    }
    protocol::message_header header;
    if (const auto error = protocol::read_header(rest, header, first_bytes_); error != protocol::frame_error::none) {
      tell("bytes that are no message", {"error", protocol::name_of(error)});
      close_for(reason_of(error));
      break;
    }
    const auto length = static_cast<std::size_t>(header.length);
    if (length > whole_limit && header.code != protocol::opcode::compressed) {
      needed_ = front_size;
      if (rest.size() < front_size) break;
      first_bytes_ = false;
      const auto here = std::min(rest.size(), length);
      begin_large(rest.first(here), header);
      used += here;
      break;
    }
    needed_ = length;
    if (header.code == protocol::opcode::compressed && waits_to_inflate(rest, length)) break;
    if (rest.size() < length) break;
    needed_ = 0;
    first_bytes_ = false;
    used += length;
    if (handle(rest.first(length), header) != step::next) break;
  }
  return used;
}

// What is inside a compressed message needs its room as well, before it is there.
bool session::waits_to_inflate(protocol::byte_view front, std::size_t length) noexcept {
  protocol::compressed_fields inside;
  const bool told = protocol::read_compressed(front, inside) == protocol::compression_error::none;
  if (!told || inside.size <= whole_limit) return false;
  needed_ = length + inside.size;
  inflates_ = input_held_.size() < needed_;
  more_ = inflates_ && front.size() >= length;
  return inflates_;
}

session::step session::handle(protocol::byte_view message, const protocol::message_header& header) {
  compressor_.reset();
  legacy_ = false;
  if (header.code == protocol::opcode::compressed) return handle_compressed(message);
  return handle_plain(message, header);
}

session::step session::handle_compressed(protocol::byte_view message) {
  protocol::byte_buffer inside;
  protocol::compressor with{};
  if (const auto error = protocol::decompress(message, inside, with); error != protocol::compression_error::none) {
    tell("bad OP_COMPRESSED", {"error", protocol::name_of(error)});
    close_for(disconnect::bad_message);
    return step::closed;
  }
  compressor_ = with;
  protocol::message_header header;
  static_cast<void>(protocol::read_header(inside, header));
  const auto start = thread_.output.size();
  inside_ = &inside;
  const auto how = handle_plain(inside, header);
  inside_ = nullptr;
  if (how == step::next) compress_reply(start);
  return how;
}

session::step session::handle_plain(protocol::byte_view message, const protocol::message_header& header) {
  if (header.code == protocol::opcode::msg) return handle_op_msg(message, header);
  if (header.code == protocol::opcode::query) return handle_op_query(message, header);
  close_for(disconnect::unsupported_opcode);
  return step::closed;
}

session::step session::handle_op_msg(protocol::byte_view message, const protocol::message_header& header) {
  if (const auto* const known = thread_.plans.find(message)) {
    if (try_hit(*this, known->command, known)) return step::next;
    serve_later(message, header, known->command, known->message);
    return step::busy;
  }
  protocol::op_msg parsed;
  const auto error = protocol::parse_op_msg(message, parsed);
  if (error == protocol::op_msg_error::too_many_sequences) {  // F3: well framed, and a server would answer
    refuse_malformed(header, parsed, protocol::name_of(error));
    return step::next;
  }
  if (error != protocol::op_msg_error::none) {
    tell("bad OP_MSG", {"error", protocol::name_of(error)});
    close_for(error == protocol::op_msg_error::bad_checksum ? disconnect::bad_checksum : disconnect::bad_message);
    return step::closed;
  }
  protocol::command_view command;
  if (const auto fault = protocol::view_command(parsed, header.request_id, command);
      fault != protocol::command_error::none) {
    refuse_malformed(header, parsed, protocol::name_of(fault));
    return step::next;
  }
  if (try_hit(*this, command)) {
    thread_.plans.add(message, thread_.plan.rules);
    return step::next;
  }
  const bool plain_hello =
      is_hello(command.name) && !has_user_fields(parsed.body) && !parsed.has(protocol::op_msg_flags::more_to_come);
  if (plain_hello && answer_hello(parsed.body, header)) return step::next;
  serve_later(message, header, command, message);
  return step::busy;
}

// `command` was seen in `seen_in`, which holds the same bytes.
void session::serve_later(protocol::byte_view message, const protocol::message_header& header,
                          const protocol::command_view& command, protocol::byte_view seen_in) {
  auto& r = place_request(message, header);
  r.command = command;
  r.understood = true;
  protocol::rebase(r.command, seen_in, r.bytes);
  start_flow();
}

void session::refuse(const protocol::message_header& header, protocol::error_code code, std::string_view text) {
  const auto begun = data_thread::now();
  protocol::append_error_reply(thread_.output, next_request_id(), header.request_id, code, text);
  answered_at_once(outcome::error, cache::command_label({}), begun);
}

void session::refuse_malformed(const protocol::message_header& header, const protocol::op_msg& message,
                               std::string_view why) {
  if (message.has(protocol::op_msg_flags::more_to_come)) return;
  refuse(header, protocol::error_code::failed_to_parse, "malformed command: " + std::string(why));
}

task<std::size_t> session::read_rest(request& r, std::span<std::uint8_t> room) {
  while (open_) {
    const auto [size, how] = client_.receive(room);
    if (how == polled_socket::result::state::ok) {
      if (begun_) begun_->arrived(size, data_thread::now());
      r.unread -= size;
      co_return size;
    }
    if (how != polled_socket::result::state::would_block) {
      close_lost(how);
      break;
    }
    const auto now = data_thread::now();
    deadline_ = now + stall_limit;
    if (begun_) begun_->await(now);
    co_await client_.readable();
    deadline_ = {};
  }
  co_return 0;
}

void session::begin_large(protocol::byte_view front, const protocol::message_header& header) {
  if (header.code != protocol::opcode::msg) return close_for(disconnect::unsupported_opcode);
  place_request(front, header).unread = static_cast<std::size_t>(header.length) - front.size();
  start_flow();
}

request& session::place_request(protocol::byte_view bytes, const protocol::message_header& header) {
  auto& r = thread_.next_request.emplace();
  legacy_ = false;
  if (inside_ != nullptr) {
    r.bytes.swap(*inside_);
  } else {
    compressor_.reset();
    r.bytes = thread_.spare.take();
    r.bytes.assign(bytes.begin(), bytes.end());
  }
  r.header = header;
  return r;
}

void session::start_flow() {
  auto& r = *thread_.next_request;
  r.received = data_thread::now();
  mute_ = r.wants_no_reply();
  left_since_ = {};
  // The front of a large one is copied to be looked at.
  r.held = hold(r.whole() || r.crowded_out ? r.bytes.size() : 2 * r.bytes.size());
  needed_ = 0;
  busy_ = true;
}

// One coroutine for as long as there is always something to wait for.
task<void> session::work(unsent before) {
  const auto self = shared_from_this();
  for (;;) {
    auto next = std::exchange(thread_.next_request, std::nullopt);  // the thread's next turn may have its own
    const bool sent = before.bytes.empty() || co_await send(before.bytes);
    before = {};
    if (next && sent) co_await serve(*this, *next);
    if (next) thread_.spare.give(std::move(next->bytes));
    next.reset();
    mute_ = false;
    release_upstream();
    if (more_) co_await next_turn(thread_.get_executor());
    if (crowded_) co_await wait_for_room();
    busy_ = false;
    awaiting_ = false;
    if (!open_) co_return drop_upstream();
    if (crowded_) {
      shed_begun_message();
    } else {
      input_.consume(handle_all(input_.data()));
    }
    before = flush();
    if (!open_) break;
    const bool idle = !thread_.next_request && before.bytes.empty() && !more_;
    crowded_ = !hold_input(!idle);
    if (idle && !crowded_) co_return wait_for_client();
    busy_ = true;
  }
  thread_.next_request.reset();
  busy_ = false;
  drop_upstream();
}

}  // namespace mongocached::daemon
