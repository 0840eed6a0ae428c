// One connection to the upstream: of one client in passthrough mode, of the request that borrowed it in pooled mode.
// Whole messages in and out; messages too large to be held are handed over in pieces. One thread. Deadlines are kept by
// the owner, who closes the link.
//
// What is compressed on the wire is plain here. A connection compresses once an offer() was answered with agree(); only
// compressors that the two have in common are taken from the server.
#pragma once

#include <string>
#include <utility>

#include "daemon/buffer_budget.hpp"
#include "daemon/byte_stream.hpp"
#include "daemon/control/topology.hpp"
#include "daemon/message_buffer.hpp"
#include "daemon/metrics.hpp"
#include "daemon/name_lookup.hpp"
#include "daemon/one_shot.hpp"
#include "protocol/compression_offer.hpp"

namespace mongocached::daemon {

// Where a whole message is counted; without a budget it is not.
struct reply_room {
  buffer_budget* from = nullptr;
  held_bytes* held = nullptr;
  // 0: one that has no room comes in pieces. Else none does: up to this size it is taken all the same, beyond it has to
  // wait (received::crowded).
  std::size_t waits_above = 0;
};

class upstream_link {
 public:
  // `scratch`: the thread's, small_piece at least. A reply that is there in one read goes through it, so that a link
  // between replies has no memory of its own.
  upstream_link(name_lookup& names, asio::io_context& context, poller& poller, thread_metrics& metrics,
                std::span<std::uint8_t> scratch)
      : metrics_(metrics),
        names_(names),
        executor_(context.get_executor()),
        stream_(context, poller),
        scratch_(scratch.first(small_piece)) {}
  ~upstream_link() { compress_with(protocol::compressor::none); }
  upstream_link(const upstream_link&) = delete;
  upstream_link& operator=(const upstream_link&) = delete;

  // Looks the host up and connects, with TLS where `tls` is not null.
  [[nodiscard]] task<error_code> connect(const upstream_snapshot& target, std::shared_ptr<asio::ssl::context> tls,
                                         bool check_host) {
    return connect(target.host, target.port, target.version, std::move(tls), check_host);
  }
  [[nodiscard]] task<error_code> connect(std::string host, std::uint16_t port, std::uint64_t version,
                                         std::shared_ptr<asio::ssl::context> tls, bool check_host);

  // A hello with this offer in it is about to be sent; `ours` outlives the link. The server may use it in its reply.
  void offer(const protocol::compression_offer& ours) noexcept {
    offered_ = &ours;
    accepted_ = ours.compressors;
    compress_with(protocol::compressor::none);
  }
  void agree(protocol::bson_view hello_reply) noexcept;

  [[nodiscard]] prompt<error_code> send(protocol::byte_view bytes) { return stream_.write(bytes); }
  // A whole message of this command, compressed where that was agreed on, however small it is: a server compresses its
  // reply only if the request was compressed. Without a command as it is.
  [[nodiscard]] prompt<error_code> send(protocol::byte_view message, std::string_view command) {
    if (agreed_ == protocol::compressor::none || !protocol::may_be_compressed(command)) return stream_.write(message);
    return send_compressed(message);
  }

  // A request was sent, and its reply comes next: until paid() nothing else may be taken for it.
  void owes_reply(std::int32_t to) noexcept {
    owes_ = true;
    reply_to_ = to;
  }
  void paid() noexcept { owes_ = false; }
  [[nodiscard]] bool owes() const noexcept { return owes_; }
  // Whether this message is the reply that is owed. Never anything else: but what goes to the wrong client, or is
  // cached, cannot be taken back.
  [[nodiscard]] bool is_owed(protocol::byte_view message) const noexcept {
    constexpr std::size_t response_to_at = 8;
    return owes_ && message.size() >= protocol::header_size &&
           protocol::load_le<std::int32_t>(message.data() + response_to_at) == reply_to_;
  }

