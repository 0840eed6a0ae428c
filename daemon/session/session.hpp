// One client's connection, from its first byte to its last.
//
// States: waiting (for the client's next message), answering (hits and errors are answered within the turn that read
// them), busy (one request is with a flow: a coroutine that may talk to Redis and to the upstream). Nothing is read
// from the client while busy, which is the back-pressure; replies keep the order of requests. Nor is anything read
// while the client does not take its answers, or while there is no room to hold the message that it has begun
// (buffer_budget.hpp). Lives on its data thread, which keeps it until it is closed; a flow under way keeps it longer.
#pragma once

#include <memory>

#include "daemon/backoff.hpp"
#include "daemon/buffer_budget.hpp"
#include "daemon/data_thread.hpp"
#include "daemon/hello.hpp"
#include "daemon/message_buffer.hpp"
#include "daemon/polled_socket.hpp"
#include "daemon/pooled/upload_pace.hpp"
#include "daemon/session/client_identity.hpp"
#include "daemon/session/pooled_client.hpp"
#include "daemon/session/request.hpp"
#include "daemon/session/request_ids.hpp"
#include "daemon/upstream_link.hpp"
#include "protocol/compression.hpp"
#include "protocol/op_query.hpp"
#include "protocol/reply.hpp"

namespace mongocached::daemon {

class session : public std::enable_shared_from_this<session> {
 public:
  // A message up to this size is looked at whole; of a larger one only the front is, and the rest streams by.
  static constexpr std::size_t whole_limit = 256UL * 1024;
  static constexpr std::size_t front_size = 32UL * 1024;
  // Of requests that a client sends without waiting so many are answered, for so long, or up to so many bytes; then
  // others have their turn.
  static constexpr std::size_t turn_requests = 64;
  static constexpr cache::duration turn_time = std::chrono::milliseconds(1);
  static constexpr std::size_t turn_output = 256UL * 1024;
  // A message begun must go on, a reply must be taken, within this time.
  static constexpr cache::duration stall_limit = std::chrono::seconds(60);
  // TLS must be set up within this time.
  static constexpr cache::duration handshake_limit = std::chrono::seconds(10);
  // Between two tries of one request to connect to a server that should be there.
  static constexpr backoff between_connects{std::chrono::milliseconds(100), std::chrono::seconds(2)};

  // `fd` is a connected, non-blocking socket, owned from now on.
  session(data_thread& thread, int fd, std::string peer);
  ~session();
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  // False if the kernel does not let it be served; then it is closed.
  [[nodiscard]] bool start();
  void close(disconnect why);
  void close_when_idle(disconnect why);
  // At once if it is idle, or awaits something that may rightly last.
  void drain(disconnect why = disconnect::shutdown);
  // Users or settings were read again.
  void settings_changed();
  // Four times a second: deadlines, vanished peers.
  void sweep(cache::instant now);

  // For the flows.
  [[nodiscard]] data_thread& thread() noexcept { return thread_; }
  [[nodiscard]] process& shared() noexcept { return thread_.shared; }
  [[nodiscard]] client_identity& identity() noexcept { return identity_; }
  [[nodiscard]] pooled_client* pooled() noexcept { return pooled_.get(); }  // null: passthrough
  [[nodiscard]] bool is_open() const noexcept { return open_; }
  [[nodiscard]] std::int32_t connection_id() const noexcept { return connection_id_; }
  [[nodiscard]] const std::string& peer() const noexcept { return peer_; }
  [[nodiscard]] bool is_local() const noexcept { return is_local_peer(client_.descriptor()); }
  [[nodiscard]] std::int32_t next_request_id() noexcept { return request_ids_.next(); }
  [[nodiscard]] hello_facts hello_facts_now();
  void remember_metadata(protocol::bson_view hello);

  // False once the session is closed.
  [[nodiscard]] prompt<bool> send(protocol::byte_view bytes);
  // The same for a reply, a whole message: compressed if the request was, and in its opcode.
  [[nodiscard]] prompt<bool> send_reply(protocol::byte_view message);
  // The request came as OP_QUERY: its replies are OP_REPLY.
  [[nodiscard]] bool is_legacy() const noexcept { return legacy_; }
  // Compresses the reply that begins at `start` of the turn's output, if the request was compressed.
  void compress_reply(std::size_t start);
  // Sends the turn's output (data_thread::output); what the client did not take comes back.
  struct unsent {
    protocol::byte_buffer bytes;
    held_bytes held;
  };
  [[nodiscard]] unsent flush();
  // The next bytes of the request's unread part, read into `room`; 0 once the session is closed.
  [[nodiscard]] task<std::size_t> read_rest(request& r, std::span<std::uint8_t> room);
  // While it lives the client holds room for a message that is still coming (see is_in_the_way).
  class taking_in {
   public:
    explicit taking_in(session& s) : session_(s) { s.begun_.emplace(); }
    ~taking_in() { session_.begun_.reset(); }
    taking_in(const taking_in&) = delete;
    taking_in& operator=(const taking_in&) = delete;

