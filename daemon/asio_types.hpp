// The Asio types of the data path, with a concrete executor in place of the type-erased default. Included only where
// sockets or coroutines are really handled: these headers are slow to compile.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace mongocached::daemon {

namespace asio = boost::asio;
using boost::system::error_code;

using executor = asio::io_context::executor_type;
using tcp_socket = asio::basic_stream_socket<asio::ip::tcp, executor>;

}  // namespace mongocached::daemon
