#include "daemon/upstream_link.hpp"

#include <boost/asio/ssl/context.hpp>

namespace mongocached::daemon {
namespace {

constexpr std::size_t read_size = 16UL * 1024;
constexpr std::size_t large_read_size = 64UL * 1024;

}  // namespace

task<error_code> upstream_link::connect(const upstream_snapshot& target, std::shared_ptr<asio::ssl::context> tls,
                                        bool check_host) {
  host_ = target.host;
  port_ = target.port;
  target_version_ = target.version;
  error_code ec;
  const auto endpoints = co_await resolver_.async_resolve(host_, std::to_string(port_), as_result(ec));
  if (ec) co_return ec;
  ec = co_await stream_.connect(endpoints);
  if (ec) co_return ec;
  if (tls) {
    ec = co_await stream_.start_tls(*tls, host_, check_host);
  } else {
    ec = stream_.start_plain();
  }
  open_ = !ec;
  co_return ec;
}

task<bool> upstream_link::read_more() {
  error_code ec;
  const auto room = in_.prepare(unread_ > 0 ? large_read_size : read_size);
  const auto size = co_await stream_.read_some(room, ec);
  if (ec || size == 0) {
    close();
    co_return false;
  }
  in_.commit(size);
  co_return true;
}

task<upstream_link::received> upstream_link::receive(protocol::byte_buffer& into, std::size_t limit) {
  if (in_.empty()) co_await stream_.readable();  // what was asked just now is not answered yet
  while (in_.size() < protocol::header_size) {
    if (!co_await read_more()) co_return received::lost;
  }
  protocol::message_header header;
  if (protocol::read_header(in_.data(), header) != protocol::frame_error::none) {
    close();
    co_return received::lost;
  }
  const auto length = static_cast<std::size_t>(header.length);
  const bool whole = length <= limit;
  while (in_.size() < (whole ? length : protocol::header_size)) {
    if (!co_await read_more()) co_return received::lost;
  }
  const auto here = std::min(in_.size(), length);
  const auto data = in_.data().first(here);
  into.assign(data.begin(), data.end());
  in_.consume(here);
  unread_ = length - here;
  co_return unread_ == 0 ? received::whole : received::front;
}

task<protocol::byte_view> upstream_link::read_rest() {
  in_.consume(std::exchange(piece_, 0));
  if (in_.empty() && !co_await read_more()) co_return protocol::byte_view{};
  piece_ = std::min(in_.size(), unread_);
  unread_ -= piece_;
  const auto piece = in_.data().first(piece_);
  // The last piece is consumed by the next receive(), which must not see it: consume now, the bytes stay until then.
  if (unread_ == 0) in_.consume(std::exchange(piece_, 0));
  co_return piece;
}

void upstream_link::close() noexcept {
  open_ = false;
  resolver_.cancel();
  stream_.close();
}

}  // namespace mongocached::daemon
