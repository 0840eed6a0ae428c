// The Asio types of the data path, with a concrete executor in place of the type-erased default. Included only where a
// coroutine or socket is really handled: these headers are slow to compile.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace mongocached::daemon {

namespace asio = boost::asio;
using boost::system::error_code;

using executor = asio::io_context::executor_type;
template <class T>
using task = asio::awaitable<T, executor>;
using tcp_socket = asio::basic_stream_socket<asio::ip::tcp, executor>;
inline constexpr asio::use_awaitable_t<executor> use_task;

// co_await op(as_result(ec)): the error goes to `ec` instead of an exception.
[[nodiscard]] inline auto as_result(error_code& ec) {
  return asio::redirect_error(use_task, ec);
}

}  // namespace mongocached::daemon