   private:
    session& session_;
  };

  // The connection upstream, opened if there is none. Null if none can be had by `until`, or the session was closed.
  // `handshake` false leaves out our own hello: the client's is about to travel.
  [[nodiscard]] prompt<upstream_link*> upstream(cache::instant until, bool handshake = true);
  // Pooled: the one that this request has borrowed; it goes back with the end of the request, or by
  // release_upstream().
  [[nodiscard]] upstream_link* open_upstream() noexcept {
    auto* const link = pooled_ ? pooled_->link.get() : upstream_.get();
    return link != nullptr && link->is_open() ? link : nullptr;
  }
  // Passthrough: the one that upstream() would give without waiting; null if it would wait.
  [[nodiscard]] upstream_link* upstream_at_hand() {
    return open_ && goes_to(*thread_.upstream) ? upstream_.get() : nullptr;
  }
  void drop_upstream() noexcept;
  // Completes true when the upstream's snapshot changes, false at `until`.
  [[nodiscard]] task<bool> upstream_change(cache::instant until);
  // Waits for room for so many bytes; empty if there is none by `until`, or the session was closed.
  [[nodiscard]] task<held_bytes> room(std::size_t size, cache::instant until);
  // Bytes that are there already.
  [[nodiscard]] held_bytes hold(std::size_t size) noexcept;
  // Pooled: where this request goes by what is known now; empty: no server fits.
  [[nodiscard]] std::optional<server_address> choose_server_now();
  // Pooled: whoever waits for a connection may have this request's. Nothing in passthrough.
  void release_upstream() {
    if (pooled_) return_link(true);
  }
  // Sends a command of our own on the client's upstream connection and receives the reply whole. False if the
  // connection was lost; a malformed reply counts as lost, and so does a long compressed one that there is no room for.
  // A plain one that there is no room for counts as a refusal without a code, with an empty message.
  [[nodiscard]] task<bool> ask(protocol::byte_view document, protocol::byte_buffer& reply_message,
                               protocol::reply_view& reply);
  // The $clusterTime that this client's hits may carry (S8): the newest one that is signed for everybody, else this
  // client's own.
  [[nodiscard]] const signed_time& clock();
  // Remembers what a relayed reply tells about time, identity and elections.
  void learn(const protocol::reply_view& reply);
  // Of a reply to a command of our own, whose refusal says nothing of what the client asks for: about time only.
  void learn_times(const protocol::reply_view& reply);

  // The request is one that the server may hold for long (an awaited getMore).
  void set_awaiting() noexcept { awaiting_ = true; }
  [[nodiscard]] bool is_awaiting() const noexcept { return awaiting_; }
  void finished(const request& r, const verdict& v);
  // Logs what a client can cause at will. `what` is one of a fixed set of names.
  void tell(std::string_view what, const log_field& why);

  // While it lives: at the first sweep behind `until`, or when the session is closed, what the flow awaits is given up.
  // One at a time. `give_up` must not resume the flow itself.
  class patience {
   public:
    patience(session& s, cache::instant until, std::function<void()> give_up);
    ~patience() { session_.give_up_ = nullptr; }
    patience(const patience&) = delete;
    patience& operator=(const patience&) = delete;

   private:
    session& session_;
  };

 private:
  friend class data_thread;
  enum class step : std::uint8_t { next, busy, closed };

