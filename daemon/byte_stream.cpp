#include "daemon/byte_stream.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/steady_timer.hpp>

namespace mongocached::daemon {

using state = polled_socket::result::state;

namespace {

using timer_type =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, executor>;

}  // namespace

byte_stream::byte_stream(asio::io_context& context, poller& poller) : poller_(poller), connecting_(context) {}
byte_stream::~byte_stream() = default;

task<error_code> byte_stream::connect(const asio::ip::basic_resolver_results<asio::ip::tcp>& addresses) {
  error_code ec = asio::error::host_not_found;
  const auto count = static_cast<std::size_t>(std::distance(addresses.begin(), addresses.end()));
  const auto turns = count > 1 ? patience.size() : 1;
  // The last turn of the last one has no limit but the caller's.
  for (std::size_t turn = 0; !closed_ && turn < turns; ++turn) {
    std::size_t left = count;
    for (const auto& entry : addresses) {
      const bool last = --left == 0 && turn + 1 == turns;
      ec = co_await connect_to(entry.endpoint(), last ? std::nullopt : std::optional(patience[turn]));
      if (!ec) set_socket_options(connecting_.native_handle());
      if (!ec || closed_) co_return ec;
    }
  }
  co_return ec;
}

task<error_code> byte_stream::connect_to(asio::ip::tcp::endpoint where,
                                         std::optional<std::chrono::milliseconds> at_most) {
  error_code ec;
  connecting_.close(ec);
  const auto attempt = std::make_shared<bool>();  // ends with this frame
  timer_type timer(connecting_.get_executor());
  if (at_most) {
    timer.expires_after(*at_most);
    timer.async_wait([this, current = std::weak_ptr(attempt)](const error_code& cancelled) {
      error_code ignored;
      if (!cancelled && !current.expired()) connecting_.close(ignored);
    });
  }
  co_await connecting_.async_connect(where, as_result(ec));
  if (!ec && !connecting_.is_open()) ec = asio::error::timed_out;  // both at once
  co_return ec;
}

error_code byte_stream::start_plain() {
  error_code ec;
  const int fd = connecting_.release(ec);
  if (ec) return ec;
  socket_ = std::make_shared<polled_socket>(poller_, fd, [this] {
    stirred_ = true;
    socket_->reading(false);
  });
  return socket_->open() ? error_code{} : asio::error::no_descriptors;
}

task<error_code> byte_stream::start_tls(asio::ssl::context& context, const std::string& host, bool check_host) {
  if (const auto ec = start_plain()) co_return ec;
  socket_->use(std::make_unique<tls_layer>(context, socket_->descriptor(), host, check_host));
  while (socket_->is_open()) {
    const auto how = socket_->tls()->handshake().how;
    if (how == state::ok) co_return error_code{};
    if (how != state::would_block) {
      fault_ = socket_->tls()->fault();
      co_return asio::error::connection_refused;
    }
    co_await socket_->readable();
  }
  co_return asio::error::operation_aborted;
}

io_result byte_stream::receive(std::span<std::uint8_t> into) {
  if (!socket_->is_open()) return {0, state::ended};
  const auto got = socket_->receive(into);
  if (std::exchange(stirred_, false)) socket_->reading(true);
  return got;
}

prompt<error_code> byte_stream::write(protocol::byte_view bytes) {
  if (!socket_ || !socket_->is_open()) return error_code(asio::error::operation_aborted);
  const auto [size, how] = socket_->send(bytes);
  if (is_lost(how)) return error_code(asio::error::connection_reset);
  if (size == bytes.size()) return error_code{};
  return write_rest(bytes.subspan(size));
}

task<error_code> byte_stream::write_rest(protocol::byte_view bytes) {
  while (!bytes.empty()) {
    co_await socket_->writable();
    if (!socket_->is_open()) co_return asio::error::operation_aborted;
    const auto [size, how] = socket_->send(bytes);
    if (is_lost(how)) co_return asio::error::connection_reset;
    bytes = bytes.subspan(size);
  }
  co_return error_code{};
}

void byte_stream::close() noexcept {
  closed_ = true;
  error_code ignored;
  connecting_.close(ignored);
  if (!socket_ || !socket_->is_open()) return;
  socket_->close();
  poller_.retire(socket_);
}

bool byte_stream::broke_silence() {
  if (!socket_ || !socket_->is_open()) return true;
  if (!stirred_) return false;
  // A TLS server may send session tickets unasked.
  if (socket_->tls() == nullptr || socket_->tls()->peek().how != state::would_block) return true;
  stirred_ = false;
  socket_->reading(true);
  return false;
}

void set_socket_options(int fd) noexcept {
  const auto set = [fd](int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof value); };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 5);
}

}  // namespace mongocached::daemon
