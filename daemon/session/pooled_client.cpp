#include "daemon/session/pooled_client.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

#include "daemon/data_thread.hpp"
#include "daemon/milliseconds.hpp"
#include "daemon/session/relay.hpp"

namespace mongocached::daemon {

bool is_local_peer(int fd) noexcept {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return false;
  if (peer.ss_family == AF_UNIX) return true;
  if (peer.ss_family == AF_INET) {
    const auto address = ntohl(reinterpret_cast<const sockaddr_in&>(peer).sin_addr.s_addr);
    return address >> 24U == IN_LOOPBACKNET;
  }
  if (peer.ss_family != AF_INET6) return false;
  const auto& address = reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&address) || (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == IN_LOOPBACKNET);
}

pooled_client::pooled_client(data_thread& thread, client_identity& identity, bool local)
    : thread_(thread), identity_(identity), local_(local) {
  settle_identity();
}

caller pooled_client::who() const {
  const auto users = thread_.shared.users.load();
  const bool none = users == nullptr || users->empty();
  const bool known = user_ && !is_revoked();
  // I4: with no authentication anywhere whoever is on this machine is an administrator.
  return {.logged_in = known || thread_.settings->listen.allow_unauthenticated || (none && local_),
          .admin = known ? user_->admin.load(std::memory_order_relaxed) : none && local_};
}

// I2: all who may ask at all share their proofs; who may not has none, and so is never served from the cache.
void pooled_client::settle_identity() {
  const bool out = !who().logged_in;
  if (out == shut_out_) return;
  shut_out_ = out;
  if (out) {
    identity_.shut_out();
  } else {
    identity_.let_in();
  }
}

void pooled_client::log_in(std::shared_ptr<const proxy_user> user) {
  user_ = std::move(user);
  settle_identity();
}

void pooled_client::log_out() {
  user_.reset();
  settle_identity();
}

bool pooled_client::is_revoked() const {
  return user_ && user_->revoked.load(std::memory_order_relaxed);
}

void pooled_client::begin_request(const request& r) {
  request_ = &r;
  pinned.reset();
  preference.reset();
  cursors = {};
  pin_may_move = false;
  transaction.clear();
  ended.clear();
  upload.reset();
  reply_begun = false;
  deposed = false;
  lack = shortage::none;
}

void pooled_client::note_reply(const protocol::reply_view& reply) {
  const auto& r = *request_;
  auto& pins = thread_.shared.pins;
  const auto now = data_thread::now();
  deposed = protocol::is_state_change(reply.code) || protocol::is_state_change(reply.write_code);
  protocol::cursor_view cursor;
  const bool told = protocol::view_cursor(reply, cursor);
  if (r.command.is("getMore")) {
    const bool over = reply.ok ? told && cursor.id == 0
                               : reply.code == static_cast<std::int32_t>(protocol::error_code::cursor_not_found);
    if (over) pins.cursors.erase(cursor_key(id(), cursors.ids.front(), cursors.ns));
  } else if (r.command.is("killCursors")) {
    for (const auto one : cursors.ids) pins.cursors.erase(cursor_key(id(), one, cursors.ns));
  } else if (cursor.id != 0) {
    pins.cursors.put(id(), cursor_key(id(), cursor.id, cursor.ns), at, now);
  }
  if (reply.ok && r.command.is("abortTransaction"))
    pins.transactions.erase(transaction_key(id(), r.command.lsid, r.command.txn_number));
  if (reply.ok) {
    for (const auto& one : ended) pins.sessions.end(one, id());
  }
}

bool prepare_for_pool(request& r) {
  constexpr std::size_t flags_at = protocol::header_size;
  constexpr std::size_t checksum_size = 4;
  auto flags = protocol::load_le<std::uint32_t>(r.bytes.data() + flags_at);
  if ((flags & protocol::op_msg_flags::exhaust_allowed) == 0) return true;
  flags &= ~protocol::op_msg_flags::exhaust_allowed;
  if ((flags & protocol::op_msg_flags::checksum_present) != 0) {
    // It was checked when the message came, and would not fit any more.
    if (!r.whole()) return false;
    flags &= ~protocol::op_msg_flags::checksum_present;
    r.bytes.resize(r.bytes.size() - checksum_size);
    protocol::store_le(r.bytes.data(), static_cast<std::int32_t>(r.bytes.size()));
  }
  protocol::store_le(r.bytes.data() + flags_at, flags);
  return true;
}

void shorten_max_time(request& r, cache::duration waited) {
  const auto gone = milliseconds(waited);
  if (gone <= 0 || time_limit_ms(r) <= 0) return;
  const auto flags = protocol::load_le<std::uint32_t>(r.bytes.data() + protocol::header_size);
  if ((flags & protocol::op_msg_flags::checksum_present) != 0) return;
  const auto given = r.command.message.body.find("maxTimeMS");
  if (!given) return;
  const auto begin = r.bytes.data();
  const auto end = begin + r.bytes.size();
  if (given->value.data() < begin || given->value.data() >= end) return;  // of the copy that a large message's front is
  auto* const at = begin + (given->value.data() - begin);
  const auto left = std::max<std::int64_t>(r.command.max_time_ms - gone, 1);
  if (given->is(protocol::bson_type::int32)) protocol::store_le(at, static_cast<std::int32_t>(left));
  if (given->is(protocol::bson_type::int64)) protocol::store_le(at, left);
}

}  // namespace mongocached::daemon