  // Counts what was answered within the turn that read it.
  void answered_at_once(outcome how, std::size_t label, cache::instant begun);
  void tell_of_slow(const request& r, const verdict& v, cache::duration took);
  void close_for(disconnect fault);
  void close_lost(polled_socket::result::state how);
  void close_failed(const std::exception& e);
  void on_readable();
  void take_turn();
  // Handles what is in `bytes`; returns how much of it was consumed.
  std::size_t handle_all(protocol::byte_view bytes);
  [[nodiscard]] step handle(protocol::byte_view message, const protocol::message_header& header);
  [[nodiscard]] step handle_plain(protocol::byte_view message, const protocol::message_header& header);
  [[nodiscard]] step handle_compressed(protocol::byte_view message);
  [[nodiscard]] bool waits_to_inflate(protocol::byte_view front, std::size_t length) noexcept;
  [[nodiscard]] step handle_op_msg(protocol::byte_view message, const protocol::message_header& header);
  [[nodiscard]] step handle_op_query(protocol::byte_view message, const protocol::message_header& header);
  [[nodiscard]] bool answer_hello(protocol::bson_view body, const protocol::message_header& header);
  [[nodiscard]] step take_legacy(const protocol::op_query& query, const protocol::message_header& header);
  void refuse(const protocol::message_header& header, protocol::error_code code, std::string_view text);
  void refuse_malformed(const protocol::message_header& header, const protocol::op_msg& message, std::string_view why);
  void refuse_legacy(const protocol::message_header& header, std::string_view command);
  void begin_large(protocol::byte_view front, const protocol::message_header& header);
  [[nodiscard]] bool has_had_its_turn(std::size_t requests) const noexcept;
  void end_patience();
  // The client left, but wants no answer to what is under way: a server carries out what it has received.
  [[nodiscard]] bool goes_on_without_client(cache::instant now) noexcept;
  // It takes nothing, or is slow to send, while others wait for the room that it holds.
  [[nodiscard]] bool is_in_the_way(cache::instant now) noexcept;
  // Counts the memory of `input_`. False if there is no room for the message that has begun in it.
  [[nodiscard]] bool hold_input(bool busy);
  void note_begun_message();
  [[nodiscard]] task<void> wait_for_room();
  void shed_begun_message();
  // The request that this turn ends with, in the place where the flow finds it.
  void serve_later(protocol::byte_view message, const protocol::message_header& header,
                   const protocol::command_view& command, protocol::byte_view seen_in);
  request& place_request(protocol::byte_view bytes, const protocol::message_header& header);
  void start_flow();
  void end_turn();
  void wait_for_client();
  [[nodiscard]] task<void> work(unsent before);
  [[nodiscard]] task<bool> send_rest(protocol::byte_view bytes);
  [[nodiscard]] task<bool> send_compressed(protocol::byte_view message);
  [[nodiscard]] task<bool> send_legacy(protocol::byte_view message);
  [[nodiscard]] bool goes_to(const upstream_snapshot& target);
  [[nodiscard]] task<upstream_link*> find_upstream(cache::instant until, bool handshake);
  [[nodiscard]] task<error_code> open(upstream_link& link, const snapshot_ptr& target, bool handshake);
  // Pooled (session_pooled.cpp).
  [[nodiscard]] task<upstream_link*> borrow(cache::instant until);
  [[nodiscard]] task<upstream_pools::pool::grant> wait_in_line(cache::instant until);
  [[nodiscard]] task<bool> open_pooled(cache::instant until);
  [[nodiscard]] upstream_link* taken();
  void keep(upstream_pools::pool::grant what);
  void return_link(bool clean);
  // It takes its time to send a request on a connection that others wait for.
  [[nodiscard]] bool holds_up_the_pool(cache::instant now);
  void interrupt_upstream();
  // F4: the server that the flow waits for is not heard of any more, and another one stands in its place.
  [[nodiscard]] bool waits_in_vain() const noexcept;
  [[nodiscard]] bool connects_too_long(cache::instant now) const noexcept;

  data_thread& thread_;
  polled_socket client_;
  message_buffer input_;
  held_bytes input_held_;
  std::optional<upload_pace> begun_;  // of a message for which room is held, and which is still coming
  std::size_t needed_ = 0;  // bytes of the message begun in `input_` that must be there before anything is done with it
  bool open_ = true;
  bool busy_ = false;
  bool first_bytes_ = true;
  bool more_ = false;      // whole messages may be left in `input_`
  bool crowded_ = false;   // waits for room
  bool inflates_ = false;  // the message in `input_` is compressed, and has no room yet for what is inside
  bool awaiting_ = false;  // the flow is one that may rightly last: it does not hold a drain, and is never slow
  bool mute_ = false;      // the request under way wants no reply
  bool legacy_ = false;    // it came as OP_QUERY
  bool close_when_idle_ = false;
  protocol::byte_buffer* inside_ = nullptr;         // of the compressed message being handled: what was inside
  std::optional<protocol::compressor> compressor_;  // of the request being answered, if it came in OP_COMPRESSED
  disconnect close_reason_ = disconnect::client_closed;
  cache::instant deadline_{};          // of reading a message or sending a reply; 0: none
  cache::instant stalled_since_{};     // when the client last took something of a reply; 0: nothing is left to take
  cache::instant connect_deadline_{};  // of the upstream connection being opened; 0: none
  cache::instant name_deadline_{};     // and of its look-up, which goes on for the next one: that of the request
  cache::instant left_since_{};        // when the client was seen to have left while `mute_`; 0: it has not
  cache::instant give_up_at_{};
  std::function<void()> give_up_;  // see patience; empty: nothing is awaited
  std::unique_ptr<upstream_link> upstream_;
  client_identity identity_;
  std::unique_ptr<pooled_client> pooled_;   // null: passthrough
  std::unique_ptr<signed_time> own_clock_;  // keyId 0 under authentication: never leaves this client
  protocol::byte_buffer metadata_;          // the client's `client` document, for our own hello
  const std::int32_t connection_id_;
  request_ids request_ids_;
  std::size_t roster_index_ = 0;  // in data_thread::sessions_
  const std::string peer_;
};

}  // namespace mongocached::daemon