  enum class received : std::uint8_t {
    whole,    // `into` is one message
    front,    // `into` is the beginning of a message longer than the limit; unread() bytes follow, for read_rest()
    no_room,  // as `front`, of a message that there was no room to hold
    crowded,  // nothing yet: one that is not to be taken in pieces, or cannot be for it is compressed, and there is no
              // room to hold room_needed()
    lost,     // the connection ended, or sent what is no message
  };
  [[nodiscard]] task<received> receive(protocol::byte_buffer& into, std::size_t limit, reply_room where = {});
  // The same without a coroutine, for most replies: behind first_bytes(), one that is small, plain and there. False:
  // nothing was taken, and receive() has to.
  [[nodiscard]] bool receive_at_once(protocol::byte_buffer& into, std::size_t limit, reply_room where);
  // To be awaited: returns when a message may have begun, or the link was closed.
  [[nodiscard]] auto first_bytes() noexcept { return stream_.readable(!in_.empty()); }
  [[nodiscard]] std::size_t unread() const noexcept { return unread_; }
  [[nodiscard]] std::size_t room_needed() const noexcept { return room_needed_; }
  // The next piece of a message received by its front, at most unread() bytes, read into `size` bytes of memory or what
  // there is; empty if the connection was lost.
  static constexpr std::size_t large_piece = 64UL * 1024;
  static constexpr std::size_t small_piece = 16UL * 1024;
  [[nodiscard]] task<protocol::byte_view> read_rest(std::size_t size = large_piece);

  void close() noexcept;
  [[nodiscard]] bool is_looking_up() const noexcept { return looking_up_ != nullptr; }
  // Between requests: the upstream closed the connection, or spoke unasked.
  [[nodiscard]] bool is_dead() { return !in_.empty() || stream_.broke_silence(); }
  [[nodiscard]] bool is_open() const noexcept { return open_; }
  // Why connect() failed with `ec`, for people.
  [[nodiscard]] std::string reason(const error_code& ec) const {
    return stream_.fault().empty() ? ec.message() : stream_.fault();
  }
  // Version of the snapshot it was opened for.
  [[nodiscard]] std::uint64_t target_version() const noexcept { return target_version_; }
  [[nodiscard]] const std::string& host() const noexcept { return host_; }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] const std::string& address() const noexcept { return address_; }  // host_and_port() of the two
  // Gives idle buffers back.
  void release_memory() noexcept {
    in_.release();
    if (!has_unpacked_rest()) protocol::byte_buffer().swap(unpacked_);
  }

 protected:
  thread_metrics& metrics_;

 private:
  [[nodiscard]] task<name_lookup::answer> look_up();
  [[nodiscard]] io_result::state read_now(std::size_t size);
  [[nodiscard]] io_result read_into(std::span<std::uint8_t> room);
  [[nodiscard]] prompt<bool> read_more(std::size_t size);
  [[nodiscard]] task<bool> read_later(std::size_t size);
  [[nodiscard]] task<error_code> send_compressed(protocol::byte_view message);
  [[nodiscard]] task<received> receive_compressed(protocol::byte_buffer& into, std::size_t length, std::size_t limit,
                                                  reply_room where);
  [[nodiscard]] received broken() noexcept;
  [[nodiscard]] bool has_unpacked_rest() const noexcept { return unpacked_at_ < unpacked_.size(); }
  void compress_with(protocol::compressor which) noexcept;

  name_lookup& names_;
  executor executor_;
  std::shared_ptr<one_shot<name_lookup::answer>> looking_up_;  // null: not now
  byte_stream stream_;
  const std::span<std::uint8_t> scratch_;
  message_buffer in_;
  std::size_t unread_ = 0;
  std::size_t piece_ = 0;           // handed out by read_rest() and not consumed yet
  protocol::byte_buffer unpacked_;  // a message that came compressed and is longer than its receiver's limit
  std::size_t unpacked_at_ = 0;     // how much of it was handed out
  std::size_t room_needed_ = 0;
  const protocol::compression_offer* offered_ = nullptr;
  protocol::compressor_list accepted_;  // from the server
  protocol::compressor agreed_ = protocol::compressor::none;
  bool open_ = false;
  bool owes_ = false;
  std::int32_t reply_to_ = 0;
  std::uint64_t target_version_ = 0;
  std::string host_;
  std::string address_;
  std::uint16_t port_ = 0;
};

}  // namespace mongocached::daemon
