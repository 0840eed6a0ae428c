#include "daemon/upstream_link.hpp"

#include <boost/asio/ssl/context.hpp>

#include "daemon/control/topology_choice.hpp"

namespace mongocached::daemon {
namespace {

// The flags of an OP_MSG are in it: whether more messages follow.
constexpr std::size_t smallest_front = protocol::header_size + 4;

asio::ip::basic_resolver_results<asio::ip::tcp> endpoints_of(const name_lookup::answer& found, const std::string& host,
                                                             std::uint16_t port) {
  std::vector<asio::ip::tcp::endpoint> out;
  out.reserve(found.addresses.size());
  for (const auto& address : found.addresses) out.emplace_back(address, port);
  return asio::ip::basic_resolver_results<asio::ip::tcp>::create(out.begin(), out.end(), host, std::to_string(port));
}

}  // namespace

task<error_code> upstream_link::connect(std::string host, std::uint16_t port, std::uint64_t version,
                                        std::shared_ptr<asio::ssl::context> tls, bool check_host) {
  host_ = std::move(host);
  port_ = port;
  address_ = host_and_port(host_, port_);
  target_version_ = version;
  const auto found = co_await look_up();
  if (found.error) co_return found.error;
  auto ec = co_await stream_.connect(endpoints_of(found, host_, port_));
  if (ec) co_return ec;
  if (tls) {
    ec = co_await stream_.start_tls(*tls, host_, check_host);
  } else {
    ec = stream_.start_plain();
  }
  open_ = !ec;
  co_return ec;
}

// Ends with close(), however long the look-up goes on.
task<name_lookup::answer> upstream_link::look_up() {
  const auto told = std::make_shared<one_shot<name_lookup::answer>>(executor_);
  const auto known = names_.find(host_, told, [waiter = std::weak_ptr(told)](const name_lookup::answer& found) {
    if (const auto here = waiter.lock()) here->deliver(found);
  });
  if (known) co_return *known;
  looking_up_ = told;
  auto found = co_await told->wait();
  looking_up_.reset();
  co_return found;
}

io_result upstream_link::read_into(std::span<std::uint8_t> room) {
  if (!open_) return {0, io_result::state::ended};
  const auto got = stream_.receive(room);
  if (is_lost(got.how)) close();
  return got;
}

io_result::state upstream_link::read_now(std::size_t size) {
  const auto got = read_into(in_.prepare(size));
  in_.commit(got.size);
  return got.how;
}

// At least one byte. False: the connection is lost, and closed.
prompt<bool> upstream_link::read_more(std::size_t size) {
  const auto how = read_now(size);
  if (how == io_result::state::would_block) return read_later(size);
  return how == io_result::state::ok;
}

task<bool> upstream_link::read_later(std::size_t size) {
  auto how = io_result::state::would_block;
  while (how == io_result::state::would_block) {
    co_await stream_.readable();
    how = read_now(size);
  }
  co_return how == io_result::state::ok;
}

bool upstream_link::receive_at_once(protocol::byte_buffer& into, std::size_t limit, reply_room where) {
  if (!in_.empty()) return false;
  const auto bytes = protocol::byte_view(scratch_).first(read_into(scratch_).size);
  protocol::message_header header;
  const bool is_plain = bytes.size() >= protocol::header_size &&
                        protocol::read_header(bytes, header) == protocol::frame_error::none &&
                        header.code != protocol::opcode::compressed;
  const auto length = is_plain ? static_cast<std::size_t>(header.length) : 0;
  const bool is_there = is_plain && length <= bytes.size() && length <= limit;
  if (!is_there || (where.from != nullptr && !where.from->try_hold(*where.held, 2 * length))) {
    in_.append(bytes);
    return false;
  }
  into.assign(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
  in_.append(bytes.subspan(length));
  unread_ = 0;
  return true;
}

task<upstream_link::received> upstream_link::receive(protocol::byte_buffer& into, std::size_t limit, reply_room where) {
  if (!open_) co_return received::lost;
  co_await first_bytes();
  if (receive_at_once(into, limit, where)) co_return received::whole;
  while (in_.size() < protocol::header_size) {
    if (!co_await read_more(small_piece)) co_return received::lost;
  }
  protocol::message_header header;
  if (protocol::read_header(in_.data(), header) != protocol::frame_error::none) {
    co_return broken();
  }
  const auto length = static_cast<std::size_t>(header.length);
  if (header.code == protocol::opcode::compressed) {
    co_return co_await receive_compressed(into, length, limit, where);
  }
  // Twice: here, and in `into` or what is made of it.
  bool held = length > limit || where.from == nullptr || where.from->try_hold(*where.held, 2 * length);
  if (!held && where.waits_above > 0) {
    room_needed_ = 2 * length;
    if (length > where.waits_above) co_return received::crowded;
    *where.held = where.from->hold(room_needed_);
    held = true;
  }
  const bool whole = length <= limit && held;
  while (in_.size() < (whole ? length : std::min(length, smallest_front))) {
    if (!co_await read_more(small_piece)) co_return received::lost;
  }
  const auto here = std::min(in_.size(), length);
  const auto data = in_.data().first(here);
  into.assign(data.begin(), data.end());
  in_.consume(here);
  unread_ = length - here;
  if (in_.capacity() > large_piece) in_.release();
  if (unread_ == 0) co_return received::whole;
  co_return held ? received::front : received::no_room;
}

upstream_link::received upstream_link::broken() noexcept {
  close();
  return received::lost;
}

task<upstream_link::received> upstream_link::receive_compressed(protocol::byte_buffer& into, std::size_t length,
                                                                std::size_t limit, reply_room where) {
  while (in_.size() < std::min(length, protocol::compressed_front_size)) {
    if (!co_await read_more(small_piece)) co_return received::lost;
  }
  protocol::compressed_fields inside;
  if (protocol::read_compressed(in_.data().first(std::min(in_.size(), length)), inside) !=
          protocol::compression_error::none ||
      !accepted_.contains(inside.with)) {
    co_return broken();
  }
  const bool whole = inside.size <= limit;
  // First what came and what is in it, then that and what is made of it, if it goes on as a whole.
  room_needed_ = inside.size + std::max(length, whole ? inside.size : 0);
  if (where.from != nullptr && !where.from->try_hold(*where.held, room_needed_)) {
    if (room_needed_ > large_piece) co_return received::crowded;
    *where.held = where.from->hold(room_needed_);  // no more than a message in pieces takes
  }
  while (in_.size() < length) {
    if (!co_await read_more(length > large_piece ? large_piece : small_piece)) co_return received::lost;
  }
  auto& message = whole ? into : unpacked_;
  if (protocol::decompress(in_.data().first(length), message, inside.with) != protocol::compression_error::none) {
    co_return broken();
  }
  metrics_.upstream_received.wire.add(length);
  metrics_.upstream_received.plain.add(inside.size);
  in_.consume(length);
  if (in_.capacity() > large_piece) in_.release();
  unread_ = 0;
  if (whole) co_return received::whole;
  unpacked_at_ = std::min(inside.size, small_piece);
  unread_ = inside.size - unpacked_at_;
  into.assign(unpacked_.begin(), unpacked_.begin() + static_cast<std::ptrdiff_t>(unpacked_at_));
  co_return unread_ == 0 ? received::whole : received::front;
}

task<error_code> upstream_link::send_compressed(protocol::byte_view message) {
  protocol::byte_buffer packed;
  protocol::append_compressed(packed, message, agreed_, offered_->zlib_level);
  if (packed.size() > protocol::max_message_size) co_return co_await stream_.write(message);
  metrics_.upstream_sent.wire.add(packed.size());
  metrics_.upstream_sent.plain.add(message.size());
  co_return co_await stream_.write(packed);
}

void upstream_link::agree(protocol::bson_view hello_reply) noexcept {
  accepted_ = accepted_.also_in(protocol::compressor_list::in(hello_reply));
  compress_with(accepted_.empty() ? protocol::compressor::none : accepted_.all().front());
}

void upstream_link::compress_with(protocol::compressor which) noexcept {
  const auto count = [](auto& of, protocol::compressor one) {
    if (one != protocol::compressor::none) of[static_cast<std::size_t>(one)].add();
  };
  count(metrics_.upstream_agreed_closed, std::exchange(agreed_, which));
  count(metrics_.upstream_agreed, which);
}

task<protocol::byte_view> upstream_link::read_rest(std::size_t size) {
  if (has_unpacked_rest()) {
    unread_ = 0;
    co_return protocol::byte_view(unpacked_).subspan(std::exchange(unpacked_at_, unpacked_.size()));
  }
  in_.consume(std::exchange(piece_, 0));
  if (in_.empty() && !co_await read_more(size)) co_return protocol::byte_view{};
  piece_ = std::min(in_.size(), unread_);
  unread_ -= piece_;
  const auto piece = in_.data().first(piece_);
  // The last piece is consumed by the next receive(), which must not see it: consume now, the bytes stay until then.
  if (unread_ == 0) in_.consume(std::exchange(piece_, 0));
  co_return piece;
}

void upstream_link::close() noexcept {
  open_ = false;
  if (looking_up_) looking_up_->deliver({asio::error::operation_aborted, {}});
  stream_.close();
}

}  // namespace mongocached::daemon
